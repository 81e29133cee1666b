import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

/// What is taken away is gone with the next request, in every process.
@Suite(.timeLimit(.minutes(10))) struct RevocationTests {
    /// A second process of the control plane on the same database.
    private func second(_ plane: TestControlPlane) -> (API, Database) {
        let database = Database(config: plane.database.config, logger: TestPostgres.logger)
        let services = ControlPlaneServices(
            database: database, keys: plane.services.keys, time: .system, logger: TestPostgres.logger)
        return (
            services.api(logger: TestPostgres.logger, authenticateGateway: ControlPlaneServices.noGateways), database
        )
    }

    private func status(_ api: API, _ target: String, _ token: String) async -> Int {
        await api.respond(to: APIRequest("GET", target, headers: ["authorization": "Bearer \(token)"])).status
    }

    @Test func `a user who is disabled or deleted has nothing with the next request`() async throws {
        try await TestIdentity.with { setting in
            let plane = setting.plane
            let (other, database) = self.second(plane)
            let user = try await setting.user("ann", of: setting.acme, .admin)
            let path = "/v1/users/\(user.id)"
            func statuses() async throws -> [Int] {
                [
                    try await plane.send("GET", "/v1/projects", token: user.token).status,
                    await self.status(other, "/v1/projects", user.token),
                ]
            }
            #expect(try await statuses() == [200, 200])
            #expect(try await plane.send("PATCH", path, ["status": "disabled"], ifMatch: "*").status == 200)
            #expect(try await statuses() == [401, 401])
            #expect(try await plane.send("PATCH", path, ["status": "active"], ifMatch: "*").status == 200)
            #expect(try await statuses() == [200, 200])
            let group = try await plane.make("/v1/groups", ["organization": .string(setting.acme), "name": "g"]).id
            #expect(try await plane.send("PUT", "/v1/groups/\(group)/members/\(user.id)").status == 204)
            #expect(try await plane.send("DELETE", path).status == 204)
            #expect(try await statuses() == [401, 401])
            #expect(try await plane.send("GET", "/v1/me", token: user.token).status == 401)
            // Nothing of it is left that could come back.
            let tokens = try await plane.send("GET", "/v1/api-tokens?subject=\(user.id)")
            #expect(tokens["items"]?.array?.map { $0["status"] } == ["revoked"])
            #expect(try await plane.count("role_binding where subject_kind = 'user' and deleted_at is null") == 0)
            #expect(try await plane.count("role_binding where subject_kind = 'user' and deleted_at is not null") == 1)
            #expect(try await plane.count("group_member where deleted_at is null") == 0)
            await database.shutdown()
        }
    }

    @Test func `a service account that is disabled or deleted has nothing with the next request`() async throws {
        try await TestIdentity.with { setting in
            let plane = setting.plane
            let account = try await plane.make(
                "/v1/service-accounts", ["scope": .string(setting.project), "name": "bot"]
            ).id
            try await setting.bind(account, .viewer, at: setting.project)
            let made = try await plane.make("/v1/api-tokens", ["service_account": .string(account), "name": "t"])
            let token = try #require(made["secret"]?.string)
            let path = "/v1/service-accounts/\(account)"
            #expect(try await plane.send("GET", "/v1/projects", token: token).status == 200)
            #expect(try await plane.send("PATCH", path, ["status": "disabled"], ifMatch: "*").status == 200)
            #expect(try await plane.send("GET", "/v1/projects", token: token).status == 401)
            #expect(try await plane.send("PATCH", path, ["status": "active"], ifMatch: "*").status == 200)
            #expect(try await plane.send("GET", "/v1/projects", token: token).status == 200)
            #expect(try await plane.send("DELETE", path).status == 204)
            #expect(try await plane.send("GET", "/v1/projects", token: token).status == 401)
            #expect(try await plane.send("GET", "/v1/api-tokens/\(made.id)")["status"] == "revoked")
            #expect(
                try await plane.count(
                    "role_binding where organization_id is not null and deleted_at is null") == 0)
        }
    }

    @Test func `a membership, or a group, that is withdrawn gives nothing with the next request`() async throws {
        try await TestIdentity.with { setting in
            let plane = setting.plane
            let (other, database) = self.second(plane)
            let user = try await setting.user("ann", of: setting.acme)
            var groups: [String] = []
            for name in ["outer", "inner"] {
                groups.append(
                    try await plane.make(
                        "/v1/groups", ["organization": .string(setting.acme), "name": .string(name)]
                    ).id)
            }
            try await setting.bind(groups[0], .viewer, at: setting.acme)
            let (nested, member) = (
                "/v1/groups/\(groups[0])/members/\(groups[1])", "/v1/groups/\(groups[1])/members/\(user.id)"
            )
            func check(_ status: Int, _ location: SourceLocation = #_sourceLocation) async throws {
                let here = try await plane.send("GET", "/v1/projects", token: user.token).status
                let there = await self.status(other, "/v1/projects", user.token)
                #expect([here, there] == [status, status], sourceLocation: location)
            }
            try await check(403)
            for path in [nested, member] { #expect(try await plane.send("PUT", path).status == 204) }
            try await check(200)
            for path in [nested, member] {
                #expect(try await plane.send("DELETE", path).status == 204)
                try await check(403)
                #expect(try await plane.send("PUT", path).status == 204)
                try await check(200)
            }
            for group in groups {
                let path = "/v1/groups/\(group)"
                #expect(try await plane.send("PATCH", path, ["status": "disabled"], ifMatch: "*").status == 200)
                try await check(403)
                #expect(try await plane.send("PATCH", path, ["status": "active"], ifMatch: "*").status == 200)
                try await check(200)
            }
            #expect(try await plane.send("DELETE", "/v1/groups/\(groups[1])").status == 204)
            try await check(403)
            await database.shutdown()
        }
    }

    @Test func `a process that holds what was removed long ago forgets it too`() async throws {
        try await TestIdentity.with { setting in
            let plane = setting.plane
            let (other, database) = self.second(plane)
            let user = try await setting.user("ann", of: setting.acme)
            let binding = try await setting.bind(user.id, .viewer, at: setting.acme)
            #expect(await self.status(other, "/v1/projects", user.token) == 200)
            // It hears nothing of the removal until the rows are gone.
            try await plane.database.database.transaction { tx in
                _ = try tx.execute(
                    "update role_binding set deleted_at = now() - interval '26 hours' where id = $1", binding)
            }
            let removed = try await plane.services.database.transaction { tx in try AccessRemovals.run(&tx) }
            #expect(removed["role_binding"] == 1)
            #expect(try await plane.count("role_binding where organization_id is not null") == 0)
            #expect(await self.status(other, "/v1/projects", user.token) == 403)
            await database.shutdown()
        }
    }
}
