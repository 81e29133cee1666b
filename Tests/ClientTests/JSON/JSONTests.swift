import AdminClient
import Shared
import TestKit
import Testing

@Suite struct JSONTests {
    @Test(arguments: [
        (#"{"b":1,"a":[true,false,null,"x"]}"#, #"{"a":[true,false,null,"x"],"b":1}"#),
        ("  -0.50e+10 ", "-0.50e+10"), ("9223372036854775808", "9223372036854775808"),
        (#""\u0041\u00e9\ud83d\ude00""#, "\"Aé😀\""), ("[]", "[]"), ("{}", "{}"),
        (#""\u0000\n""#, #""\u0000\n""#),
        ("\"\u{202E}evil\u{9B}\"", #""\u202eevil\u009b""#),
    ])
    func `a text is read and written as what it was`(_ text: String, _ expected: String) throws {
        let value = try JSON(parsing: text)
        #expect(JSONWriter.line(value) == expected)
        #expect(try JSON(parsing: JSONWriter.lines(value)) == value)
    }

    @Test(arguments: [
        "", "{", "[1,]", "{\"a\":1,\"a\":2}", "01", "1.", "1e", "-", "tru", "\"", "\"\\x\"", "\"\\ud800\"", "\"\n\"",
        "[1] 2", "{\"a\" 1}", "NaN", String(repeating: "[", count: 100_000),
        "\"\\u12\"", "{1:2}",
    ])
    func `what is no JSON is refused with a place`(_ text: String) {
        let error = #expect(throws: JSONSyntaxError.self) { try JSON(parsing: text) }
        #expect((error?.offset ?? -1) <= text.utf8.count)
    }

    @Test func `bytes that are not UTF-8 are refused`() {
        #expect(throws: JSONSyntaxError.self) { try JSON(parsing: [0x22, 0xFF, 0x22]) }
    }

    @Test func `random values survive being written and read`() throws {
        let seed = UInt64.random(in: 0 ... .max)
        print("seed \(seed)")
        var random = SeededRandom(seed: seed)
        for _ in 0..<300 {
            let value = Self.value(&random, depth: 0)
            #expect(try JSON(parsing: JSONWriter.line(value)) == value, "seed \(seed)")
            #expect(try JSON(parsing: JSONWriter.lines(value)) == value, "seed \(seed)")
        }
    }

    private static func value(_ random: inout SeededRandom, depth: Int) -> JSON {
        switch Int.random(in: 0..<(depth > 4 ? 4 : 6), using: &random) {
        case 0: return .null
        case 1: return .bool(.random(using: &random))
        case 2: return .number("\(Int64.random(in: .min ... .max, using: &random))")
        case 3:
            let scalars = (0..<Int.random(in: 0..<8, using: &random)).compactMap { _ in
                Unicode.Scalar(UInt32.random(in: 0..<0x3000, using: &random))
            }
            return .string(String(String.UnicodeScalarView(scalars)))
        case 4:
            return .array(
                (0..<Int.random(in: 0..<4, using: &random)).map { _ in Self.value(&random, depth: depth + 1) })
        default:
            let members = (0..<Int.random(in: 0..<4, using: &random)).map { _ in
                ("m\(Int.random(in: 0..<9, using: &random))", Self.value(&random, depth: depth + 1))
            }
            return .object(Dictionary(members, uniquingKeysWith: { _, last in last }))
        }
    }

    @Test func `a merge patch makes the one of the other`() throws {
        let current = try JSON(parsing: #"{"name":"a","tags":{"x":"1","y":"2"},"list":[1],"same":{"a":1}}"#)
        let wanted = try JSON(parsing: #"{"tags":{"y":"3","z":"4"},"list":[1,2],"same":{"a":1}}"#)
        // What is not said at the top stays; what is not said below it goes.
        let expected = try JSON(parsing: #"{"tags":{"x":null,"y":"3","z":"4"},"list":[1,2]}"#)
        #expect(MergePatch.difference(from: current, to: wanted) == expected)
        #expect(MergePatch.difference(from: current, to: current) == .object([:]))
    }
}
