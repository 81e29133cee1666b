import Shared

/// What one event loop has counted.
///
/// Plain integers: summed when somebody asks.
package struct LoopCounters: Sendable {
    /// Finished requests by operation and class of status (1xx … 5xx; 0 for none sent).
    package internal(set) var requests = [Int](repeating: 0, count: Operation.allCases.count * 6)
    /// Refusals and failures by code.
    package internal(set) var errors = [Int](repeating: 0, count: GatewayError.Code.allCases.count)
    /// Units by meter.
    var units = [Int64](repeating: 0, count: Meter.allCases.count + 1)
    var cost: Int64 = 0
    package internal(set) var estimates = 0
    package internal(set) var inFlight = 0
    package internal(set) var attempts = 0
    package internal(set) var retries = 0
    package internal(set) var upstreamConnections = 0
    package internal(set) var upstreamReused = 0
    package internal(set) var bytesIn = 0
    package internal(set) var bytesOut = 0
    /// Requests that failed before they could be told apart by operation: malformed heads, unknown paths and keys.
    package internal(set) var unattributed = 0
    /// Durations of finished requests, in the buckets of `bounds`, and their sum in microseconds.
    var durations = [Int](repeating: 0, count: LoopCounters.bounds.count + 1)
    var durationSum: Int64 = 0
    /// Time to the first byte of an answer, likewise.
    var firstBytes = [Int](repeating: 0, count: LoopCounters.bounds.count + 1)
    var firstByteSum: Int64 = 0

    /// Upper bounds of the buckets, in microseconds.
    static let bounds: [Int64] = [
        1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
        10_000_000,
        30_000_000, 60_000_000, 300_000_000,
    ]

    mutating func finished(_ record: borrowing UsageRecord, _ operation: Operation, _ code: GatewayError.Code?) {
        let statusClass = min(max(record.status / 100, 0), 5)
        self.requests[Int(operation.rawValue) * 6 + statusClass] += 1
        if let code { self.errors[Int(code.rawValue)] += 1 }
        self.units[1] += record.counters.input
        self.units[2] += record.counters.cachedInput
        self.units[3] += record.counters.cacheWrite5m
        self.units[4] += record.counters.cacheWrite1h
        self.units[5] += record.counters.output
        self.units[6] += record.counters.reasoning
        self.units[7] += record.counters.audioInput
        self.units[8] += record.counters.audioOutput
        self.units[9] += record.counters.images
        self.units[10] += record.counters.requests
        self.units[11] += record.counters.imageInput
        self.units[12] += record.counters.imageOutput
        self.units[13] += record.counters.inputMilliseconds
        self.units[14] += record.counters.outputMilliseconds
        self.units[15] += record.counters.characters
        self.units[16] += record.counters.pages
        self.units[17] += record.counters.searches
        self.cost = self.cost.addingSaturating(record.cost.amount)
        if record.isEstimate { self.estimates += 1 }
        self.durations[Self.bucket(record.durationMicroseconds)] += 1
        self.durationSum = self.durationSum.addingSaturating(record.durationMicroseconds)
        if record.firstByteMicroseconds > 0 {
            self.firstBytes[Self.bucket(record.firstByteMicroseconds)] += 1
            self.firstByteSum = self.firstByteSum.addingSaturating(record.firstByteMicroseconds)
        }
    }

    private static func bucket(_ microseconds: Int64) -> Int {
        var index = 0
        while index < Self.bounds.count && microseconds > Self.bounds[index] { index += 1 }
        return index
    }

    mutating func add(_ other: LoopCounters) {
        for index in self.requests.indices { self.requests[index] += other.requests[index] }
        for index in self.errors.indices { self.errors[index] += other.errors[index] }
        for index in self.units.indices { self.units[index] += other.units[index] }
        for index in self.durations.indices { self.durations[index] += other.durations[index] }
        for index in self.firstBytes.indices { self.firstBytes[index] += other.firstBytes[index] }
        self.cost = self.cost.addingSaturating(other.cost)
        self.estimates += other.estimates
        self.inFlight += other.inFlight
        self.attempts += other.attempts
        self.retries += other.retries
        self.upstreamConnections += other.upstreamConnections
        self.upstreamReused += other.upstreamReused
        self.bytesIn += other.bytesIn
        self.bytesOut += other.bytesOut
        self.unattributed += other.unattributed
        self.durationSum = self.durationSum.addingSaturating(other.durationSum)
        self.firstByteSum = self.firstByteSum.addingSaturating(other.firstByteSum)
    }
}
