import Shared

/// Denials that wait to be written: those of one caller, operation and reason are one entry with a count.
///
/// Takes any number of denials in bounded memory, and forgets none: those that there is no entry for are counted in
/// one of operation and reason alone.
struct DenialLane: Sendable {
    struct Key: Hashable, Sendable {
        var caller: Denial.Caller
        let operation: String
        let reason: String
    }

    struct Entry: Sendable {
        var key: Key
        var count: Int64
        var first: Timestamp
        var last: Timestamp
        /// The first request.
        var request: RequestID
        /// The first few of each, without repetition.
        var targets: [Target]
        var credentials: [String]
        var addresses: [String]
        /// Whether some of it was about what is not listed.
        var hasMoreTargets: Bool
    }

    /// Most entries that tell callers apart.
    let capacity: Int
    /// Most targets of an entry, and most credentials and addresses.
    static let targetLimit = 8
    static let detailLimit = 4

    private var entries: [Key: Entry] = [:]
    /// Oldest first.
    private var order: [Key] = []
    private var severals = 0

    init(capacity: Int) { self.capacity = capacity }

    /// Entries that wait: at most the capacity, and one for each operation and reason.
    var depth: Int { self.entries.count }
    /// Denials that wait.
    var count: Int64 { self.entries.values.reduce(0) { $0 + $1.count } }

    /// - Returns: whether its caller is kept.
    @discardableResult
    mutating func add(_ denial: Denial) -> Bool {
        var entry = Entry(
            key: Key(caller: denial.caller, operation: denial.operation, reason: denial.reason), count: 1,
            first: denial.at, last: denial.at, request: denial.request, targets: denial.target.map { [$0] } ?? [],
            credentials: denial.credential.map { [$0] } ?? [], addresses: denial.address.map { [$0] } ?? [],
            hasMoreTargets: false
        )
        return self.insert(&entry, atFront: false)
    }

    /// Takes the oldest entries out.
    mutating func take(_ limit: Int) -> [Entry] {
        let keys = self.order.prefix(limit)
        self.order.removeFirst(keys.count)
        return keys.compactMap { key in
            guard let entry = self.entries.removeValue(forKey: key) else { return nil }
            if key.caller == .several { self.severals -= 1 }
            return entry
        }
    }

    /// Puts back what was taken and could not be written.
    ///
    /// - Returns: of how many denials the caller could not be kept.
    mutating func putBack(_ taken: [Entry]) -> Int64 {
        var lost: Int64 = 0
        for var entry in taken.reversed() where !self.insert(&entry, atFront: true) { lost += entry.count }
        return lost
    }

    private mutating func insert(_ entry: inout Entry, atFront: Bool) -> Bool {
        let isKnown = self.entries[entry.key] != nil
        let fits = isKnown || entry.key.caller == .several || self.entries.count - self.severals < self.capacity
        if !fits {
            entry.key.caller = .several
            entry.targets = []
            entry.credentials = []
            entry.addresses = []
        }
        if self.entries[entry.key]?.merge(entry) == nil {
            self.entries[entry.key] = entry
            if entry.key.caller == .several { self.severals += 1 }
            if atFront { self.order.insert(entry.key, at: 0) } else { self.order.append(entry.key) }
        }
        return fits
    }
}

extension DenialLane.Entry {
    mutating func merge(_ other: Self) {
        self.count += other.count
        if other.first < self.first { (self.first, self.request) = (other.first, other.request) }
        self.last = max(self.last, other.last)
        if self.targets.isEmpty != other.targets.isEmpty { self.hasMoreTargets = true }
        for target in other.targets where !self.targets.contains(target) {
            if self.targets.count < DenialLane.targetLimit {
                self.targets.append(target)
            } else {
                self.hasMoreTargets = true
            }
        }
        self.hasMoreTargets = self.hasMoreTargets || other.hasMoreTargets
        Self.merge(&self.credentials, other.credentials)
        Self.merge(&self.addresses, other.addresses)
    }

    private static func merge(_ texts: inout [String], _ more: [String]) {
        for text in more where texts.count < DenialLane.detailLimit && !texts.contains(text) { texts.append(text) }
    }
}

/// How many leaves may be written: a number at once, then one in each interval.
///
/// Leaves stay for ever, so that this, and not the number of refusals, is what the log grows by.
struct LeafBudget: Sendable {
    let burst: Int
    /// Nanoseconds.
    let interval: UInt64
    private(set) var available: Int
    private var countedTo: UInt64

    init(burst: Int, interval: UInt64, now: UInt64) {
        self.burst = burst
        self.interval = interval
        self.available = burst
        self.countedTo = now
    }

    /// - Parameter now: nanoseconds of uptime.
    mutating func refill(now: UInt64) {
        guard now > self.countedTo else { return }
        let earned = (now - self.countedTo) / self.interval
        self.countedTo += earned * self.interval
        self.available = Int(min(UInt64(self.burst), UInt64(self.available) + earned))
    }

    mutating func spend(_ count: Int) { self.available = max(0, self.available - count) }
    mutating func refund(_ count: Int) { self.available = min(self.burst, self.available + count) }
}
