import DataPlane
import Shared
import TestKit
import Testing

@Suite struct SpoolEntryTests {
    /// Room for one entry, with words beside it that must stay.
    private final class Slot {
        let base = UnsafeMutableRawPointer.allocate(byteCount: SpoolEntry.size + 16, alignment: 8)

        init() { self.base.initializeMemory(as: UInt8.self, repeating: 0, count: SpoolEntry.size + 16) }
        deinit { self.base.deallocate() }

        var entry: SpoolEntry? { SpoolEntry(at: UnsafeRawPointer(self.base + 8)) }
        var isIntactAround: Bool {
            self.base.load(as: UInt64.self) == 0
                && self.base.load(fromByteOffset: 8 + SpoolEntry.size, as: UInt64.self) == 0
        }

        func store(_ record: UsageRecord, _ kind: SpoolEntryKind, _ sequence: Int) {
            let charges = record.charges.map(\.value)
            SpoolEntry.store(record, charges: charges.span, kind: kind, sequence: sequence, at: self.base + 8)
        }

        subscript(_ index: Int) -> UInt8 {
            get { self.base.load(fromByteOffset: 8 + index, as: UInt8.self) }
            set { self.base.storeBytes(of: newValue, toByteOffset: 8 + index, as: UInt8.self) }
        }
    }

    private static func same(_ entry: SpoolEntry?, _ kind: SpoolEntryKind, _ sequence: Int, _ record: UsageRecord)
        -> Bool
    {
        guard let entry else { return false }
        return entry.kind == kind && entry.sequence == sequence && entry.record == record
    }

    @Test func `an entry reads back as what was stored, over whatever was there`() {
        var random = SeededRandom("spool entries")
        let slot = Slot()
        #expect(slot.entry == nil)
        for round in 0..<500 {
            let record = SpoolFixture.random(&random)
            let kind: SpoolEntryKind = Bool.random(using: &random) ? .open : .closed
            slot.store(record, kind, round)
            #expect(Self.same(slot.entry, kind, round, record))
            #expect(slot.isIntactAround)
        }
    }

    @Test func `an entry with any byte changed is none`() {
        var random = SeededRandom("torn entries")
        let slot = Slot()
        for _ in 0..<5 {
            let record = SpoolFixture.random(&random)
            slot.store(record, .closed, 9)
            for index in 0..<SpoolEntry.size {
                let kept = slot[index]
                for value in [kept ^ 1, kept ^ 0x80, ~kept, UInt8.random(in: 0...255, using: &random)]
                where value != kept {
                    slot[index] = value
                    #expect(slot.entry == nil, "byte \(index)")
                }
                slot[index] = kept
            }
            #expect(Self.same(slot.entry, .closed, 9, record))
        }
    }

    @Test func `an entry of which only a beginning was stored is none`() {
        var random = SeededRandom("cut entries")
        for _ in 0..<20 {
            let record = SpoolFixture.random(&random)
            let whole = Slot()
            whole.store(record, .closed, 3)
            let bytes = (0..<SpoolEntry.size).map { whole[$0] }
            for end in 0..<SpoolEntry.size / 8 {
                let cut = Slot()
                for index in 0..<end * 8 where index / 8 != 1 { cut[index] = bytes[index] }
                #expect(cut.entry == nil)
            }
            // Over an older entry, too: the checksum is the last word that is stored.
            let over = Slot()
            over.store(SpoolFixture.random(&random), .closed, 2)
            for index in 0..<SpoolEntry.size where index / 8 != 1 { over[index] = bytes[index] }
            #expect(over.entry == nil)
        }
    }

    @Test func `a code that is too long is cut between characters`() {
        let slot = Slot()
        var record = SpoolFixture.record(1)
        for (code, kept) in [
            (String(repeating: "x", count: 33), String(repeating: "x", count: 32)),
            (String(repeating: "é", count: 40), String(repeating: "é", count: 16)),
            ("x" + String(repeating: "é", count: 40), "x" + String(repeating: "é", count: 15)),
            (String(repeating: "🚪", count: 8), String(repeating: "🚪", count: 8)),
            ("ab" + String(repeating: "🚪", count: 8), "ab" + String(repeating: "🚪", count: 7)), ("", ""),
        ] {
            record.code = code
            slot.store(record, .closed, 1)
            #expect(slot.entry?.record.code == kept)
        }
        for code in GatewayError.Code.allCases { #expect(code.name.description.utf8.count <= SpoolEntry.codeLimit) }
    }
}
