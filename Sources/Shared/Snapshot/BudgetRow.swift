/// What a gateway does with requests that a hard budget bounds while it has no money of it and cannot ask for any.
///
/// Numbers are part of the wire format: append only.
package enum BudgetAwayPolicy: UInt8, Sendable, CaseIterable {
    /// They are refused.
    case deny = 1
    /// They are served and charged, without a bound.
    case open = 2

    package var name: String {
        switch self {
        case .deny: "deny"
        case .open: "open"
        }
    }

    package init?(name: String) {
        guard let policy = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = policy
    }
}

/// What a gateway reserves of a budget before it sends a request.
///
/// Numbers are part of the wire format: append only.
package enum BudgetEstimate: UInt8, Sendable, CaseIterable {
    /// The most that the request can cost.
    case bound = 1
    /// What requests of its key to its model cost lately, at most the bound; more while a stream grows.
    case learned = 2

    package var name: String {
        switch self {
        case .bound: "bound"
        case .learned: "learned"
        }
    }

    package init?(name: String) {
        guard let estimate = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = estimate
    }
}

/// An amount of money that a subject may spend in each window.
package struct BudgetRow: SnapshotRow, Hashable {
    package static let type = ChunkType.budgets
    package var id: BudgetID
    /// The budget's short name in usage and leases.
    package var number: UInt32
    package var subject: BudgetSubject
    package var period: BudgetPeriod
    /// How long its window is that rolls; nil for windows of the calendar.
    ///
    /// Then `period` is total, and it is the control plane's grants that keep to the window.
    package var rolling: BudgetPeriod?
    package var zone: ZoneOffsets
    package var amount: NanoUSD
    /// Requests that it has no money for are refused; a soft budget only counts.
    package var isHard: Bool
    package var away: BudgetAwayPolicy
    /// Beside `deny`: what one process serves beyond what it was granted of a window before it refuses; zero for nothing.
    package var awayAllowance: NanoUSD
    package var estimate: BudgetEstimate
    /// A request that it has too little for is sent with a lower bound of its answer, where that makes it fit.
    package var lowersOutput: Bool
    /// What it is narrowed to; empty lists narrow nothing.
    package var providers: [ProviderID]
    package var models: [ModelID]

    package init(
        id: BudgetID, number: UInt32, subject: BudgetSubject, period: BudgetPeriod, rolling: BudgetPeriod? = nil,
        zone: ZoneOffsets = .utc, amount: NanoUSD, isHard: Bool = true, away: BudgetAwayPolicy = .deny,
        awayAllowance: NanoUSD = .zero, estimate: BudgetEstimate = .bound,
        lowersOutput: Bool = false, providers: [ProviderID] = [], models: [ModelID] = []
    ) {
        self.id = id
        self.number = number
        self.subject = subject
        self.period = period
        self.rolling = rolling
        self.zone = zone
        self.amount = amount
        self.isHard = isHard
        self.away = away
        self.awayAllowance = awayAllowance
        self.estimate = estimate
        self.lowersOutput = lowersOutput
        self.providers = providers
        self.models = models
    }

    package var sortKey: [UInt8] { self.id.bytes }

    package init(from reader: inout WireReader) throws(WireError) {
        var id: BudgetID?, period: BudgetPeriod?, away: BudgetAwayPolicy?
        var subject = SubjectFields()
        var number = 0
        var entries: [ZoneOffsets.Entry] = []
        self.amount = .zero
        self.isHard = false
        self.awayAllowance = .zero
        self.estimate = .bound
        self.lowersOutput = false
        self.providers = []
        self.models = []
        while let field = try reader.next() {
            switch field {
            case 1: id = try reader.identifier("budget.id")
            case 2: number = try reader.integer(in: 1...Int(UInt32.max), "budget.number")
            case 6: period = try reader.enumeration("budget.period")
            case 7:
                entries.append(try reader.value())
                guard entries.count <= ZoneOffsets.entriesLimit else { throw .invalid("budget.zone") }
            case 8: self.amount = NanoUSD(try reader.int64())
            case 9: self.isHard = try reader.bool("budget.hard")
            case 10: away = try reader.enumeration("budget.away")
            case 11: try reader.narrowing(&self.providers, "budget.provider")
            case 12: try reader.narrowing(&self.models, "budget.model")
            case 13: self.estimate = try reader.enumeration("budget.estimate")
            case 14: self.lowersOutput = try reader.bool("budget.lowers_output")
            case 1000: self.rolling = try reader.enumeration("budget.rolling")
            case 1001: self.awayAllowance = NanoUSD(try reader.int64())
            default:
                if try !subject.take(field, &reader) { try reader.skip() }
            }
        }
        guard let id else { throw .missing("budget.id") }
        guard number > 0 else { throw .missing("budget.number") }
        guard let period else { throw .missing("budget.period") }
        guard let away else { throw .missing("budget.away") }
        guard self.amount > .zero else { throw .invalid("budget.amount") }
        guard self.awayAllowance >= .zero, self.awayAllowance == .zero || away == .deny else {
            throw .invalid("budget.away_allowance")
        }
        guard let zone = ZoneOffsets(entries) else { throw .invalid("budget.zone") }
        self.subject = try subject.subject()
        self.id = id
        self.number = UInt32(number)
        self.period = period
        self.zone = zone
        self.away = away
    }

    package func write(to writer: inout WireWriter) {
        writer.identifier(1, self.id)
        writer.integer(2, Int(self.number))
        writer.subject(self.subject)
        writer.enumeration(6, self.period)
        for entry in self.zone.entries { writer.message(7, entry) }
        writer.int64(8, self.amount.amount)
        writer.bool(9, self.isHard)
        writer.enumeration(10, self.away)
        for id in self.providers { writer.identifier(11, id) }
        for id in self.models { writer.identifier(12, id) }
        // Critical to a gateway that does not know it, and only then.
        if self.estimate != .bound { writer.enumeration(13, self.estimate) }
        writer.bool(14, self.lowersOutput)
        writer.subjectTag(self.subject)
        // To a gateway that does not know it, it is of one account without end, which is as well.
        if let rolling = self.rolling { writer.enumeration(1000, rolling) }
        // A gateway that does not know it refuses, which is as well.
        if self.awayAllowance > .zero { writer.int64(1001, self.awayAllowance.amount) }
    }
}

extension ZoneOffsets.Entry: WireMessage {
    package init(from reader: inout WireReader) throws(WireError) {
        var since: Int64 = 0
        var offset: Int64 = 0
        while let field = try reader.next() {
            switch field {
            case 1: since = try reader.int64()
            case 2: offset = try reader.int64()
            default: try reader.skip()
            }
        }
        guard let offset = Int32(exactly: offset) else { throw .invalid("zone.offset") }
        self.init(since: since, offset: offset)
    }

    package func write(to writer: inout WireWriter) {
        writer.int64(1, self.since)
        writer.int64(2, Int64(self.offset))
    }
}
