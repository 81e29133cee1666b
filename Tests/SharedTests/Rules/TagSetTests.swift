import Shared
import TestKit
import Testing

@Suite struct TagSetTests {
    @Test(arguments: ["a", "team", "a_b.c-d9", "z" + String(repeating: "9", count: 39)])
    func `a name is`(_ name: String) { #expect(TagText.isName(name)) }

    @Test(arguments: ["", "A", "9a", "_a", "a b", "a=", "ä", "a,b", "a" + String(repeating: "b", count: 40)])
    func `a name is not`(_ name: String) { #expect(!TagText.isName(name)) }

    @Test(arguments: ["a", "A b", "~!@#$%^&*()_+", "a(other)", String(repeating: "x", count: 64)])
    func `a value is`(_ value: String) { #expect(TagText.isValue(value)) }

    @Test(arguments: [
        "", " a", "a ", "a,b", "a=b", "a\"b", "a\tb", "a\u{7F}", "é", "(other)", "(", String(repeating: "x", count: 65),
    ])
    func `a value is not`(_ value: String) { #expect(!TagText.isValue(value)) }

    @Test func `a set has one text form, whatever it was made of`() throws {
        var random = SeededRandom("tag sets")
        for _ in 0..<300 {
            var tags: [String: String] = [:]
            for _ in 0..<Int.random(in: 1...TagText.countLimit, using: &random) {
                let name = String(["a", "b", "team", "a.b", "a_b", "env9", "z-1"].randomElement(using: &random) ?? "a")
                let value = (0..<Int.random(in: 1...64, using: &random)).map { _ in
                    Character(UnicodeScalar(UInt8.random(in: 0x30...0x39, using: &random)))
                }
                tags[name] = Int.random(in: 0..<9, using: &random) == 0 ? TagText.other : String(value)
            }
            let set = try #require(TagSet(tags))
            #expect(set.tags == tags)
            #expect(TagSet(utf8: set.utf8) == set)
            #expect(set.utf8.count <= TagText.setLimit)
            #expect(set.ranges.count == tags.count)
        }
    }

    @Test(arguments: [
        "", "a", "a=", "=b", "a=b,", ",a=b", "a=b,,c=d", "b=1,a=1", "a=1,a=2", "a=b=c", "a=1, b=2", "A=1", "a=\u{1}",
        "a=(others)",
    ])
    func `another text is none`(_ text: String) { #expect(TagSet(utf8: Array(text.utf8)) == nil) }

    @Test func `the largest set fits, one tag more does not`() {
        var tags: [String: String] = [:]
        for number in 0..<TagText.countLimit {
            let name = "n\(number)"
            tags[name + String(repeating: "x", count: TagText.nameLimit - name.utf8.count)] = String(
                repeating: "v", count: TagText.valueLimit)
        }
        #expect(TagSet(tags)?.utf8.count == TagText.setLimit - 1)
        tags["more"] = "1"
        #expect(TagSet(tags) == nil)
    }

    @Test func `whatever bytes come, what is taken for a set writes the same bytes`() {
        var random = SeededRandom("tag bytes")
        let parts = ["a", "b", "=", ",", "\"", " ", "(", "\u{0}", "é", "a=", "b=b", ",b=", "(other)"].map {
            Array($0.utf8)
        }
        var taken = 0
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 0...6, using: &random)).flatMap { _ in
                parts.randomElement(using: &random) ?? []
            }
            guard let set = TagSet(utf8: bytes) else { continue }
            taken += 1
            #expect(TagSet(set.tags)?.utf8 == bytes)
        }
        #expect(taken > 200)
    }
}
