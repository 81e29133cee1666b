import DataPlane
import Shared
import TestKit
import Testing

/// Which tags a request has, without a connection.
@Suite struct RequestTagsTests {
    /// A project's tags, a key's own, and a loop's table.
    private final class Setting {
        let files = SpoolFixture()
        let stream: SpoolStream
        let table: TagTable
        let policy: PolicyIndex
        let node: Handle
        let key: Handle

        init(
            declared: [String], required: Set<String> = [], own: [String: String] = [:], room: Int = 1000,
            values: TagValues = TagValues()
        ) throws {
            self.stream = try SpoolStream.create(SpoolFixture.streamID(), in: self.files.path)
            self.table = TagTable(self.stream.tags, values: values, room: room)
            var fixture = try PolicyFixture("request tags")
            fixture.document.nodes[2].tags = declared.sorted().map {
                TagDeclaration(name: $0, isRequired: required.contains($0))
            }
            fixture.document.policies[0].tags = TagSet(own)
            let policy = try fixture.compile()
            self.policy = policy
            self.node = try #require(policy.nodes.firstIndex { $0.id == fixture.project }.map { Handle($0) })
            self.key = policy.keys[0].policy
            #expect(policy.keys[0].isTagged == !declared.isEmpty)
        }

        func number(_ field: [UInt8]?) throws(GatewayError) -> Int {
            var tagged = TaggedHandles()
            return try self.number(field, &tagged)
        }

        func number(_ field: [UInt8]?, _ tagged: inout TaggedHandles) throws(GatewayError) -> Int {
            let bytes = field ?? []
            return try RequestTags.number(
                bytes.span, field.map { 0..<$0.count }, node: self.node, key: self.key, policy: self.policy, self.table,
                &tagged)
        }

        /// The tags of a request with such a field.
        func tags(_ field: String?) throws -> String {
            let number = try self.number(field.map { Array($0.utf8) })
            #expect(self.stream.tags.set(number) == self.table.set(number))
            return self.table.set(number)?.text ?? ""
        }

        func refusal(_ field: String) -> (GatewayError.Code, String)? {
            do {
                _ = try self.number(Array(field.utf8))
                return nil
            } catch {
                guard case .tag(let name) = error.subject else { return (error.code, "") }
                return (error.code, String(decoding: name.utf8, as: UTF8.self))
            }
        }
    }

    @Test func `the tags are the key's own and, for other names, the field's`() throws {
        let setting = try Setting(declared: ["team", "env", "app"], own: ["team": "core"])
        #expect(try setting.tags(nil) == "team=core")
        #expect(try setting.tags("") == "team=core")
        #expect(try setting.tags("team=mine") == "team=core")
        #expect(try setting.tags("team=mine,app=x y") == "app=x y,team=core")
        #expect(try setting.tags("\t env=prod , app=web ") == "app=web,env=prod,team=core")
        #expect(try setting.tags("app=web,env=prod") == "app=web,env=prod,team=core")
        // Four sets, however often and however written.
        #expect(setting.table.count == 3 && setting.stream.tags.count == 3)
    }

    @Test func `without tags there is no set`() throws {
        let setting = try Setting(declared: ["team"])
        #expect(try setting.number(nil) == 0)
        #expect(try setting.number([]) == 0)
        #expect(setting.table.count == 0)
    }

    @Test func `a required tag may come from the key or the field`() throws {
        let setting = try Setting(declared: ["env", "team"], required: ["env", "team"], own: ["team": "core"])
        #expect(try setting.tags("env=a") == "env=a,team=core")
        let refusal = try #require(setting.refusal("team=x"))
        #expect(refusal == (.tagRequired, "env"))
        #expect(throws: GatewayError.self) { try setting.number(nil) }
    }

    @Test(arguments: [
        ("x=1", GatewayError.Code.tagNotDeclared, "x"), ("team=1,teams=2", .tagNotDeclared, "teams"),
        ("team=1,team=1", .invalidTags, "team"), ("own=1,own=2", .invalidTags, "own"),
        ("team=", .invalidTags, "team"), ("team=a=b", .invalidTags, "team"), ("team=a\"", .invalidTags, "team"),
        ("team=(other)", .invalidTags, "team"), ("team=é", .invalidTags, "team"), ("team= a", .invalidTags, "team"),
        ("team=\u{7F}", .invalidTags, "team"), ("team=a\tb", .invalidTags, "team"),
        ("team=" + String(repeating: "v", count: 65), .invalidTags, "team"),
        ("team", .invalidTags, ""), ("=a", .invalidTags, ""), (",", .invalidTags, ""), ("team=a,", .invalidTags, ""),
        ("team=a,,env=b", .invalidTags, ""), ("Team=a", .invalidTags, ""), ("team =a", .invalidTags, ""),
        ("9=a", .invalidTags, ""), (String(repeating: "n", count: 41) + "=a", .invalidTags, ""),
        (String(repeating: " ", count: 2049) + "team=a", .invalidTags, ""),
    ])
    func `what is no tag of the project is refused by name`(_ field: String, _ code: GatewayError.Code, _ name: String)
        throws
    {
        let setting = try Setting(declared: ["env", "own", "team"], own: ["own": "1"])
        let refusal = try #require(setting.refusal(field))
        #expect(refusal == (code, name))
        #expect(setting.table.count == 0)
    }

    @Test func `sixteen tags are served, seventeen refused`() throws {
        let names = (0..<16).map { "n\($0)" + String(repeating: "x", count: 30) }
        let setting = try Setting(declared: names)
        let field = names.map { "\($0)=v" }.joined(separator: ", ")
        #expect(try setting.tags(field) == names.sorted().map { "\($0)=v" }.joined(separator: ","))
        #expect(setting.refusal(field + ",more=1")?.0 == .invalidTags)
    }

    @Test func `whatever bytes the field has, the set is the one that a plain reading gives`() throws {
        var random = SeededRandom("tag fields")
        let setting = try Setting(declared: ["a", "ab", "b"], required: ["b"], own: ["ab": "own"], room: 100_000)
        let parts = [
            "a", "b", "=", ",", "x", " ", "\t", "\"", "(", "A", "é", "\u{7F}", "a=x", "b=1", ",ab=", ", b=y z",
        ]
        .map { Array($0.utf8) }
        var served = 0
        for _ in 0..<20_000 {
            let field = (0..<Int.random(in: 0...8, using: &random)).flatMap { _ in
                parts.randomElement(using: &random) ?? []
            }
            let trimmed = Self.trim(field)
            let plain = Self.plain(trimmed, declared: ["a", "ab", "b"], required: ["b"], own: ["ab": "own"])
            let number = try? setting.number(trimmed)
            #expect(number.flatMap { setting.table.set($0)?.text } == plain, "\(field)")
            if plain != nil { served += 1 }
        }
        #expect(served > 150)
    }

    private static func trim(_ bytes: [UInt8]) -> [UInt8] {
        let isBlank = { (byte: UInt8) in byte == 0x20 || byte == 9 }
        return Array(bytes.drop(while: isBlank).reversed().drop(while: isBlank).reversed())
    }

    /// The same by splitting strings; nil when the request is refused.
    private static func plain(
        _ field: [UInt8], declared: Set<String>, required: Set<String>, own: [String: String]
    ) -> String? {
        var tags: [String: String] = [:]
        for pair in field.isEmpty ? [] : field.split(separator: 0x2C, omittingEmptySubsequences: false) {
            let parts = Self.trim(Array(pair)).split(separator: 0x3D, maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else { return nil }
            let (name, value) = (String(decoding: parts[0], as: UTF8.self), Array(parts[1]))
            guard declared.contains(name), TagText.isValue(value.span),
                tags.updateValue(String(decoding: value, as: UTF8.self), forKey: name) == nil
            else { return nil }
        }
        tags.merge(own) { $1 }
        guard required.allSatisfy({ tags[$0] != nil }) else { return nil }
        return tags.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ",")
    }

    // MARK: Bounds

    @Test func `values beyond the bound of a name are counted as other ones`() throws {
        let values = TagValues(limit: 3)
        let setting = try Setting(declared: ["env", "team"], own: [:], values: values)
        for number in 0..<5 {
            let expected = number < 3 ? "t\(number)" : TagText.other
            #expect(try setting.tags("team=t\(number)") == "team=\(expected)")
            #expect(try setting.tags("env=e,team=t\(number)") == "env=e,team=\(expected)")
        }
        #expect(setting.table.others == 4)
        // Another loop of the process counts the same values, and another project its own.
        let other = try Setting(declared: ["team"], values: values)
        #expect(try other.tags("team=t1") == "team=t1")
        #expect(values.admits([1], of: Array("team".utf8), project: TimeSource.system.newID()))
    }

    @Test func `the key's own values are never other ones`() throws {
        let setting = try Setting(declared: ["env", "team"], own: ["team": "core"], values: TagValues(limit: 0))
        #expect(try setting.tags("env=prod") == "env=(other),team=core")
        #expect(try setting.tags(nil) == "team=core")
    }

    @Test func `a project fills half of the room at most, and what is more is counted as other`() throws {
        let setting = try Setting(declared: ["team"], room: 100)
        for number in 0..<200 {
            #expect(try setting.tags("team=\(number)") == (number < 50 ? "team=\(number)" : "team=(other)"))
        }
        #expect(setting.table.count == 51)
        // What was there before is told apart as before.
        #expect(try setting.tags("team=7") == "team=7")
    }

    @Test func `a request is refused when its set cannot be written down`() throws {
        let setting = try Setting(declared: ["team"])
        setting.stream.destroy()
        let left = try #require(try Self.adopted())
        let table = TagTable(left.tags, values: TagValues())
        let field = Array("team=a".utf8)
        #expect(throws: GatewayError.self) {
            var tagged = TaggedHandles()
            _ = try RequestTags.number(
                field.span, 0..<field.count, node: setting.node, key: setting.key, policy: setting.policy, table,
                &tagged)
        }
        left.destroy()
    }

    /// A stream that an earlier process left: nothing can be appended to it.
    private static func adopted() throws -> SpoolStream? {
        let files = SpoolFixture()
        do { _ = try SpoolStream.create(SpoolFixture.streamID(9), in: files.path) }
        return try SpoolStream.adopt(SpoolFixture.streamID(9), in: files.path)
    }

    @Test func `a key with a tag that its project does not declare is not compiled`() {
        #expect(throws: SnapshotError.self) { _ = try Setting(declared: ["a"], own: ["b": "1"]) }
    }
}
