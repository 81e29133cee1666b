package import Shared

/// What a request used, as rate limits count it.
package struct RateUse: Sendable, Equatable {
    package var requests: Int64 = 0
    // At most `BucketRate.amountLimit` each.
    package var inputTokens: Int64 = 0
    package var outputTokens: Int64 = 0

    /// Nothing: it was never sent to a provider.
    package static let none = RateUse()

    package init(requests: Int64 = 0, inputTokens: Int64 = 0, outputTokens: Int64 = 0) {
        self.requests = requests
        self.inputTokens = inputTokens
        self.outputTokens = outputTokens
    }

    /// Of a request that was sent to a provider.
    package init(_ counters: UsageCounters) {
        var input = Self.sum(counters.input, counters.cachedInput)
        input = Self.sum(Self.sum(input, counters.cacheWrite5m), counters.cacheWrite1h)
        input = Self.sum(Self.sum(input, counters.audioInput), counters.imageInput)
        var output = Self.sum(counters.output, counters.reasoning)
        output = Self.sum(Self.sum(output, counters.audioOutput), counters.imageOutput)
        self.init(requests: 1, inputTokens: input, outputTokens: output)
    }

    private static func sum(_ left: Int64, _ right: Int64) -> Int64 {
        // Twice that is a number still.
        min(BucketRate.amountLimit, self.clamped(left) + self.clamped(right))
    }

    private static func clamped(_ units: Int64) -> Int64 {
        min(BucketRate.amountLimit, max(0, units))
    }

    /// Units of one meter.
    package func units(of meter: RateLimitMeter) -> Int64 {
        switch meter {
        case .concurrentRequests: 0
        case .requests: self.requests
        case .inputTokens: self.inputTokens
        case .outputTokens: self.outputTokens
        case .totalTokens: self.inputTokens + self.outputTokens
        }
    }
}

/// What one request has reserved of the rate limits that it counts for; settled exactly once.
package struct RateReservation: ~Copyable {
    private var slots = InlineArray<16, RateLimitTable.Index>(repeating: 0)
    private var amounts = InlineArray<16, Int64>(repeating: 0)
    private var meters = InlineArray<16, RateLimitMeter>(repeating: .requests)
    package private(set) var count = 0
    /// Whose request it is, among those who share a limit.
    private var cell = 0

    /// Rate limits that one request counts for, at most.
    package static let limit = 16

    package init() {}

    package var isEmpty: Bool { self.count == 0 }

    /// Begins to reserve for the request of a cell (`FairUse`).
    mutating func begin(_ cell: Int) { self.cell = cell }

    var isFull: Bool { self.count >= Self.limit }

    /// Adds granules that were reserved of a limit; unless it is full.
    mutating func add(_ slot: RateLimitTable.Index, _ amount: Int64, _ meter: RateLimitMeter) {
        self.slots[self.count] = slot
        self.amounts[self.count] = amount
        self.meters[self.count] = meter
        self.count += 1
    }

    /// Ends it: what the request used is used up, the rest is there again.
    package mutating func settle(_ use: RateUse, in table: RateLimitTable) {
        for index in 0..<self.count {
            let meter = self.meters[index]
            table.withSlot(self.slots[index]) { slot in
                slot.units.settle(reserved: self.amounts[index], cost: use.units(of: meter) * BucketRate.granules)
                switch meter {
                case .concurrentRequests: slot.fair?.pointee.leave(self.cell)
                case .outputTokens, .totalTokens: if use.requests > 0 { slot.note(use.outputTokens) }
                case .requests, .inputTokens: break
                }
            }
        }
        self.count = 0
    }

    deinit { assert(self.count == 0, "a reservation of rate limits was not settled") }
}
