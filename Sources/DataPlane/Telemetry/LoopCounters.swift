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
    /// Times of finished requests, in microseconds: from the first byte of a request to the end of its answer, and to
    /// the answer's first byte.
    var durations = Distribution(Bounds.request)
    var firstBytes = Distribution(Bounds.request)
    /// From the last byte of a request to its handing to the provider's connection: what the gateway itself adds, with
    /// the wait for a new connection where one was needed.
    var added = Distribution(Bounds.added)
    /// From the handing of a request to the provider's connection to the first byte of the answer.
    var upstream = Distribution(Bounds.request)
    package internal(set) var models = ModelTable()

    mutating func finished(_ record: borrowing UsageRecord, _ exchange: borrowing Exchange, _ code: GatewayError.Code?)
    {
        let statusClass = min(max(record.status / 100, 0), 5)
        self.requests[Int(exchange.operation.rawValue) * 6 + statusClass] += 1
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
        self.durations.add(record.durationMicroseconds)
        if record.firstByteMicroseconds > 0 { self.firstBytes.add(record.firstByteMicroseconds) }
        if let added = exchange.addedMicroseconds { self.added.add(added) }
        let upstream = exchange.upstreamMicroseconds
        if let upstream { self.upstream.add(upstream) }
        let (policy, model) = (exchange.policy, exchange.model)
        guard model >= 0 else { return }
        self.models.add(record, GenAIOperation(exchange.operation), upstreamMicroseconds: upstream ?? 0) {
            let entry = policy.models[Int(model)]
            return (String(decoding: entry.name, as: UTF8.self), policy.providers[Int(entry.provider)].kind.name)
        }
    }

    mutating func add(_ other: LoopCounters) {
        for index in self.requests.indices { self.requests[index] += other.requests[index] }
        for index in self.errors.indices { self.errors[index] += other.errors[index] }
        for index in self.units.indices { self.units[index] += other.units[index] }
        self.durations.add(other.durations)
        self.firstBytes.add(other.firstBytes)
        self.added.add(other.added)
        self.upstream.add(other.upstream)
        self.models.merge(other.models)
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
    }
}
