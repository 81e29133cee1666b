import DataPlane
import Glibc
import Shared
import TestKit

/// A spool folder of one test, and records to put into it.
final class SpoolFixture {
    let path: String

    init() {
        var template = Array("/tmp/gatehouse-spool-XXXXXX".utf8CString)
        _ = mkdtemp(&template)
        self.path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        for stream in Files.names(in: self.path) {
            for name in Files.names(in: "\(self.path)/\(stream)") { unlink("\(self.path)/\(stream)/\(name)") }
            rmdir("\(self.path)/\(stream)")
            unlink("\(self.path)/\(stream)")
        }
        rmdir(self.path)
    }

    static func streamID(_ number: UInt64 = 1) -> UsageStreamID { UsageStreamID(UUIDValue(high: 7, low: number)) }

    /// The `number`th request's record.
    static func record(_ number: Int) -> UsageRecord {
        let id = UUIDValue(high: 1, low: UInt64(number) + 1)
        var record = UsageRecord(request: RequestID(id), key: VirtualKeyID(id), project: NodeID(id))
        record.counters.input = Int64(number)
        record.started = Timestamp(microseconds: Int64(number))
        return record
    }

    static func number(_ record: UsageRecord) -> Int { Int(record.request.value.low) - 1 }

    /// A record with something in every field.
    static func random(_ random: inout SeededRandom) -> UsageRecord {
        func id() -> UUIDValue { UUIDValue(high: random.next() | 1, low: random.next()) }
        func count(_ bound: Int64 = .max) -> Int64 { Int64.random(in: 0...bound, using: &random) }
        func maybe(_ value: UUIDValue) -> UUIDValue? { Bool.random(using: &random) ? value : nil }
        var record = UsageRecord(request: RequestID(id()), key: VirtualKeyID(id()), project: NodeID(id()))
        record.owner = maybe(id())
        record.route = maybe(id()).map { RouteID($0) }
        record.model = maybe(id()).map { ModelID($0) }
        record.provider = maybe(id()).map { ProviderID($0) }
        record.price = maybe(id()).map { PriceID($0) }
        record.adjustment = maybe(id()).map { AdjustmentID($0) }
        record.serviceTier = ServiceTier.allCases.randomElement(using: &random) ?? .standard
        record.started = Timestamp(microseconds: count())
        record.durationMicroseconds = count()
        record.firstByteMicroseconds = count()
        record.status = Int(count(999))
        record.outcome = RequestOutcome.allCases.randomElement(using: &random) ?? .completed
        record.isStream = Bool.random(using: &random)
        record.isEstimate = Bool.random(using: &random)
        for meter in Meter.allCases { record.counters[meter] = count() }
        record.cost = NanoUSD(count())
        record.attempts = Int(count(1000))
        record.snapshot = SnapshotVersion(epoch: Int(count(Int64(Int32.max))), version: Int(count()))
        record.tags = Int(count(Int64(UsageRecord.tagNumbers.upperBound)))
        let length = Int(count(Int64(SpoolEntry.codeLimit)))
        for _ in 0..<Int(count(Int64(Charge.limit))) {
            record.charges.append(Charge(budget: UInt32(count(1 << 31)) + 1, startMinute: UInt32(count(1 << 31))))
        }
        record.code = String(
            (0..<length).map { _ in Character(UnicodeScalar(UInt8.random(in: 32...126, using: &random))) })
        if Bool.random(using: &random) {
            record.refusal = UsageRefusal(
                level: BudgetLevel.allCases.randomElement(using: &random) ?? .key, rule: id(), left: count(),
                needed: count())
        }
        return record
    }
}

extension SpoolSegment {
    /// Appends a record with its own charges.
    func append(_ record: UsageRecord, kind: SpoolEntryKind, sequence: Int) -> Bool {
        let charges = record.charges.map(\.value)
        return self.append(record, charges: charges.span, kind: kind, sequence: sequence)
    }
}

extension SpoolStream {
    /// All entries, oldest first; an unreadable one is left out.
    var entries: [SpoolEntry] {
        self.segments.flatMap { segment in (0..<segment.count).compactMap { segment.entry($0) } }
    }

    var closed: [SpoolEntry] { self.entries.filter { $0.kind == .closed } }
}
