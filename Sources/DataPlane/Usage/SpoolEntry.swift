package import Shared

/// What an entry of the spool says of a request.
package enum SpoolEntryKind: UInt8 {
    /// The request is about to be sent upstream; the record says what it will count as should it never be closed.
    case open = 1
    /// The request is settled; the record is what is shipped.
    case closed = 2
}

/// One entry as it stands in a segment: a fixed number of machine words.
///
/// Fixed, so that appending is a row of stores without an allocation. Word 1 is a checksum of all others and is stored
/// last: an entry that a kill or a power failure tore is not one.
package struct SpoolEntry {
    /// Words in an entry.
    package static let words = 71
    package static let size = Self.words * 8
    /// Bytes of a code; none of a gateway's is longer.
    package static let codeLimit = 32

    package let kind: SpoolEntryKind
    /// Number of a closed entry in its stream, from 1; of an open one, that of the closed entry before it.
    package let sequence: Int
    package let record: UsageRecord

    /// Stores an entry at `base`, which has room for `size` bytes and is aligned to eight.
    ///
    /// - Parameter charges: the accounts that the cost is charged to, in place of the record's own.
    package static func store(
        _ record: borrowing UsageRecord, charges: Span<UInt64>, kind: SpoolEntryKind, sequence: Int,
        at base: UnsafeMutableRawPointer
    ) {
        let writer = WordWriter(base: base)
        var head = UInt64(kind.rawValue) | UInt64(record.outcome.rawValue) << 8
        head |= UInt64(record.serviceTier.rawValue) << 16
        head |= (record.isStream ? 1 : 0) << 24 | (record.isEstimate ? 1 : 0) << 25
        head |= UInt64(record.refusal?.level.rawValue ?? 0) << 26
        head |= UInt64(UInt16(clamping: record.status)) << 32 | UInt64(UInt16(clamping: record.attempts)) << 48
        writer.put(head, at: 0)
        writer.put(UInt64(bitPattern: Int64(sequence)), at: 2)
        writer.put(record.request.value, at: 3)
        writer.put(record.key.value, at: 5)
        writer.put(record.project.value, at: 7)
        writer.put(record.owner, at: 9)
        writer.put(record.route?.value, at: 11)
        writer.put(record.model?.value, at: 13)
        writer.put(record.provider?.value, at: 15)
        writer.put(record.price?.value, at: 17)
        writer.put(record.started.microseconds, at: 19)
        writer.put(record.durationMicroseconds, at: 20)
        writer.put(record.firstByteMicroseconds, at: 21)
        writer.put(record.cost.amount, at: 22)
        writer.put(Int64(record.snapshot.epoch), at: 23)
        writer.put(Int64(record.snapshot.version), at: 24)
        writer.put(record.counters.input, at: 25)
        writer.put(record.counters.cachedInput, at: 26)
        writer.put(record.counters.cacheWrite5m, at: 27)
        writer.put(record.counters.cacheWrite1h, at: 28)
        writer.put(record.counters.output, at: 29)
        writer.put(record.counters.reasoning, at: 30)
        writer.put(record.counters.audioInput, at: 31)
        writer.put(record.counters.audioOutput, at: 32)
        writer.put(record.counters.images, at: 33)
        writer.put(record.counters.requests, at: 34)
        writer.put(record.counters.imageInput, at: 35)
        writer.put(record.counters.imageOutput, at: 36)
        writer.put(record.counters.inputMilliseconds, at: 37)
        writer.put(record.counters.outputMilliseconds, at: 38)
        writer.put(record.counters.characters, at: 39)
        writer.put(record.counters.pages, at: 40)
        writer.put(record.counters.searches, at: 41)
        writer.put(record.adjustment?.value, at: 42)
        writer.putText(record.code, at: 44)
        writer.put(record.refusal?.rule, at: 49)
        writer.put(record.refusal?.left ?? 0, at: 51)
        writer.put(record.refusal?.needed ?? 0, at: 52)
        writer.put(Int64(record.tags), at: 53)
        let count = min(charges.count, Charge.limit)
        writer.put(UInt64(count), at: 54)
        for index in 0..<Charge.limit { writer.put(index < count ? charges[index] : 0, at: 55 + index) }
        writer.seal()
    }

    /// Reads the entry at `base`; nil when there is none, or it is damaged or not one that could be sent.
    package init?(at base: UnsafeRawPointer) {
        let reader = WordReader(base: base)
        let head = reader.word(0)
        guard reader.isSealed, let kind = SpoolEntryKind(rawValue: UInt8(truncatingIfNeeded: head)),
            let outcome = RequestOutcome(rawValue: UInt8(truncatingIfNeeded: head >> 8)),
            let tier = ServiceTier(rawValue: UInt8(truncatingIfNeeded: head >> 16)),
            let sequence = Int(exactly: reader.word(2)), sequence <= UsageBatch.sequenceLimit,
            let request = reader.id(3), let key = reader.id(5), let project = reader.id(7),
            let code = reader.text(44), let tags = Int(exactly: reader.word(53)),
            reader.word(54) <= UInt64(Charge.limit)
        else { return nil }
        var record = UsageRecord(request: .init(request), key: .init(key), project: .init(project))
        record.outcome = outcome
        record.serviceTier = tier
        record.isStream = head >> 24 & 1 == 1
        record.isEstimate = head >> 25 & 1 == 1
        record.status = Int(head >> 32 & 0xFFFF)
        record.attempts = Int(head >> 48)
        record.owner = reader.id(9)
        record.route = reader.id(11).map { RouteID($0) }
        record.model = reader.id(13).map { ModelID($0) }
        record.provider = reader.id(15).map { ProviderID($0) }
        record.price = reader.id(17).map { PriceID($0) }
        record.started = Timestamp(microseconds: reader.signed(19))
        record.durationMicroseconds = reader.signed(20)
        record.firstByteMicroseconds = reader.signed(21)
        record.cost = NanoUSD(reader.signed(22))
        record.snapshot = SnapshotVersion(epoch: Int(reader.signed(23)), version: Int(reader.signed(24)))
        for (offset, meter) in Meter.allCases.enumerated() { record.counters[meter] = reader.signed(25 + offset) }
        record.adjustment = reader.id(42).map { AdjustmentID($0) }
        record.code = code
        if let level = BudgetLevel(rawValue: UInt8(head >> 26 & 7)), let rule = reader.id(49) {
            record.refusal = UsageRefusal(
                level: level, rule: rule, left: reader.signed(51), needed: reader.signed(52))
        }
        record.tags = tags
        for index in 0..<Int(reader.word(54)) {
            guard let charge = Charge(value: reader.word(55 + index)) else { return nil }
            record.charges.append(charge)
        }
        // What the control plane would refuse is damaged: sent on, it would hold up all that comes after it.
        guard record.isWellFormed else { return nil }
        self.kind = kind
        self.sequence = sequence
        self.record = record
    }
}

/// Stores words and folds them into a checksum on the way.
private struct WordWriter {
    private let base: UnsafeMutableRawPointer

    init(base: UnsafeMutableRawPointer) { self.base = base }

    func put(_ value: UInt64, at word: Int) { self.base.storeBytes(of: value, toByteOffset: word * 8, as: UInt64.self) }
    func put(_ value: Int64, at word: Int) { self.put(UInt64(bitPattern: value), at: word) }

    /// Two words; nil is zero.
    func put(_ value: UUIDValue?, at word: Int) {
        self.put(value?.high ?? 0, at: word)
        self.put(value?.low ?? 0, at: word + 1)
    }

    /// A length and four words of text.
    func putText(_ text: String, at word: Int) {
        guard !text.isEmpty else {
            for empty in word..<word + 5 { self.put(UInt64(0), at: empty) }
            return
        }
        var index = 0
        var current: UInt64 = 0
        var next = word + 1
        // Whole characters only: half a one would make the entry one that cannot be read.
        var end = text.utf8.index(text.startIndex, offsetBy: SpoolEntry.codeLimit, limitedBy: text.endIndex)
        while let at = end, at.samePosition(in: text.unicodeScalars) == nil { end = text.utf8.index(before: at) }
        for byte in text.utf8[..<(end ?? text.endIndex)] {
            current |= UInt64(byte) << UInt64((index & 7) * 8)
            index += 1
            if index & 7 == 0 {
                self.put(current, at: next)
                next += 1
                current = 0
            }
        }
        while next < word + 5 {
            self.put(current, at: next)
            next += 1
            current = 0
        }
        self.put(UInt64(index), at: word)
    }

    func seal() {
        self.base.storeBytes(of: WordReader(base: self.base).checksum, toByteOffset: 8, as: UInt64.self)
    }
}

private struct WordReader {
    private let base: UnsafeRawPointer

    init(base: UnsafeRawPointer) { self.base = base }

    func word(_ index: Int) -> UInt64 { self.base.load(fromByteOffset: index * 8, as: UInt64.self) }
    func signed(_ index: Int) -> Int64 { Int64(bitPattern: self.word(index)) }

    func id(_ index: Int) -> UUIDValue? {
        let value = UUIDValue(high: self.word(index), low: self.word(index + 1))
        return value.high == 0 && value.low == 0 ? nil : value
    }

    func text(_ index: Int) -> String? {
        let count = self.word(index)
        guard count <= UInt64(SpoolEntry.codeLimit) else { return nil }
        var bytes: [UInt8] = []
        for offset in 0..<Int(count) {
            bytes.append(self.base.load(fromByteOffset: (index + 1) * 8 + offset, as: UInt8.self))
        }
        return String(validating: bytes, as: UTF8.self)
    }

    var isSealed: Bool { self.word(0) != 0 && self.word(1) == self.checksum }

    /// A 64-bit mix of all words but the checksum's own.
    ///
    /// It tells torn writes, not forgeries.
    var checksum: UInt64 {
        var hash: UInt64 = 0x9E37_79B9_7F4A_7C15 ^ self.word(0)
        for index in 2..<SpoolEntry.words {
            hash = (hash ^ self.word(index)) &* 0xFF51_AFD7_ED55_8CCD
            hash ^= hash >> 32
        }
        return hash
    }
}
