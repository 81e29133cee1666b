import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

/// What a project declares, and what a key has of its own.
@Suite(.timeLimit(.minutes(10))) struct TagTests {
    @Test func `a project declares tags, in one order, and a list replaces the one before`() async throws {
        try await TestControlPlane.with { plane in
            let (organization, plain) = try await plane.makeProject()
            #expect(try await plane.send("GET", "/v1/projects/\(plain)")["tags"] == [])
            let made = try await plane.make(
                "/v1/projects",
                [
                    "name": "p", "parent": .string(organization),
                    "tags": [["name": "team", "required": true], ["name": "env"]],
                ])
            let declared: JSONValue = [["name": "env", "required": false], ["name": "team", "required": true]]
            #expect(made["tags"] == declared)
            let path = "/v1/projects/\(made.id)"
            #expect(try await plane.send("GET", path)["tags"] == declared)
            let renamed = try await plane.send("PATCH", path, ["name": "q"], ifMatch: "*")
            #expect(renamed["tags"] == declared)
            let patched = try await plane.send("PATCH", path, ["tags": [["name": "app"]]], ifMatch: "*")
            #expect(patched["tags"] == [["name": "app", "required": false]])
            #expect(try await plane.send("PATCH", path, ["tags": []], ifMatch: "*")["tags"] == [])
            // The log says what was declared when.
            let events = try await plane.send("GET", "/v1/audit-events?organization=\(organization)&limit=50")
            let states = (events["items"]?.array ?? []).compactMap { $0["event"]?["after"] }
            #expect(states.contains { $0["tags"] == declared }, "\(events.json.text)")
            // Only projects have any.
            let unit: JSONValue = ["name": "u", "parent": .string(organization), "tags": [["name": "a"]]]
            #expect(try await plane.send("POST", "/v1/units", unit).code == "unknown_member")
        }
    }

    @Test(
        arguments: [
            ([["name": "Team"]], "/tags/0/name"), ([["name": "a"], ["name": "b"], ["name": "a"]], "/tags/2/name"),
            ([["required": true]], "/tags/0/name"), ([["name": "a", "value": "b"]], "/tags/0/value"),
            (.array((0..<17).map { ["name": .string("n\($0)")] }), "/tags"), ("team", "/tags"), (.null, "/tags"),
        ] as [(JSONValue, String)])
    func `what is no declaration is refused`(_ tags: JSONValue, _ pointer: String) async throws {
        try await TestControlPlane.with { plane in
            let (organization, project) = try await plane.makeProject()
            for (method, path, body) in [
                ("POST", "/v1/projects", ["name": "p", "parent": .string(organization), "tags": tags]),
                ("PATCH", "/v1/projects/\(project)", ["tags": tags]),
            ] as [(String, String, JSONValue)] {
                let reply = try await plane.send(method, path, body, ifMatch: method == "PATCH" ? "*" : nil)
                #expect(reply.status == 400, "\(reply.json.text)")
                #expect(reply["pointer"]?.string == pointer, "\(reply.json.text)")
            }
        }
    }

    @Test func `a key has values for what its project declares, and holds the declaration`() async throws {
        try await TestControlPlane.with { plane in
            let (organization, _) = try await plane.makeProject()
            let project = try await plane.make(
                "/v1/projects",
                ["name": "p", "parent": .string(organization), "tags": [["name": "env"], ["name": "team"]]]
            ).id
            let made = try await plane.make(
                "/v1/virtual-keys", ["project": .string(project), "name": "k", "tags": ["team": "core team"]])
            #expect(made["tags"] == ["team": "core team"])
            let path = "/v1/virtual-keys/\(made.id)"
            #expect(try await plane.send("PATCH", path, ["name": "l"], ifMatch: "*")["tags"] == ["team": "core team"])
            let both = try await plane.send("PATCH", path, ["tags": ["env": "prod"]], ifMatch: "*")
            #expect(both["tags"] == ["env": "prod", "team": "core team"])
            let rotated = try await plane.send("POST", path + "/rotate", ["overlap_seconds": 0])
            #expect(rotated["tags"] == both["tags"])
            // Neither is taken back while a key has it.
            let taken = try await plane.send(
                "PATCH", "/v1/projects/\(project)", ["tags": [["name": "env"]]], ifMatch: "*")
            #expect(taken.status == 409 && taken.code == "tag_in_use")
            #expect(taken["detail"]?.string?.contains("'team'") == true)
            #expect(taken["detail"]?.string?.contains(made.id) == true)
            #expect(
                try await plane.send("PATCH", path, ["tags": ["team": .null]], ifMatch: "*")["tags"] == ["env": "prod"])
            #expect(
                try await plane.send("PATCH", "/v1/projects/\(project)", ["tags": [["name": "env"]]], ifMatch: "*")
                    .status == 200)
            #expect(try await plane.send("PATCH", path, ["tags": .null], ifMatch: "*")["tags"] == [:])
            // A key that is gone holds nothing.
            #expect(try await plane.send("PATCH", path, ["tags": ["env": "a"]], ifMatch: "*").status == 200)
            #expect(try await plane.send("DELETE", path).status == 204)
            #expect(
                try await plane.send("PATCH", "/v1/projects/\(project)", ["tags": []], ifMatch: "*").status == 200)
        }
    }

    @Test(
        arguments: [
            (["other": "a"], "'other'", "/tags/other"), (["team": ""], "'team'", "/tags/team"),
            (["team": "a,b"], "'team'", "/tags/team"), (["team": "(other)"], "'team'", "/tags/team"),
            (["team": "é"], "'team'", "/tags/team"), (["team": " a"], "'team'", "/tags/team"),
            (["Team": "a"], "'Team'", "/tags"), (["team": 5], "", "/tags/team"),
        ] as [(JSONValue, String, String)])
    func `what no tag of a key can be is refused by name`(_ tags: JSONValue, _ named: String, _ pointer: String)
        async throws
    {
        try await TestControlPlane.with { plane in
            let (organization, _) = try await plane.makeProject()
            let project = try await plane.make(
                "/v1/projects", ["name": "p", "parent": .string(organization), "tags": [["name": "team"]]]
            ).id
            let key = try await plane.make("/v1/virtual-keys", ["project": .string(project), "name": "k"]).id
            for (method, path, body) in [
                ("POST", "/v1/virtual-keys", ["project": .string(project), "name": "k", "tags": tags]),
                ("PATCH", "/v1/virtual-keys/\(key)", ["tags": tags]),
            ] as [(String, String, JSONValue)] {
                let reply = try await plane.send(method, path, body, ifMatch: method == "PATCH" ? "*" : nil)
                #expect(reply.status == 400, "\(reply.json.text)")
                #expect(reply["pointer"]?.string == pointer, "\(reply.json.text)")
                #expect(named.isEmpty || reply["detail"]?.string?.contains(named) == true, "\(reply.json.text)")
            }
        }
    }

    @Test func `a change of tags marks what snapshots say of them`() async throws {
        try await TestFleet.with { fleet in
            let plane = fleet.plane
            func dirty(_ path: String, _ body: JSONValue) async throws -> Set<Int32> {
                try await plane.database.database.transaction { tx in _ = try tx.execute("delete from snapshot_dirty") }
                #expect(try await plane.send("PATCH", path, body, ifMatch: "*").status == 200)
                return try await plane.database.database.transaction { tx in
                    Set(try tx.query("select type from snapshot_dirty").map { try $0.get("type", as: Int32.self) })
                }
            }
            let declared = try await dirty("/v1/projects/\(fleet.project)", ["tags": [["name": "team"]]])
            #expect(declared == [Int32(ChunkType.nodes.rawValue)])
            let key = try await plane.make("/v1/virtual-keys", ["project": .string(fleet.project), "name": "k"]).id
            let tagged = try await dirty("/v1/virtual-keys/\(key)", ["tags": ["team": "a"]])
            #expect(tagged == [Int32(ChunkType.policies.rawValue), Int32(ChunkType.keys.rawValue)])
        }
    }
}
