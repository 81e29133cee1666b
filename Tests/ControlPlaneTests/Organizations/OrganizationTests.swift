import ControlPlane
import Postgres
import Shared
import Testing

@Suite(.timeLimit(.minutes(10))) struct OrganizationTests {
    @Test func `an organization lives and leaves a tombstone`() async throws {
        try await TestControlPlane.with { plane in
            let made = try await plane.make(
                "/v1/organizations", ["name": "Acme", "metadata": ["cost-center": "7", "tier": "gold"]]
            )
            #expect(made["status"] == "active")
            #expect(made.etag == "\"1\"")
            let path = "/v1/organizations/\(made.id)"
            #expect(try await plane.send("GET", path).json == made.json)

            #expect(try await plane.send("PATCH", path, ["name": "B"]).status == 428)
            #expect(try await plane.send("PATCH", path, ["name": "B"], ifMatch: "\"7\"").status == 412)
            let changed = try await plane.send(
                "PATCH", path, ["name": "B", "status": "disabled", "metadata": ["tier": .null, "new": "1"]],
                ifMatch: made.etag
            )
            #expect(changed.status == 200)
            #expect(changed.etag == "\"2\"")
            #expect(changed["metadata"] == ["cost-center": "7", "new": "1"])
            #expect(changed["status"] == "disabled")
            #expect(try await plane.send("PATCH", path, ["name": "C"], ifMatch: made.etag).code == "revision_mismatch")

            #expect(try await plane.send("DELETE", path, ifMatch: "\"1\"").status == 412)
            #expect(try await plane.send("DELETE", path).status == 204)
            #expect(try await plane.send("GET", path).status == 404)
            #expect(try await plane.send("DELETE", path).status == 404)
            #expect(try await plane.count("scope_node where deleted_at is not null") == 1)
            _ = try await plane.make("/v1/organizations", ["name": "B"])
        }
    }

    @Test func `units nest to their depth and a full parent is kept`() async throws {
        try await TestControlPlane.with { plane in
            let organization = try await plane.make("/v1/organizations", ["name": "o"]).id
            var parent = organization
            for depth in 1...8 {
                let made = try await plane.make("/v1/units", ["name": .string("u\(depth)"), "parent": .string(parent)])
                #expect(made["organization"]?.string == organization)
                #expect(made["parent"]?.string == parent)
                parent = made.id
            }
            let tooDeep = try await plane.send("POST", "/v1/units", ["name": "u9", "parent": .string(parent)])
            #expect(tooDeep.code == "too_deep")
            let project = try await plane.make("/v1/projects", ["name": "p", "parent": .string(parent)]).id
            #expect(try await plane.send("DELETE", "/v1/units/\(parent)").code == "not_empty")
            #expect(try await plane.send("DELETE", "/v1/organizations/\(organization)").status == 409)
            #expect(
                try await plane.send("POST", "/v1/units", ["name": "x", "parent": .string(project)]).status == 400
            )
            let under = try await plane.send("GET", "/v1/projects?parent=\(parent)&organization=\(organization)")
            #expect(under["items"]?.array?.count == 1)
            #expect(try await plane.send("DELETE", "/v1/projects/\(project)").status == 204)
            #expect(try await plane.send("DELETE", "/v1/units/\(parent)").status == 204)
        }
    }

    @Test func `names are unique under a parent and an id is of its kind`() async throws {
        try await TestControlPlane.with { plane in
            let (organization, project) = try await plane.makeProject()
            let again = try await plane.send(
                "POST", "/v1/projects", ["name": "ACME app", "parent": .string(organization)]
            )
            #expect(again.code == "already_exists")
            #expect(try await plane.send("GET", "/v1/units/\(project)").status == 404)
            let body = project.dropFirst(4)
            #expect(try await plane.send("GET", "/v1/units/unit_\(body)").status == 404)
            #expect(try await plane.send("GET", "/v1/projects/prj_00000000000000000000000000").status == 404)
        }
    }

    @Test func `a list is walked by its cursor`() async throws {
        try await TestControlPlane.with { plane in
            var made: [String] = []
            for number in 0..<7 {
                made.append(try await plane.make("/v1/organizations", ["name": .string("o\(number)")]).id)
            }
            var seen: [String] = []
            var target = "/v1/organizations?limit=3"
            var pages = 0
            while pages < 10 {
                let page = try await plane.send("GET", target)
                seen += (page["items"]?.array ?? []).compactMap { $0["id"]?.string }
                pages += 1
                guard let cursor = page["next_cursor"]?.string else { break }
                target = "/v1/organizations?limit=3&cursor=\(cursor)"
            }
            #expect(pages == 3)
            #expect(seen == made)
        }
    }
}
