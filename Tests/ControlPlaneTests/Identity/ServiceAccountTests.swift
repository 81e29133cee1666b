import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct ServiceAccountTests {
    @Test func `a service account lives and leaves a tombstone`() async throws {
        try await TestIdentity.with { setting in
            let plane = setting.plane
            let body: JSONValue = [
                "scope": .string(setting.project), "name": "CI", "description": "builds", "metadata": ["a": "b"],
            ]
            let made = try await plane.make("/v1/service-accounts", body)
            #expect(made["scope"]?.string == setting.project && made["organization"]?.string == setting.acme)
            let path = "/v1/service-accounts/\(made.id)"
            #expect(try await plane.send("GET", path).json == made.json)
            #expect(try await plane.send("PATCH", path, ["name": "x"], ifMatch: "\"4\"").status == 412)
            #expect(
                try await plane.send("PATCH", path, ["scope": .string(setting.acme)], ifMatch: "*")["pointer"]
                    == "/scope")
            let changed = try await plane.send(
                "PATCH", path, ["name": "CD", "description": "", "status": "disabled", "metadata": ["a": .null]],
                ifMatch: made.etag)
            #expect(changed.status == 200 && changed["status"] == "disabled" && changed["metadata"] == [:])
            // Names are of the organization, wherever in it they belong.
            let again = body.merging(["name": "cd", "scope": .string(setting.acme)])
            #expect(try await plane.send("POST", "/v1/service-accounts", again).code == "already_exists")
            for (members, pointer) in [
                (["scope": "prj_00000000000000000000000000"], "/scope"), (["scope": .string(made.id)], "/scope"),
                (["name": ""], "/name"), (["login": "x"], "/login"),
            ] as [(JSONValue, String)] {
                let reply = try await plane.send("POST", "/v1/service-accounts", body.merging(members))
                #expect(reply.status == 400 && reply["pointer"]?.string == pointer)
            }
            let once = try await plane.send("POST", "/v1/service-accounts", body, key: "k")
            let twice = try await plane.send("POST", "/v1/service-accounts", body, key: "k")
            #expect(once.status == 201 && once.json == twice.json && twice.receipt == nil)
            let leaf = try await setting.leaf(of: setting.acme)
            #expect(leaf["target"] == ["kind": "service_account", "id": .string(once.id)])
            #expect(leaf["after"]?["scope"]?.string == setting.project)
            #expect(try await setting.opened(leaf, of: setting.acme)["after"]?["name"] == "CI")
            #expect(try await plane.send("DELETE", path, ifMatch: changed.etag).status == 204)
            #expect(try await plane.send("GET", path).status == 404)
        }
    }

    @Test func `where it belongs decides on who sees and manages it`() async throws {
        try await TestIdentity.with { setting in
            let plane = setting.plane
            let unit = try await plane.make("/v1/units", ["name": "u", "parent": .string(setting.acme)]).id
            let below = try await plane.make("/v1/projects", ["name": "p", "parent": .string(unit)]).id
            var made: [String: String] = [:]
            for (name, scope) in [
                ("org", setting.acme), ("unit", unit), ("below", below), ("project", setting.project),
                ("foreign", setting.other), ("instance", nil),
            ] {
                var body: [String: JSONValue] = ["name": .string(name)]
                if let scope { body["scope"] = .string(scope) }
                made[name] = try await plane.make("/v1/service-accounts", .object(body)).id
            }
            func ids(_ names: String...) -> [String] { names.compactMap { made[$0] } }
            let list = "/v1/service-accounts"
            let admin = try await setting.user("admin", of: setting.acme, .admin)
            let unitAdmin = try await setting.user("unit", of: setting.acme, .admin, at: unit)
            #expect(try await setting.ids(list, token: admin.token) == ids("org", "unit", "below", "project"))
            #expect(try await setting.ids(list, token: unitAdmin.token) == ids("unit", "below"))
            #expect(try await setting.ids(list + "?scope=\(unit)", token: admin.token) == ids("unit"))
            #expect(try await setting.ids(list + "?scope=\(setting.acme)", token: unitAdmin.token) == [])
            #expect(
                try await setting.ids(list + "?organization=\(setting.acme)") == ids("org", "unit", "below", "project"))
            #expect(try await setting.ids(list + "?organization=\(setting.other)", token: admin.token) == [])
            #expect(try await setting.ids(list + "?status=disabled") == [])
            // Two roots in two organizations.
            let both = try await setting.user("both", of: nil, .viewer, at: unit)
            try await setting.bind(both.id, .viewer, at: setting.other)
            #expect(try await setting.ids(list, token: both.token) == ids("unit", "below", "foreign"))

            for (name, status) in [("org", 404), ("project", 404), ("below", 200), ("foreign", 404)] {
                let reply = try await plane.send("GET", "\(list)/\(made[name] ?? "")", token: unitAdmin.token)
                #expect(reply.status == status, "\(name)")
            }
            #expect(
                try await plane.send("DELETE", "\(list)/\(made["org"] ?? "")", token: unitAdmin.token).status == 404)
            let outside = try await plane.send(
                "POST", list, ["name": "n", "scope": .string(setting.project)], token: unitAdmin.token)
            #expect(outside.status == 400 && outside["pointer"] == "/scope")
            #expect(try await plane.send("POST", list, ["name": "n"], token: unitAdmin.token).status == 403)
            let inside = try await plane.send(
                "POST", list, ["name": "n", "scope": .string(below)], token: unitAdmin.token)
            #expect(inside.status == 201)
        }
    }
}
