import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

/// Reports by tags: what the records' own tags make.
@Suite(.timeLimit(.minutes(10))) struct TagReportTests {
    private static let period = "from=2026-11-01T00:00:00Z&to=2026-11-08T00:00:00Z"

    /// Records with tags at random, and how many there are of each pair and without a name.
    private func fill(
        _ fixture: ReportFixture, _ count: Int, _ random: inout SeededRandom
    ) async throws -> [[String: String]] {
        var sets: [TagSet] = []
        var tags: [[String: String]] = []
        let start: Int64 = 1_793_491_200
        var records = fixture.random(count, start..<start + 6 * 86_400, &random)
        for index in records.indices {
            var own: [String: String] = [:]
            if Bool.random(using: &random) {
                own["team"] = ["red", "blue", "x y", "+7"].randomElement(using: &random)
            }
            if Bool.random(using: &random) { own["env"] = ["prod", "test"].randomElement(using: &random) }
            tags.append(own)
            guard let set = TagSet(own) else { continue }
            if !sets.contains(set) { sets.append(set) }
            records[index].tags = (sets.firstIndex(of: set) ?? 0) + 1
        }
        try await fixture.store(records, tagSets: sets)
        return tags
    }

    private func total(_ items: [JSONValue]) -> Int64 { items.reduce(0) { $0 + ($1["requests"]?.integer ?? 0) } }

    @Test func `usage is grouped by the values of tags, over pages`() async throws {
        var random = SeededRandom("tag reports")
        try await ReportFixture.with { fixture in
            let tags = try await self.fill(fixture, 600, &random)
            for query in ["", "&bucket=day", "&limit=2", "&bucket=hour&limit=3&time_zone=Europe/Berlin"] {
                for names in [["team"], ["env"], ["env", "team"], ["env", "none", "team"]] {
                    let groups = names.map { "tag:\($0)" }.joined(separator: ",")
                    let items = try await fixture.all("group_by=\(groups)&\(Self.period)\(query)")
                    var found: [[String: String]: Int64] = [:]
                    for item in items {
                        let values = try #require(item["tags"]?.object)
                        #expect(values.keys.sorted() == names)
                        found[values.compactMapValues(\.string), default: 0] += item["requests"]?.integer ?? 0
                    }
                    var expected: [[String: String]: Int64] = [:]
                    for own in tags { expected[own.filter { names.contains($0.key) }, default: 0] += 1 }
                    #expect(found == expected, "\(groups) \(query)")
                }
            }
            // With other groups, and the whole set as one.
            let byKey = try await fixture.all("group_by=key,tag:team,status&\(Self.period)&limit=1")
            #expect(self.total(byKey) == 600)
            let sets = try await fixture.all("group_by=tags,tag:team&\(Self.period)&limit=2")
            #expect(sets.count == Set(tags).count)
            for item in sets {
                let own = (item["tags"]?.object ?? [:]).compactMapValues(\.string)
                #expect(Int64(tags.count { $0 == own }) == item["requests"]?.integer, "\(own)")
            }
        }
    }

    @Test func `a filter by tags narrows reports and lists alike`() async throws {
        var random = SeededRandom("tag filters")
        try await ReportFixture.with { fixture in
            let tags = try await self.fill(fixture, 150, &random)
            for (filter, matches) in [
                ("team=red", { $0["team"] == "red" }), ("team=", { $0["team"] == nil }),
                ("team=red,env=prod", { $0["team"] == "red" && $0["env"] == "prod" }),
                ("env=test,team=", { $0["team"] == nil && $0["env"] == "test" }), ("team=green", { _ in false }),
                ("team=x%20y", { $0["team"] == "x y" }), ("team=%2B7", { $0["team"] == "+7" }),
            ] as [(String, ([String: String]) -> Bool)] {
                let expected = tags.count(where: matches)
                for organization in ["", "&organization=\(fixture.fleet.organization)"] {
                    let query = "tag=\(filter)\(organization)&\(Self.period)"
                    #expect(Int(self.total(try await fixture.all(query))) == expected, "\(query)")
                    let list = try await fixture.fleet.plane.send("GET", "/v1/usage/records?limit=200&\(query)")
                    let items = try #require(list["items"]?.array)
                    #expect(items.count == expected, "\(query)")
                    for item in items {
                        #expect(matches((item["tags"]?.object ?? [:]).compactMapValues(\.string)))
                    }
                }
            }
        }
    }

    @Test func `one record shows its tags, also by its identifier`() async throws {
        try await ReportFixture.with { fixture in
            var record = fixture.record(0, at: fixture.fleet.clock.now)
            let plain = fixture.record(0, at: fixture.fleet.clock.now)
            record.tags = 1
            try await fixture.store(
                [record, plain], tagSets: [try #require(TagSet(["team": "a b", "env": "(other)"]))])
            for (record, tags) in [(record, ["team": "a b", "env": "(other)"]), (plain, [:])] {
                let shown = try await fixture.fleet.plane.send("GET", "/v1/usage/records/\(record.request)")
                #expect(shown["tags"] == JSONValue(tags), "\(shown.json.text)")
            }
        }
    }

    @Test func `CSV and FOCUS have tags`() async throws {
        try await ReportFixture.with { fixture in
            let at = try #require(Timestamp("2026-11-02T10:00:00Z"))
            var records = [fixture.record(0, at: at), fixture.record(0, at: at), fixture.record(0, at: at)]
            records[0].tags = 1
            records[1].tags = 2
            let sets = try [["team": "+1", "env": "a"], ["env": "b"]].map { try #require(TagSet($0)) }
            try await fixture.store(records, tagSets: sets)
            func lines(_ query: String) async throws -> [String] {
                let reply = try await fixture.get("\(query)&\(Self.period)")
                #expect(reply.status == 200)
                return String(decoding: reply.response.body, as: UTF8.self).split(separator: "\r\n").map(String.init)
            }
            let csv = try await lines("format=csv&group_by=tag:team,tag:env")
            #expect(csv.first?.hasPrefix("from,to,tag:env,tag:team,requests,") == true)
            let cells = csv.dropFirst().map {
                $0.split(separator: ",", omittingEmptySubsequences: false)[2...4].joined(separator: "|")
            }
            // What begins like a formula is text.
            #expect(cells.sorted() == ["a|'+1|1", "b||1", "||1"])
            let sets2 = try await lines("format=csv&group_by=tags")
            #expect(sets2.contains { $0.contains(",\"env=a,team=+1\",1,") })
            let focus = try await lines("format=focus")
            #expect(focus.first?.contains(",SubAccountName,Tags,x_requests") == true)
            #expect(focus.count == 4)
            #expect(focus.contains { $0.contains(",\"{\"\"env\"\":\"\"a\"\",\"\"team\"\":\"\"+1\"\"}\",1,") })
            #expect(focus.contains { $0.contains(",\"{\"\"env\"\":\"\"b\"\"}\",1,") })
        }
    }

    @Test func `sets beyond the bound have every tag with another value`() async throws {
        try await ReportFixture.with { fixture in
            let organization = try #require(OrganizationID(fixture.fleet.organization))
            try await fixture.fleet.plane.database.database.transaction { tx in
                _ = try tx.execute(
                    "insert into usage_tag_count (organization_id, sets) values ($1, 99999)", organization)
            }
            let at = try #require(Timestamp("2026-11-02T10:00:00Z"))
            var records = [fixture.record(0, at: at), fixture.record(0, at: at), fixture.record(0, at: at)]
            for index in 0..<2 { records[index].tags = index + 1 }
            try await fixture.store(records, tagSets: try ["a", "b"].map { try #require(TagSet(["team": $0])) })
            let items = try await fixture.all("group_by=tag:team&\(Self.period)")
            #expect(items.map { $0["tags"]?["team"] } == [.null, "(other)", "a"])
            #expect(self.total(try await fixture.all("tag=team=(other)&\(Self.period)")) == 1)
            #expect(self.total(try await fixture.all("tag=team=&\(Self.period)")) == 1)
            let sets = try await fixture.all("group_by=tags&\(Self.period)")
            #expect(sets.contains { $0["tags"] == ["(other)": "(other)"] })
        }
    }

    @Test(arguments: [
        ("group_by=tag:", "group_by"), ("group_by=tag:A", "group_by"),
        ("group_by=tag:a,tag:b,tag:c,tag:d,tag:e", "group_by"), ("tag=team", "tag"), ("tag=A=b", "tag"),
        ("tag=a=b,", "tag"), ("tag=a=%22", "tag"), ("group_by=tag:a&cursor=AAAA", "cursor"),
    ])
    func `what cannot be is refused and says what`(_ query: String, _ pointer: String) async throws {
        try await TestControlPlane.with { plane in
            let reply = try await plane.send("GET", "/v1/usage?\(query)")
            #expect(reply.status == 400, "\(query)")
            #expect(reply["pointer"]?.string == pointer, "\(reply.json.text)")
        }
    }

    @Test func `a cursor goes on with the report it is of, and with no other`() throws {
        var random = SeededRandom("tag cursors")
        for _ in 0..<200 {
            let groups = ReportDimension.allCases.filter { _ in Bool.random(using: &random) }
            let names = Array(["a", "b.c", "env", "team"].prefix(Int.random(in: 0...4, using: &random)))
            let tags = names.map { _ in String(repeating: "v", count: Int.random(in: 0...64, using: &random)) }
            let cursor = ReportCursor(
                from: Timestamp(microseconds: 0), to: Timestamp(microseconds: 60_000_000), bucket: 3,
                values: groups.map { _ in UUIDValue(high: random.next(), low: random.next()) }, tags: tags)
            let text = cursor.text(groups: groups, tagNames: names)
            #expect(text.utf8.count <= ReportCursor.textLimit)
            #expect(ReportCursor(text, groups: groups, tagNames: names, hasBucket: true) == cursor)
            #expect(ReportCursor(text, groups: groups, tagNames: names + ["z"], hasBucket: true) == nil)
            #expect(ReportCursor(String(text.dropLast(4)), groups: groups, tagNames: names, hasBucket: true) == nil)
        }
    }
}
