import Shared

/// How far one stream is delivered: what is sent next, what a reply means, and what may be let go.
///
/// A value that knows no network and no clock; times are nanoseconds of uptime that it is given.
struct UsageCursor {
    /// The last number that the control plane has: by its last reply, or 0 before there was one.
    private(set) var acknowledged = 0
    /// Whether the control plane has said so, and not just nobody yet.
    private(set) var isConfirmed = false
    /// Since when it says this number.
    private(set) var confirmedAt: UInt64
    /// When it is asked again whether it still has the last record.
    var checkAt: UInt64 = 0
    /// Calls that failed in a row, and before when there is no other.
    var failures = 0
    var retryAt: UInt64 = 0
    /// Batches in a row that were answered but not taken.
    private var misses = 0
    /// Where the next record to send is looked for: a segment by its ordinal, because pruning moves positions.
    private var segment = 0
    private var entry = 0
    /// The newest segments of which every record is acknowledged, and since when: oldest first.
    private var doneSegments: [(upTo: Int, since: UInt64)] = []

    /// Records of a stream without a gap between them, and what is lost before them.
    struct Run {
        var from = 0
        var records: [UsageRecord] = []
        var lost: UsageLoss?
        /// The sets of tags that the records name, as a batch has them.
        var tagSets: [TagSet] = []
        /// Records whose tags the spool does not have: a loss of the host, or a damaged file.
        var untagged = 0
        private var tagBytes = 0
        /// Positions in `tagSets`, from 1 on, by the stream's numbers.
        private var positions: [Int: Int] = [:]

        /// Adds a record of a stream, whose tags have those numbers; false when the batch has no room for its tags.
        mutating func append(_ record: UsageRecord, _ tags: SpoolTags) -> Bool {
            var record = record
            if record.tags > 0 {
                if let position = self.positions[record.tags] {
                    record.tags = position
                } else if let set = tags.set(record.tags) {
                    guard self.tagBytes + set.utf8.count <= UsageBatch.tagBytesLimit else { return false }
                    self.tagBytes += set.utf8.count
                    self.tagSets.append(set)
                    self.positions[record.tags] = self.tagSets.count
                    record.tags = self.tagSets.count
                } else {
                    record.tags = 0
                    self.untagged += 1
                }
            }
            self.records.append(record)
            return true
        }

        var to: Int { self.from + self.records.count - 1 }
        var lostCount: Int { self.lost.map { self.from - $0.from } ?? 0 }
    }

    /// Batches that may be answered but not taken before that counts as a failure: two databases behind one address
    /// would otherwise be asked without end.
    static let missesLimit = 2

    init(now: UInt64) { self.confirmedAt = now }

    /// The records after the last acknowledged one, up to a batch.
    ///
    /// Only what is on the disk: after a loss of the host, recovery gives the numbers of anything else to other records.
    mutating func collect(_ stream: SpoolStream) -> Run {
        var run = Run()
        self.gather(stream.segments, stream.tags, &run)
        // What comes before the first record was on the disk before it, so it is gone; but whether it is missed is known
        // only from the control plane.
        let expected = self.acknowledged + 1
        if self.isConfirmed && run.from > expected {
            let reason: UsageLossReason = run.from - 1 <= stream.released ? .released : .missing
            run.lost = UsageLoss(from: expected, reason: reason)
        }
        return run
    }

    private mutating func gather(_ segments: [SpoolSegment], _ tags: SpoolTags, _ run: inout Run) {
        guard var position = segments.firstIndex(where: { $0.ordinal >= self.segment }) else { return }
        if segments[position].ordinal != self.segment { self.entry = 0 }
        var index = self.entry
        var isLeading = true
        while run.records.count < UsageBatch.recordsLimit {
            let segment = segments[position]
            let count = segment.syncedCount
            while index < count && run.records.count < UsageBatch.recordsLimit {
                if let entry = segment.entry(index), entry.kind == .closed, entry.sequence > self.acknowledged {
                    isLeading = false
                    if run.records.isEmpty { run.from = entry.sequence }
                    guard entry.sequence == run.from + run.records.count else { return }
                    guard run.append(entry.record, tags) else { return }
                } else if isLeading {
                    self.segment = segment.ordinal
                    self.entry = index + 1
                }
                index += 1
            }
            // A segment that may still grow, or is not all on the disk, is not left.
            guard position + 1 < segments.count, index >= segment.count else { return }
            position += 1
            index = 0
        }
    }

    /// The last acknowledged record and what follows, to learn whether the control plane still has it; nil when it was
    /// let go.
    func again(_ stream: SpoolStream) -> (cursor: UsageCursor, run: Run)? {
        guard self.acknowledged > 0 else { return nil }
        var cursor = self
        cursor.acknowledged -= 1
        cursor.segment = max(0, self.segment - 1)
        cursor.entry = 0
        let run = cursor.collect(stream)
        return run.from == self.acknowledged ? (cursor, run) : nil
    }

    /// Takes the control plane's word on what it has, after `run` was sent.
    ///
    /// - Returns: false when too many batches in a row were not taken.
    mutating func take(last: Int, after run: Run, now: UInt64) -> Bool {
        self.misses = last == run.to ? 0 : self.misses + 1
        // Also backwards, for a control plane whose database was restored: what it forgot is looked for from the start.
        if last < self.acknowledged {
            self.segment = 0
            self.entry = 0
        }
        if last != self.acknowledged || !self.isConfirmed { self.confirmedAt = now }
        self.acknowledged = last
        self.isConfirmed = true
        return self.misses <= Self.missesLimit
    }

    /// The ordinal up to which segments may go: acknowledged `retention` ago, or more of them than `kept`; 0 for none.
    mutating func releasable(now: UInt64, retention: UInt64, kept: Int) -> Int {
        let done = self.segment - 1
        if let last = self.doneSegments.last, last.upTo >= done {
            // After a restored control plane the cursor begins again: what is sent anew is not let go.
            self.doneSegments.removeAll { $0.upTo > done }
        } else if done > 0 {
            self.doneSegments.append((done, now))
        }
        var limit = 0
        while let first = self.doneSegments.first, now - first.since > retention || first.upTo <= done - kept {
            limit = first.upTo
            self.doneSegments.removeFirst()
        }
        return limit
    }
}
