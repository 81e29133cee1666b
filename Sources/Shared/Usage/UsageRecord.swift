/// How a request ended.
///
/// Numbers are part of the wire format: append only.
package enum RequestOutcome: UInt8, Sendable, CaseIterable {
    /// The provider's whole answer was relayed, whatever its status.
    case completed = 1
    /// Refused by the gateway before anything was sent upstream.
    case refused = 2
    /// The client went away.
    case clientAborted = 3
    /// The provider could not be reached, broke off or did not answer in time.
    case upstreamFailed = 4
    /// The gateway ended before the request did: killed, and found open in the spool at the next start, or stopped and
    /// out of drain time.
    case interrupted = 5

    package var name: String {
        switch self {
        case .completed: "completed"
        case .refused: "refused"
        case .clientAborted: "client_aborted"
        case .upstreamFailed: "upstream_failed"
        case .interrupted: "interrupted"
        }
    }
}

/// One finished request: who, what, how much, at what price.
///
/// Append-only; a correction is another record.
package struct UsageRecord: WireMessage, Hashable {
    package var request: RequestID
    package var key: VirtualKeyID
    package var project: NodeID
    package var owner: UUIDValue?
    package var route: RouteID?
    package var model: ModelID?
    package var provider: ProviderID?
    /// The price that was charged; nil when the model has none.
    package var price: PriceID?
    /// The organization's discount or margin that was applied; nil for none.
    ///
    /// With the units, the price, the service tier and the start it is all that the cost was computed from.
    package var adjustment: AdjustmentID?
    package var serviceTier = ServiceTier.standard
    package var started = Timestamp(microseconds: 0)
    /// From the request's first byte to the end of its answer.
    package var durationMicroseconds: Int64 = 0
    /// From the request's first byte to the answer's; 0 when there was none.
    package var firstByteMicroseconds: Int64 = 0
    /// The HTTP status that the client was sent; 0 when it was sent none.
    package var status = 0
    package var outcome = RequestOutcome.completed
    package var isStream = false
    /// The units are a bound and not the provider's figures, or the price is the fallback and not the model's own.
    package var isEstimate = false
    package var counters = UsageCounters()
    package var cost = NanoUSD.zero
    /// Times a provider was tried.
    package var attempts = 0
    package var snapshot = SnapshotVersion(epoch: 0, version: 0)
    /// The accounts that the cost is charged to; empty where no budget applies.
    package var charges: [Charge] = []
    /// The stable code of a refusal or failure; empty otherwise.
    package var code = ""
    /// What refused it or ended it, where one rule did.
    package var refusal: UsageRefusal?
    /// The request's tags: the number of their set, from 1 on, in the table of what holds the record (a batch, a stream
    /// of a spool); 0 for none.
    package var tags = 0

    /// Whether every number is in the range that the wire format gives it.
    package var isWellFormed: Bool {
        Self.statuses.contains(self.status) && Self.attemptCounts.contains(self.attempts)
            && Self.epochs.contains(self.snapshot.epoch) && self.snapshot.version >= 0
            && Self.tagNumbers.contains(self.tags)
            && self.refusal.map { $0.left >= 0 && $0.needed >= 0 } ?? true
            && self.durationMicroseconds >= 0 && self.firstByteMicroseconds >= 0 && self.cost >= .zero
            && Meter.allCases.allSatisfy { self.counters[$0] >= 0 }
    }

    private static let statuses = 0...999
    private static let attemptCounts = 0...1000
    private static let epochs = 0...Int(Int32.max)
    /// 0, and as many sets as a table has room for.
    package static let tagNumbers = 0...65_536

    package static let sizeLimit = 1024
    package static let codeLimit = 64

    package init(request: RequestID, key: VirtualKeyID, project: NodeID) {
        self.request = request
        self.key = key
        self.project = project
    }

    package init(from reader: inout WireReader) throws(WireError) {
        var request: RequestID?, key: VirtualKeyID?, project: NodeID?, owner: NodeID?, outcome: RequestOutcome?
        var epoch = 0
        var version = 0
        self.init(request: Self.noID(), key: Self.noID(), project: Self.noID())
        while let field = try reader.next() {
            switch field {
            case 1: request = try reader.identifier("usage.request")
            case 2: key = try reader.identifier("usage.key")
            case 3: project = try reader.identifier("usage.project")
            case 4: owner = try reader.identifier("usage.owner")
            case 5: self.route = try reader.identifier("usage.route")
            case 6: self.model = try reader.identifier("usage.model")
            case 7: self.provider = try reader.identifier("usage.provider")
            case 8: self.price = try reader.identifier("usage.price")
            case 9: self.serviceTier = try reader.enumeration("usage.service_tier")
            case 10: self.started = Timestamp(microseconds: try reader.int64())
            case 11: self.durationMicroseconds = try Self.count(&reader, "usage.duration")
            case 12: self.firstByteMicroseconds = try Self.count(&reader, "usage.first_byte")
            case 13: self.status = try reader.integer(in: Self.statuses, "usage.status")
            case 14: outcome = try reader.enumeration("usage.outcome")
            case 15: self.isStream = try reader.bool("usage.stream")
            case 16: self.isEstimate = try reader.bool("usage.estimate")
            case 17: self.cost = NanoUSD(try Self.count(&reader, "usage.cost"))
            case 18: self.attempts = try reader.integer(in: Self.attemptCounts, "usage.attempts")
            case 19: epoch = try reader.integer(in: Self.epochs, "usage.epoch")
            case 20: version = try reader.integer(in: 0...Int.max, "usage.version")
            case 21: self.code = try reader.text(limit: Self.codeLimit, "usage.code")
            case 22: self.adjustment = try reader.identifier("usage.adjustment")
            case 23: self.tags = try reader.integer(in: Self.tagNumbers, "usage.tags")
            case 25:
                let value = try reader.uint64()
                guard self.charges.count < Charge.limit, let charge = Charge(value: value) else {
                    throw .invalid("usage.charge")
                }
                self.charges.append(charge)
            case 1001: self.refusal = try reader.value()
            case 31...60:
                guard let meter = Meter(rawValue: UInt8(field - 30)) else { throw .unknownCriticalField(field) }
                self.counters[meter] = try Self.count(&reader, "usage.units")
            default: try reader.skip()
            }
        }
        guard let request else { throw .missing("usage.request") }
        guard let key else { throw .missing("usage.key") }
        guard let project else { throw .missing("usage.project") }
        guard let outcome else { throw .missing("usage.outcome") }
        self.request = request
        self.key = key
        self.project = project
        self.outcome = outcome
        self.owner = owner?.value
        self.snapshot = SnapshotVersion(epoch: epoch, version: version)
    }

    private static func noID<Kind: IdentifierKind>() -> Identifier<Kind> { Identifier(UUIDValue(high: 0, low: 0)) }

    private static func count(_ reader: inout WireReader, _ name: StaticString) throws(WireError) -> Int64 {
        let value = try reader.int64()
        guard value >= 0 else { throw .invalid(name) }
        return value
    }

    package func write(to writer: inout WireWriter) {
        writer.identifier(1, self.request)
        writer.identifier(2, self.key)
        writer.identifier(3, self.project)
        if let owner { writer.bytes(4, owner.bytes) }
        writer.identifier(5, self.route)
        writer.identifier(6, self.model)
        writer.identifier(7, self.provider)
        writer.identifier(8, self.price)
        writer.enumeration(9, self.serviceTier)
        writer.int64(10, self.started.microseconds)
        writer.int64(11, self.durationMicroseconds)
        writer.int64(12, self.firstByteMicroseconds)
        writer.integer(13, self.status)
        writer.enumeration(14, self.outcome)
        writer.bool(15, self.isStream)
        writer.bool(16, self.isEstimate)
        writer.int64(17, self.cost.amount)
        writer.integer(18, self.attempts)
        writer.integer(19, self.snapshot.epoch)
        writer.integer(20, self.snapshot.version)
        writer.text(21, self.code)
        writer.identifier(22, self.adjustment)
        writer.integer(23, self.tags)
        for charge in self.charges { writer.uint64(25, charge.value) }
        for meter in Meter.allCases { writer.int64(30 + Int(meter.rawValue), self.counters[meter]) }
        if let refusal { writer.message(1001, refusal) }
    }
}
