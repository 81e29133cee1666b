import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

/// Budgets and rate limits of tags, and what they need of projects.
@Suite(.timeLimit(.minutes(10))) struct SubjectTagTests {
    /// The two that can be of a tag: where they are made, and how what is refused names them.
    struct Noun: Sendable, CustomTestStringConvertible {
        let path: String
        let table: SQL
        let name: String
        let limit: Int
        let more: [String: JSONValue]

        var testDescription: String { self.path }

        func body(_ scope: String, _ tag: JSONValue?) -> JSONValue {
            var members: [String: JSONValue] = ["scope": .string(scope), "name": "n"]
            members["tag"] = tag
            return .object(members.merging(self.more) { $1 })
        }
    }

    static let nouns = [
        Noun(
            path: "/v1/budgets", table: "budget", name: "budget", limit: 4,
            more: ["amount_usd": "1", "period": "month"]),
        Noun(
            path: "/v1/rate-limits", table: "rate_limit", name: "rate limit", limit: 6,
            more: ["meter": "requests", "amount": 5, "period": "minute"]),
    ]

    private static let acme: JSONValue = ["name": "customer", "value": "acme-corp"]

    private func project(
        _ plane: TestControlPlane, under parent: String, _ tags: JSONValue = [["name": "customer", "required": true]]
    ) async throws -> String {
        // Of a name that none beside it has.
        let name = "\(TimeSource.system.newID() as ProjectID)"
        return try await plane.make("/v1/projects", ["name": .string(name), "parent": .string(parent), "tags": tags]).id
    }

    @Test(arguments: Self.nouns)
    func `it is kept as it was said, below a project, a unit and an organization`(_ noun: Noun) async throws {
        try await TestControlPlane.with { plane in
            let (organization, plain) = try await plane.makeProject()
            let unit = try await plane.make("/v1/units", ["name": "u", "parent": .string(organization)]).id
            let project = try await self.project(plane, under: unit)
            for scope in [organization, unit, project] {
                let made = try await plane.make(noun.path, noun.body(scope, Self.acme))
                #expect(made["tag"] == Self.acme && made["scope"]?.string == scope)
                #expect(try await plane.send("GET", "\(noun.path)/\(made.id)").json == made.json)
                let patched = try await plane.send("PATCH", "\(noun.path)/\(made.id)", ["name": "m"], ifMatch: "*")
                #expect(patched["tag"] == Self.acme && patched["name"] == "m")
                let moved = try await plane.send(
                    "PATCH", "\(noun.path)/\(made.id)", ["tag": ["name": "customer", "value": "b"]], ifMatch: "*")
                #expect(moved.status == 400 && moved["pointer"] == "/tag")
                #expect(try await plane.send("GET", "\(noun.path)/\(made.id)/status").status == 200)
            }
            #expect(try await plane.make(noun.path, noun.body(plain, nil))["tag"] == .null)
            // The name is in the log for everybody, the value only for who may read names.
            let events = try await plane.send("GET", "/v1/audit-events?organization=\(organization)&limit=50")
            let states = (events["items"]?.array ?? []).compactMap { $0["event"]?["after"] }
            #expect(states.filter { $0["tag"] == "customer" }.count >= 3)
            #expect(!states.contains { $0.text.contains("acme-corp") })
        }
    }

    @Test(arguments: Self.nouns)
    func `a tag that requests need not have is refused where it stands`(_ noun: Noun) async throws {
        try await TestControlPlane.with { plane in
            let (organization, plain) = try await plane.makeProject()
            let project = try await self.project(
                plane, under: organization, [["name": "customer", "required": true], ["name": "team"]])
            let key = try await plane.make("/v1/virtual-keys", ["project": .string(project), "name": "k"]).id
            func refusal(_ scope: String, _ tag: JSONValue) async throws -> (String?, String) {
                let reply = try await plane.send("POST", noun.path, noun.body(scope, tag))
                return (
                    reply.status == 400 ? reply["pointer"]?.string : "\(reply.status)", reply["detail"]?.string ?? ""
                )
            }
            for scope in [organization, project] {
                for (tag, pointer) in [
                    (["name": "customer"], "/tag/value"), (["value": "a"], "/tag/name"), ("customer", "/tag"),
                    (["name": "Customer", "value": "a"], "/tag/name"),
                    (["name": "customer", "value": ""], "/tag/value"),
                    (["name": "customer", "value": "a,b"], "/tag/value"),
                    (["name": "customer", "value": "(other)"], "/tag/value"),
                    (["name": "customer", "value": "a", "more": 1], "/tag/more"),
                ] as [(JSONValue, String)] {
                    #expect(try await refusal(scope, tag).0 == pointer, "\(tag)")
                }
                let (pointer, detail) = try await refusal(scope, ["name": "team", "value": "a"])
                #expect(pointer == "/tag/name" && detail.contains(project) && detail.contains("'team'"), "\(detail)")
                let unknown = try await refusal(scope, ["name": "stage", "value": "a"])
                #expect(unknown.0 == "/tag/name" && unknown.1.contains("'stage'"))
            }
            #expect(try await refusal(plain, Self.acme).0 == "/tag/name")
            #expect(try await refusal(key, Self.acme).0 == "/tag")
            // One project that lets requests go without is enough.
            let free = try await self.project(plane, under: organization, [["name": "customer"]])
            let (pointer, detail) = try await refusal(organization, Self.acme)
            #expect(pointer == "/tag/name" && detail.contains(free), "\(detail)")
            _ = try await plane.make(noun.path, noun.body(project, Self.acme))
            #expect(try await plane.send("DELETE", "/v1/projects/\(free)").status == 204)
            _ = try await plane.make(noun.path, noun.body(organization, Self.acme))
            #expect(try await plane.count(noun.table + " where tag_name = 'customer'") == 2)
        }
    }

    @Test(arguments: Self.nouns)
    func `what it needs of projects is not taken back while it is there`(_ noun: Noun) async throws {
        try await TestControlPlane.with { plane in
            let (organization, _) = try await plane.makeProject()
            let unit = try await plane.make("/v1/units", ["name": "u", "parent": .string(organization)]).id
            let project = try await self.project(
                plane, under: unit, [["name": "customer", "required": true], ["name": "team", "required": true]])
            for scope in [project, organization] {
                let made = try await plane.make(noun.path, noun.body(scope, Self.acme))
                func isKept(_ tags: JSONValue) async throws -> Bool {
                    let reply = try await plane.send("PATCH", "/v1/projects/\(project)", ["tags": tags], ifMatch: "*")
                    guard reply.status != 200 else { return false }
                    #expect(reply.status == 409 && reply.code == "tag_in_use" && reply["pointer"] == "/tags")
                    let detail = reply["detail"]?.string ?? ""
                    #expect(detail.contains("\(noun.name) \(made.id)") && detail.contains("'customer'"), "\(detail)")
                    return true
                }
                #expect(try await isKept([]))
                #expect(try await isKept([["name": "customer"], ["name": "team", "required": true]]))
                #expect(try await isKept([["name": "team", "required": true]]))
                // What nothing needs may go, and come.
                #expect(try await isKept([["name": "customer", "required": true], ["name": "stage"]]) == false)
                // Disabled, it still may be enabled again.
                let disabled = try await plane.send(
                    "PATCH", "\(noun.path)/\(made.id)", ["status": "disabled"], ifMatch: "*")
                #expect(disabled.status == 200)
                #expect(try await isKept([]))
                // A new project below an organization's is bound by it too.
                let new: JSONValue = ["name": "q", "parent": .string(unit), "tags": [["name": "customer"]]]
                let reply = try await plane.send("POST", "/v1/projects", new)
                if scope == organization {
                    #expect(reply.status == 409 && reply.code == "tag_in_use", "\(reply.json.text)")
                    _ = try await self.project(plane, under: unit)
                } else {
                    #expect(reply.status == 201)
                    #expect(try await plane.send("DELETE", "/v1/projects/\(reply.id)").status == 204)
                }
                #expect(try await plane.send("DELETE", "\(noun.path)/\(made.id)", ifMatch: "*").status == 204)
                #expect(try await isKept([]) == false)
                #expect(
                    try await isKept([["name": "customer", "required": true], ["name": "team", "required": true]])
                        == false)
            }
        }
    }

    @Test(arguments: Self.nouns)
    func `what one request would count for is bounded, whatever its tags`(_ noun: Noun) async throws {
        try await TestControlPlane.with { plane in
            let (organization, _) = try await plane.makeProject()
            let unit = try await plane.make("/v1/units", ["name": "u", "parent": .string(organization)]).id
            let required = ["customer", "team"].map { ["name": .string($0), "required": true] as JSONValue }
            let project = try await self.project(plane, under: unit, .array(required))
            func add(_ scope: String, _ name: String?, _ value: String = "acme-corp") async throws -> String? {
                let tag = name.map { ["name": .string($0), "value": .string(value)] as JSONValue }
                let reply = try await plane.send("POST", noun.path, noun.body(scope, tag))
                guard reply.status != 201 else { return nil }
                #expect(reply.status == 409 && reply.code == "too_many_\(noun.name.replacing(" ", with: "_"))s")
                return reply["pointer"]?.string
            }
            for scope in [organization, project] {
                #expect(try await add(scope, "customer") == nil)
                #expect(try await add(scope, "team") == nil)
            }
            // A fifth that one request could have, wherever it is.
            for (scope, name) in [(organization, "team"), (unit, "customer"), (project, "customer")] {
                #expect(try await add(scope, name) == "/tag", "\(scope)")
            }
            // Other values are never of the same request.
            for value in 0..<10 { #expect(try await add(organization, "customer", "c\(value)") == nil) }
            #expect(try await add(organization, "customer", "c7") == "/tag")
            #expect(try await add(unit, "customer", "c10") == "/tag")
            // Four of nodes fit beside, and of the very subject there are only so many.
            for _ in 0..<2 {
                #expect(try await add(organization, nil) == nil)
                #expect(try await add(project, nil) == nil)
            }
            for scope in [organization, unit, project] { #expect(try await add(scope, nil) == "/scope") }
            // A line beside it is not fuller for it.
            let other = try await self.project(plane, under: organization)
            for _ in 0..<4 { #expect(try await add(other, nil) == nil) }
            #expect(try await add(other, nil) == "/scope")
            #expect(try await add(other, "customer", "c1") == "/scope")
        }
    }

    @Test func `a tag is declared as required, or nothing needs it, whoever comes first`() async throws {
        try await TestControlPlane.with { plane in
            let (organization, _) = try await plane.makeProject()
            var random = SeededRandom("tags at once")
            var outcomes: Set<String> = []
            for _ in 0..<12 {
                let project = try await self.project(plane, under: organization)
                let noun = Self.nouns[Int.random(in: 0..<2, using: &random)]
                let scope = Bool.random(using: &random) ? organization : project
                let tags: JSONValue = Bool.random(using: &random) ? [] : [["name": "customer"]]
                async let made = plane.send("POST", noun.path, noun.body(scope, Self.acme))
                async let changed = plane.send("PATCH", "/v1/projects/\(project)", ["tags": tags], ifMatch: "*")
                let (first, second) = try await (made, changed)
                #expect([201, 400].contains(first.status) && [200, 409].contains(second.status))
                // Of an organization's it may be that no project declares it any more, but none that does not require it.
                #expect((first.status == 201) != (second.status == 200), "\(first.json.text) \(second.json.text)")
                outcomes.insert("\(first.status)")
                if first.status == 201 {
                    #expect(try await plane.send("DELETE", "\(noun.path)/\(first.id)", ifMatch: "*").status == 204)
                }
                #expect(try await plane.send("DELETE", "/v1/projects/\(project)").status == 204)
            }
            print("whoever came first: \(outcomes.sorted())")
        }
    }

    @Test(arguments: Self.nouns)
    func `the database takes no half of a tag, and none of a key`(_ noun: Noun) async throws {
        try await TestControlPlane.with { plane in
            let (organization, _) = try await plane.makeProject()
            let project = try await self.project(plane, under: organization)
            let key = try await plane.make("/v1/virtual-keys", ["project": .string(project), "name": "k"]).id
            _ = try await plane.make(noun.path, noun.body(project, Self.acme))
            _ = try await plane.make(noun.path, noun.body(key, nil))
            for change in [
                "set tag_name = null where tag_name is not null", "set tag_value = null where tag_name is not null",
                "set tag_value = '' where tag_name is not null",
                "set tag_name = 'customer', tag_value = 'a' where key_id is not null",
            ] as [SQL] {
                await #expect(throws: (any Error).self) {
                    try await plane.database.database.transaction { tx in
                        _ = try tx.execute("update " + noun.table + " " + change)
                    }
                }
            }
        }
    }

    @Test func `a budget of a tag knows what requests with it had cost before`() async throws {
        try await TestFleet.with { fleet in
            let process = try await fleet.enrol()
            let plane = fleet.plane
            let declared = try await plane.send(
                "PATCH", "/v1/projects/\(fleet.project)", ["tags": [["name": "customer", "required": true]]],
                ifMatch: "*")
            #expect(declared.status == 200)
            var batch = try fleet.batch(process, TimeSource.system.newID(), from: 1, count: 4)
            batch.tagSets = try ["customer=acme", "customer=acme2", "customer=acme,team=a"].map {
                try #require(TagSet(utf8: Array($0.utf8)))
            }
            for index in 0..<4 {
                batch.records[index].tags = index
                batch.records[index].cost = NanoUSD([1000, 10, 100, 1][index])
            }
            #expect(try await fleet.deliver(process, batch).status == 200)
            try await Rollups(database: plane.services.database, logger: plane.database.logger).foldAll()
            let noun = Self.nouns[0]
            for (value, spent) in [("acme", "11"), ("acme2", "100"), ("acm", "0")] {
                let made = try await plane.make(
                    noun.path,
                    noun.body(fleet.organization, ["name": "customer", "value": .string(value)]))
                let number = try await plane.database.database.transaction(.readOnly) { tx in
                    UInt32(try tx.query("select max(number) as number from budget")[0].get("number", as: Int64.self))
                }
                let window = BudgetWindow.containing(fleet.clock.now, .month, in: .utc)
                var ask = LeaseAsk(account: Charge(budget: number, startMinute: window.startMinute))
                ask.want = 5
                let request = LeaseRequest(gateway: process.gateway, sequence: Int64(number), asks: [ask])
                #expect(await fleet.call(process, "POST", "/dp/v1/leases:renew", request.wireBytes).status == 200)
                let status = try await plane.send("GET", "/v1/budgets/\(made.id)/status")
                #expect(status["spent_nano_usd"]?.string == spent, "\(value)")
            }
        }
    }
}
