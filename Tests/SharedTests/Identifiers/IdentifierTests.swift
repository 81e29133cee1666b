import Shared
import Testing

@Suite struct IdentifierTests {
    @Test func `an identifier reads back from its text and its bytes`() {
        var sampler = Sampler("identifiers")
        let edges = [(0, 0), (UInt64.max, .max), (0, 1), (1, 0), (1 << 63, 1 << 63)].map {
            UUIDValue(high: $0.0, low: $0.1)
        }
        for value in edges + (0..<2000).map({ _ in sampler.uuid() }) {
            let id = ProjectID(value)
            #expect(ProjectID(id.description) == id)
            #expect(ProjectID(bytes: id.bytes) == id)
            #expect(id.description.utf8.count == 30)
            #expect(UserID(id.description) == nil)
            #expect(ProjectID(id.description.uppercased()) == nil)
        }
        #expect(ProjectID(UUIDValue(high: .max, low: .max)).description == "prj_7zzzzzzzzzzzzzzzzzzzzzzzzz")
        #expect(ProjectID(UUIDValue(high: 0, low: 32)).description == "prj_00000000000000000000000010")
    }

    @Test(arguments: [
        "", "prj_", "prj", "prj_0000000000000000000000000", "prj_000000000000000000000000000",
        "prj_80000000000000000000000000", "prj_0000000000000000000000000i", "prj_0000000000000000000000000l",
        "prj_0000000000000000000000000o", "prj_0000000000000000000000000u", "prj-00000000000000000000000000",
        "prj_0000000000000000000000000A", " prj_0000000000000000000000000", "prj_000000000000000000000000é",
        "org_00000000000000000000000000",
    ])
    func `another text is no identifier`(_ text: String) {
        #expect(ProjectID(text) == nil)
    }

    @Test func `order is that of the bytes and of the text`() {
        var sampler = Sampler("identifier order")
        for _ in 0..<1000 {
            let (left, right) = (ProjectID(sampler.uuid()), ProjectID(sampler.uuid()))
            #expect((left < right) == left.bytes.lexicographicallyPrecedes(right.bytes))
            #expect((left < right) == (left.description < right.description))
        }
    }

    @Test func `a new identifier is a version 7 UUID of its moment`() {
        let time = TimeSource(now: { Timestamp(microseconds: 1_700_000_000_123_999) }, uptime: { 0 })
        var seen: Set<UUIDValue> = []
        for _ in 0..<1000 {
            let value = time.newID(RequestKind.self).value
            #expect(value.high >> 16 == 1_700_000_000_123)
            #expect(value.high >> 12 & 15 == 7)
            #expect(value.low >> 62 == 2)
            seen.insert(value)
        }
        #expect(seen.count == 1000)
        let early = TimeSource(now: { Timestamp(microseconds: .min) }, uptime: { 0 })
        #expect(early.newID(RequestKind.self).value.high >> 16 == 0)
    }
}

@Suite struct MoneyTests {
    @Test(arguments: [
        ("0", 0, "0.00"), ("0.5", 500_000_000, "0.50"), ("12.50", 12_500_000_000, "12.50"),
        ("0.000000125", 125, "0.000000125"), ("-1.25", -1_250_000_000, "-1.25"), ("-0.000000001", -1, "-0.000000001"),
        ("9223372036.854775807", Int64.max, "9223372036.854775807"),
        ("-9223372036.854775808", Int64.min, "-9223372036.854775808"), ("-0", 0, "0.00"),
        ("007", 7_000_000_000, "7.00"),
    ])
    func `dollars are read and written`(_ text: String, _ amount: Int64, _ written: String) {
        #expect(NanoUSD(usd: text)?.amount == amount)
        #expect(NanoUSD(amount).description == written)
    }

    @Test(arguments: [
        "", ".", "1.", ".5", "-", "--1", "+1", "1e3", "1,5", "1.2.3", "0.0000000001", "9223372036.854775808",
        "-9223372036.854775809", "99999999999", " 1", "1 ", "١", "0x1", "9999999999.999999999",
    ])
    func `another text is no amount`(_ text: String) {
        #expect(NanoUSD(usd: text) == nil)
    }

    @Test func `every amount reads back and sums saturate`() {
        var sampler = Sampler("money")
        for _ in 0..<2000 {
            let shift = Int64(sampler.below(63))
            let amount = NanoUSD(Int64(bitPattern: sampler.random.next()) >> shift)
            #expect(NanoUSD(usd: amount.description) == amount)
            let other = NanoUSD(Int64(bitPattern: sampler.random.next()) >> shift)
            let (sum, overflow) = amount.amount.addingReportingOverflow(other.amount)
            let expected = overflow ? (amount.amount < 0 ? Int64.min : .max) : sum
            #expect(amount.addingSaturating(other).amount == expected)
        }
    }
}
