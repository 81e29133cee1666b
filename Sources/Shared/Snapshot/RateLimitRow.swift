/// What a rate limit counts.
///
/// Numbers are part of the wire format: append only.
package enum RateLimitMeter: UInt8, Sendable, CaseIterable {
    /// Requests under way at the same time.
    case concurrentRequests = 1
    case requests = 2
    /// Tokens of prompts, whatever they are charged as.
    case inputTokens = 3
    /// Tokens of answers, those of reasoning included.
    case outputTokens = 4
    case totalTokens = 5

    package var name: String {
        switch self {
        case .concurrentRequests: "concurrent_requests"
        case .requests: "requests"
        case .inputTokens: "input_tokens"
        case .outputTokens: "output_tokens"
        case .totalTokens: "total_tokens"
        }
    }

    package init?(name: String) {
        guard let meter = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = meter
    }
}

/// The time in which a rate limit's amount may be used.
///
/// Numbers are part of the wire format: append only.
package enum RateLimitPeriod: UInt8, Sendable, CaseIterable {
    case second = 1
    case minute = 2
    case hour = 3
    case day = 4

    package var name: String {
        switch self {
        case .second: "second"
        case .minute: "minute"
        case .hour: "hour"
        case .day: "day"
        }
    }

    package init?(name: String) {
        guard let period = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = period
    }

    package var seconds: Int64 {
        switch self {
        case .second: 1
        case .minute: 60
        case .hour: 3600
        case .day: 86400
        }
    }
}

/// How fast a subject may use something, or how much of it at once.
package struct RateLimitRow: SnapshotRow, Hashable {
    package static let type = ChunkType.rateLimits
    package var id: RateLimitID
    /// The limit's short name between gateways and the control plane.
    package var number: UInt32
    package var subject: BudgetSubject
    package var meter: RateLimitMeter
    package var rate: BucketRate
    /// Requests are counted at the most that they may use while they are under way, not at what is usual.
    package var isStrict: Bool
    /// What a gateway does while it has no word of the control plane: see `BudgetAwayPolicy`.
    package var away: BudgetAwayPolicy
    /// What it is narrowed to; empty lists narrow nothing.
    package var providers: [ProviderID]
    package var models: [ModelID]

    package init(
        id: RateLimitID, number: UInt32, subject: BudgetSubject, meter: RateLimitMeter, rate: BucketRate,
        isStrict: Bool = false, away: BudgetAwayPolicy = .open, providers: [ProviderID] = [], models: [ModelID] = []
    ) {
        self.id = id
        self.number = number
        self.subject = subject
        self.meter = meter
        self.rate = rate
        self.isStrict = isStrict
        self.away = away
        self.providers = providers
        self.models = models
    }

    package var sortKey: [UInt8] { self.id.bytes }

    package init(from reader: inout WireReader) throws(WireError) {
        var id: RateLimitID?
        var subject = SubjectFields()
        var meter: RateLimitMeter?, period: RateLimitPeriod?, away: BudgetAwayPolicy?
        var number = 0
        var amount: Int64 = 0
        var burst: Int64 = 0
        self.isStrict = false
        self.providers = []
        self.models = []
        while let field = try reader.next() {
            switch field {
            case 1: id = try reader.identifier("limit.id")
            case 2: number = try reader.integer(in: 1...Int(UInt32.max), "limit.number")
            case 6: meter = try reader.enumeration("limit.meter")
            case 7: amount = try reader.int64()
            case 8: period = try reader.enumeration("limit.period")
            case 9: burst = try reader.int64()
            case 10: self.isStrict = try reader.bool("limit.strict")
            case 11: away = try reader.enumeration("limit.away")
            case 12: try reader.narrowing(&self.providers, "limit.provider")
            case 13: try reader.narrowing(&self.models, "limit.model")
            default:
                if try !subject.take(field, &reader) { try reader.skip() }
            }
        }
        guard let id else { throw .missing("limit.id") }
        guard number > 0 else { throw .missing("limit.number") }
        guard let meter else { throw .missing("limit.meter") }
        guard let away else { throw .missing("limit.away") }
        guard (meter == .concurrentRequests) == (period == nil) else { throw .invalid("limit.period") }
        guard let rate = BucketRate(amount: amount, per: period, burst: burst) else { throw .invalid("limit.amount") }
        self.subject = try subject.subject()
        self.id = id
        self.number = UInt32(number)
        self.meter = meter
        self.rate = rate
        self.away = away
    }

    package func write(to writer: inout WireWriter) {
        writer.identifier(1, self.id)
        writer.integer(2, Int(self.number))
        writer.subject(self.subject)
        writer.enumeration(6, self.meter)
        writer.int64(7, self.rate.amount)
        if let period = self.rate.period { writer.enumeration(8, period) }
        writer.int64(9, self.rate.burst)
        writer.bool(10, self.isStrict)
        writer.enumeration(11, self.away)
        for id in self.providers { writer.identifier(12, id) }
        for id in self.models { writer.identifier(13, id) }
        writer.subjectTag(self.subject)
    }
}
