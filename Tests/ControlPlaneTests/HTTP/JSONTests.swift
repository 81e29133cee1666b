import ControlPlane
import Shared
import Testing

@Suite struct JSONTests {
    @Test(arguments: [
        "{\"a\":1,\"a\":2}", "{\"a\":1,\"\\u0061\":2}", "1.5", "1e3", "01", "-", "9223372036854775808", "[1,]",
        "{\"a\"}",
        "\"\u{1}\"", "\"\\ud800\"", "\"\\udc00\"", "\"\\u0000\"", "nul", "1 2", "", "\"abc", "[\"\\x\"]",
        String(repeating: "[", count: 33) + String(repeating: "]", count: 33),
    ])
    func `a text that is not strict JSON is refused`(_ text: String) {
        #expect(throws: JSONSyntaxError.self) { try JSONParser.parse(Array(text.utf8)) }
    }

    @Test func `bytes that are not UTF-8 are refused`() {
        #expect(throws: JSONSyntaxError.self) { try JSONParser.parse([0x22, 0xFF, 0x22]) }
    }

    @Test(arguments: [
        (
            "{\"b\":[1,-2,9223372036854775807],\"a\":\"x\\n\\\"\"}",
            "{\"a\":\"x\\n\\\"\",\"b\":[1,-2,9223372036854775807]}"
        ),
        (" [ true , null ] ", "[true,null]"), ("\"\\ud83d\\ude00\\/\"", "\"😀/\""), ("{}", "{}"), ("-0", "0"),
    ])
    func `a value has one text form`(_ pair: (String, String)) throws {
        let value = try JSONParser.parse(Array(pair.0.utf8))
        #expect(value.text == pair.1)
        #expect(try JSONParser.parse(value.utf8) == value)
    }

    @Test func `a merge patch is that of RFC 7396`() {
        let value: JSONValue = ["a": "b", "c": ["d": "e", "f": "g"]]
        #expect(value.merging(["a": "z", "c": ["f": .null]]) == ["a": "z", "c": ["d": "e"]])
        #expect(value.merging(["c": .null]) == ["a": "b"])
        #expect(JSONValue.string("x").merging(["a": 1]) == ["a": 1])
    }

    @Test func `a schema says where and what it expects`() {
        let schema = Schema.object([
            .required("name", .name), .optional("list", .array(of: .integer(0...9), count: 0...2)),
            .optional("tags", .metadata), .optional("id", .id(OrganizationKind.self)),
        ])
        func refusal(_ value: JSONValue) -> (String?, String?) {
            do {
                try schema.validate(value)
                return (nil, nil)
            } catch {
                return (error.code, error.pointer)
            }
        }
        #expect(refusal(["name": "x", "list": [1, 9], "tags": ["a": "b"]]) == (nil, nil))
        #expect(refusal(["name": "x", "nope/~": 1]) == ("unknown_member", "/nope~1~0"))
        #expect(refusal([:]) == ("missing_member", "/name"))
        #expect(refusal(["name": ""]) == ("invalid_value", "/name"))
        #expect(refusal(["name": "x", "list": [1, 10]]) == ("invalid_value", "/list/1"))
        #expect(refusal(["name": "x", "list": [1, 1, 1]]) == ("invalid_value", "/list"))
        #expect(refusal(["name": "x", "tags": ["a": 1]]) == ("invalid_value", "/tags/a"))
        #expect(refusal(["name": "x", "id": "unit_00000000000000000000000000"]) == ("invalid_value", "/id"))
        #expect(refusal([]) == ("invalid_value", ""))
    }
}
