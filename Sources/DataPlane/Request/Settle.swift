package import Shared

/// What a request used and cost, whatever became of it.
package enum Settle {
    /// The record that stands if the process ends before the request does: every unit at its bound, or as expected where
    /// no budget has to hold the bound.
    static func bound(_ exchange: borrowing Exchange, expected: CostBound?) -> UsageRecord {
        let policy = exchange.policy
        var record = Self.base(exchange, policy)
        record.counters = Self.boundedCounters(exchange, policy, output: expected?.output, expected: expected)
        record.isEstimate = true
        Self.price(&record, exchange, policy)
        return record
    }

    /// The record of a request that is over.
    ///
    /// - Parameters:
    ///   - usage: what the provider counted; nil when it did not say.
    ///   - answered: whether the provider accepted the request: only then is there something to pay.
    ///   - expected: what was expected of it by what was learned; nil where nothing goes by that.
    ///   - text: what of a stream was text, to go by when the provider did not say what it counted.
    static func record(
        _ exchange: borrowing Exchange, outcome: RequestOutcome, code: GatewayError.Code?, usage: TokenUsage?,
        serviceTier: Intent.ServiceTier, answered: Bool, expected: CostBound?, text: StreamedText,
        uptime: UInt64
    ) -> UsageRecord {
        let policy = exchange.policy
        var record = Self.base(exchange, policy)
        record.outcome = outcome
        record.status = exchange.status
        if let code { record.code = code.name.description }
        record.durationMicroseconds = Self.microseconds(from: exchange.beganUptime, to: uptime)
        if exchange.firstByteUptime > 0 {
            record.firstByteMicroseconds = Self.microseconds(from: exchange.beganUptime, to: exchange.firstByteUptime)
        }
        guard answered else { return record }
        switch serviceTier {
        case .flex: record.serviceTier = .flex
        case .priority: record.serviceTier = .priority
        default: record.serviceTier = .standard
        }
        if let usage {
            record.counters = Self.counters(usage)
            if exchange.operation == .imageGenerations {
                // What it answers with is nothing but images.
                record.counters.imageOutput = record.counters.output
                record.counters.output = 0
            }
        } else if exchange.operation != .moderations {
            let output = text.isEmpty ? Int64(exchange.relayedBytes) : text.usualTokens
            record.counters = Self.boundedCounters(exchange, policy, output: output, expected: expected)
            record.isEstimate = true
        }
        record.counters.requests = 1
        Self.price(&record, exchange, policy)
        return record
    }

    private static func base(_ exchange: borrowing Exchange, _ policy: PolicyIndex) -> UsageRecord {
        var record = UsageRecord(request: exchange.id, key: exchange.caller.key, project: exchange.caller.project)
        record.owner = exchange.caller.owner
        record.started = exchange.began
        record.isStream = exchange.intent.streams
        record.attempts = exchange.attempts
        record.tags = exchange.tags
        record.snapshot = policy.version
        if exchange.route >= 0 { record.route = policy.routes[Int(exchange.route)].id }
        if exchange.model >= 0 {
            let model = policy.models[Int(exchange.model)]
            record.model = model.id
            record.provider = policy.providers[Int(model.provider)].id
        }
        return record
    }

    /// Charges the record at the price and the adjustment in force when the request began.
    ///
    /// At the fallback price, for a model without one, it is an estimate.
    private static func price(_ record: inout UsageRecord, _ exchange: borrowing Exchange, _ policy: PolicyIndex) {
        guard exchange.model >= 0, let price = policy.price(of: exchange.model, at: exchange.began) else { return }
        if price.model == nil { record.isEstimate = true }
        let adjustment = policy.adjustment(at: exchange.caller.node, model: exchange.model, exchange.began)
        record.price = price.id
        record.adjustment = adjustment?.id
        record.cost = Pricing.cost(
            of: record.counters, items: price.items, tier: record.serviceTier, at: record.started,
            uplift: price.uplift, adjustment: adjustment?.factor ?? .one
        )
    }

    /// The provider's counts under the meters: every token under exactly one.
    package static func counters(_ usage: TokenUsage) -> UsageCounters {
        var counters = UsageCounters()
        // Audio is counted within the uncached input as far as it goes, then within what was cached.
        counters.audioInput = min(usage.audioInput, usage.uncachedInput)
        counters.input = usage.uncachedInput - counters.audioInput
        counters.cachedInput = usage.cacheRead
        counters.cacheWrite5m = usage.cacheWrite
        counters.audioOutput = min(usage.audioOutput, usage.output)
        counters.reasoning = min(usage.reasoning, usage.output - counters.audioOutput)
        counters.output = usage.output - counters.audioOutput - counters.reasoning
        counters.requests = 1
        return counters
    }

    /// Upper bounds: a token is at least one byte of the body, and the prompt at most the model's context; the output is
    /// what the client allowed, else what the model can, and no more than what was relayed.
    ///
    /// Never more than what `CostBound` reserved for it.
    private static func boundedCounters(
        _ exchange: borrowing Exchange, _ policy: PolicyIndex, output: Int64?, expected: CostBound?
    ) -> UsageCounters {
        var counters = UsageCounters()
        counters.input = Int64(exchange.intent.bodyBytes)
        counters.requests = 1
        var bound = exchange.intent.outputBound ?? .max
        if exchange.model >= 0 {
            let model = policy.models[Int(exchange.model)]
            if model.contextWindow > 0 { counters.input = min(counters.input, Int64(model.contextWindow)) }
            let cap = Int64(model.maxOutput > 0 ? model.maxOutput : model.contextWindow)
            if cap > 0 { bound = min(bound, cap) }
        }
        if let expected { counters.input = min(counters.input, expected.prompt) }
        // Without usage, by what such models are priced: characters, of which there are no more than bytes, and images.
        if exchange.operation == .speech { counters.characters = counters.input }
        if exchange.operation == .imageGenerations { counters.images = max(1, exchange.intent.choices) }
        guard exchange.operation.generates else { return counters }
        let (total, overflow) = bound.multipliedReportingOverflow(by: max(1, exchange.intent.choices))
        let most = overflow ? Int64.max : total
        if let output {
            counters.output = min(output, most)
        } else if exchange.intent.outputBound != nil || bound < .max {
            counters.output = most
        }
        return counters
    }

    private static func microseconds(from start: UInt64, to end: UInt64) -> Int64 {
        end > start ? Int64(clamping: (end - start) / 1000) : 0
    }
}
