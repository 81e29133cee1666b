package import Shared

/// Where an event loop writes its requests down: an open entry before the first upstream byte, a closed one when it is
/// settled.
///
/// Used on its loop only; neither call waits or allocates.
package final class UsageJournal {
    package let stream: SpoolStream
    private var segment: SpoolSegment
    private var used = 0
    /// Requests that are open: each will need one entry more.
    package private(set) var openCount = 0
    private var sequence = 0

    package init?(stream: SpoolStream) {
        guard let segment = stream.segments.last else { return nil }
        self.stream = stream
        self.segment = segment
    }

    /// Writes down that a request is about to be sent upstream.
    ///
    /// Call `close` exactly once afterwards.
    ///
    /// - Parameters:
    ///   - bound: the record that stands if the process is killed: the units at their bound, `isEstimate` set.
    ///   - charges: the accounts that it is charged to.
    /// - Returns: false when there is no room; the request must then be refused.
    package func open(_ bound: borrowing UsageRecord, charges: Span<UInt64> = Span()) -> Bool {
        guard self.hasRoom(for: self.openCount + 2), self.append(bound, charges, .open, self.sequence) else {
            return false
        }
        self.openCount += 1
        return true
    }

    /// Writes an open request down once more: what is charged, or to what, has changed.
    ///
    /// The last entry stands if the process is killed.
    ///
    /// - Returns: false when there is no room.
    package func reopen(_ bound: borrowing UsageRecord, charges: Span<UInt64>) -> Bool {
        self.hasRoom(for: self.openCount + 1) && self.append(bound, charges, .open, self.sequence)
    }

    /// Settles a request that was opened.
    package func close(_ record: borrowing UsageRecord, charges: Span<UInt64> = Span()) {
        self.openCount -= 1
        self.appendClosed(record, charges)
    }

    /// Writes down a request that never went upstream, in one entry; false when there is no room.
    package func note(_ record: borrowing UsageRecord) -> Bool {
        guard self.hasRoom(for: self.openCount + 1) else { return false }
        self.appendClosed(record, Span())
        return true
    }

    private func appendClosed(_ record: borrowing UsageRecord, _ charges: Span<UInt64>) {
        self.sequence += 1
        let written = self.append(record, charges, .closed, self.sequence)
        // `hasRoom` kept an entry for every open request.
        assert(written, "the spool had no room for an entry that was reserved")
    }

    private func hasRoom(for entries: Int) -> Bool {
        if SpoolSegment.capacity - self.used >= entries { return true }
        return self.stream.hasSpare && SpoolSegment.capacity - self.used + SpoolSegment.capacity >= entries
    }

    private func append(
        _ record: borrowing UsageRecord, _ charges: Span<UInt64>, _ kind: SpoolEntryKind, _ sequence: Int
    ) -> Bool {
        if self.used == SpoolSegment.capacity {
            guard let next = self.stream.advance() else { return false }
            self.segment = next
            self.used = 0
        }
        self.used += 1
        return self.segment.append(record, charges: charges, kind: kind, sequence: sequence)
    }
}
