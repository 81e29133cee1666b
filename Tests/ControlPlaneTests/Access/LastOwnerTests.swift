import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

/// Whoever can give access back stays, in each organization that has one and for the instance.
@Suite(.timeLimit(.minutes(10))) struct LastOwnerTests {
    private struct Setting {
        let plane: TestControlPlane
        let acme: String

        private static let owner = BuiltInRole.owner.id.description

        init(_ plane: TestControlPlane) async throws {
            self.plane = plane
            self.acme = try await plane.make("/v1/organizations", ["name": "acme"]).id
        }

        static func with(_ body: (Setting) async throws -> Void) async throws {
            try await TestControlPlane.with { plane in try await body(Setting(plane)) }
        }

        func user(_ login: String) async throws -> String {
            try await self.plane.make(
                "/v1/users", ["organization": .string(self.acme), "login": .string(login), "name": .string(login)]
            ).id
        }

        func group(_ members: String...) async throws -> String {
            let group = try await self.plane.make(
                "/v1/groups", ["organization": .string(self.acme), "name": .string("group of \(members)")])
            for member in members {
                #expect(try await self.plane.send("PUT", "/v1/groups/\(group.id)/members/\(member)").status == 204)
            }
            return group.id
        }

        /// - Returns: the binding.
        func own(_ subject: String, role: String? = nil, more: [String: JSONValue] = [:]) async throws -> String {
            try await self.plane.bind(subject, role ?? Self.owner, at: self.acme, more: more).id
        }

        /// Changes that must be refused, and leave things as they were.
        func refuses(
            _ changes: [(method: String, target: String, body: JSONValue?)],
            location: SourceLocation = #_sourceLocation
        ) async throws {
            let before = try await self.plane.count("change")
            for (method, target, body) in changes {
                let reply = try await self.plane.send(method, target, body, ifMatch: body == nil ? nil : "*")
                #expect(
                    reply.status == 409 && reply.code == "last_owner", "\(method) \(target): \(reply.json.text)",
                    sourceLocation: location)
            }
            #expect(try await self.plane.count("change") == before, sourceLocation: location)
        }

        func does(_ method: String, _ target: String, _ body: JSONValue? = nil) async throws {
            let needsMatch = body != nil && method == "PATCH"
            let reply = try await self.plane.send(method, target, body, ifMatch: needsMatch ? "*" : nil)
            #expect(reply.status < 300, "\(method) \(target): \(reply.json.text)")
        }
    }

    @Test func `the last owner of an organization is not lost in any way`() async throws {
        try await Setting.with { setting in
            let ann = try await setting.user("ann")
            let binding = try await setting.own(ann)
            let tomorrow = JSONValue(TimeSource.system.now().adding(seconds: 86_400))
            let ways: [(String, String, JSONValue?)] = [
                ("DELETE", "/v1/bindings/\(binding)", nil),
                ("PATCH", "/v1/bindings/\(binding)", ["expires_at": tomorrow]),
                ("PATCH", "/v1/users/\(ann)", ["status": "disabled"]), ("DELETE", "/v1/users/\(ann)", nil),
                ("POST", "/v1/users/\(ann)/forget", ["reason": "x"]),
                (
                    "POST", "/v1/deny-rules",
                    ["scope": .string(setting.acme), "name": "no", "permissions": ["bindings.create"]]
                ),
                (
                    "POST", "/v1/deny-rules",
                    [
                        "scope": .string(setting.acme), "name": "no", "permissions": ["roles.bind"],
                        "subject": .string(ann),
                    ]
                ),
            ]
            try await setting.refuses(ways)
            // Those do not take her place: for a while, below, with less, or disabled.
            let bob = try await setting.user("bob")
            _ = try await setting.own(bob, more: ["expires_at": tomorrow])
            let carl = try await setting.user("carl")
            let unit = try await setting.plane.make("/v1/units", ["name": "u", "parent": .string(setting.acme)]).id
            try await setting.plane.bind(carl, BuiltInRole.owner.id.description, at: unit)
            _ = try await setting.own(carl, role: BuiltInRole.admin.id.description)
            let dora = try await setting.user("dora")
            _ = try await setting.own(dora)
            try await setting.does("PATCH", "/v1/users/\(dora)", ["status": "disabled"])
            try await setting.refuses(ways)
            // What denies less is no matter, nor is what is denied below.
            try await setting.does(
                "POST", "/v1/deny-rules",
                ["scope": .string(setting.acme), "name": "less", "permissions": ["budgets.delete"]])
            try await setting.does(
                "POST", "/v1/deny-rules",
                ["scope": .string(unit), "name": "below", "permissions": ["bindings.create"]])
            try await setting.does("PATCH", "/v1/users/\(dora)", ["status": "active"])
            try await setting.does("DELETE", "/v1/users/\(ann)")
            // Nobody was ever an owner of this one: nothing is kept.
            let other = try await setting.plane.make("/v1/organizations", ["name": "other"]).id
            let viewer = try await setting.plane.member(of: other, with: .viewer, at: other)
            try await setting.does("DELETE", "/v1/service-accounts/\(viewer.subject)")
        }
    }

    @Test func `one who owns through a group counts, until the group says otherwise`() async throws {
        try await Setting.with { setting in
            let (ann, eve) = (try await setting.user("ann"), try await setting.user("eve"))
            let binding = try await setting.own(ann)
            let inner = try await setting.group(eve)
            let outer = try await setting.group(inner)
            // All permissions by another name.
            let role = try await setting.plane.make(
                "/v1/roles",
                [
                    "organization": .string(setting.acme), "name": "all of it",
                    "permissions": JSONValue(Permission.allCases.map(\.rawValue)),
                ]
            ).id
            let grouped = try await setting.own(outer, role: role)
            try await setting.does("DELETE", "/v1/bindings/\(binding)")
            let less = JSONValue(Permission.allCases.dropFirst().map(\.rawValue))
            try await setting.refuses([
                ("DELETE", "/v1/bindings/\(grouped)", nil),
                ("DELETE", "/v1/groups/\(inner)/members/\(eve)", nil),
                ("DELETE", "/v1/groups/\(outer)/members/\(inner)", nil),
                ("PATCH", "/v1/groups/\(inner)", ["status": "disabled"]),
                ("PATCH", "/v1/groups/\(outer)", ["status": "disabled"]),
                ("DELETE", "/v1/groups/\(outer)", nil), ("DELETE", "/v1/groups/\(inner)", nil),
                ("PATCH", "/v1/roles/\(role)", ["permissions": less]), ("DELETE", "/v1/users/\(eve)", nil),
            ])
            _ = try await setting.own(ann)
            try await setting.does("DELETE", "/v1/groups/\(inner)/members/\(eve)")
            try await setting.does("DELETE", "/v1/groups/\(outer)")
        }
    }

    @Test func `of the instance too, but for whoever has broken the glass`() async throws {
        try await Setting.with { setting in
            let plane = setting.plane
            let (root, binding) = try await plane.database.database.transaction(.readOnly) { tx in
                let row = try tx.query(
                    """
                    select a.id, b.id as binding from service_account a join role_binding b on b.subject_id = a.id
                    where a.organization_id is null and b.scope_id is null
                    """)[0]
                return (try row.get("id", as: ServiceAccountID.self), try row.get("binding", as: BindingID.self))
            }
            // The break-glass account, while it is open, is no owner for good.
            let keys = plane.services.keys
            let deployment = try await plane.database.database.transaction(.readOnly) { tx in
                try SigningKeys.load(&tx, keys: keys).deployment
            }
            let context = OperationContext(
                actor: .localOperator(of: deployment), authority: .everything, request: TimeSource.system.newID(),
                time: TimeSource.system.now())
            let glass = BreakGlass(changes: plane.services.changes, time: .system)
            let opening = try await glass.open(reason: "test", seconds: 600, as: context)
            let security = try await plane.member(of: nil, with: .security, at: nil)
            try await setting.refuses([("DELETE", "/v1/bindings/\(binding)", nil)])
            for (method, path, body): (String, String, JSONValue?) in [
                ("DELETE", "/v1/service-accounts/\(root)", nil),
                ("PATCH", "/v1/service-accounts/\(root)", ["status": "disabled"]),
                ("DELETE", "/v1/bindings/\(binding)", nil),
            ] {
                let reply = try await plane.send(
                    method, path, body, ifMatch: body == nil ? nil : "*", token: security.token)
                #expect(reply.code == "last_owner", "\(method) \(path): \(reply.json.text)")
            }
            // An account of an organization with that name is not the one.
            let named = try await plane.member(of: setting.acme, with: .owner, at: setting.acme)
            try await setting.does("PATCH", "/v1/service-accounts/\(named.subject)", ["name": "break-glass"])
            let mine = try await plane.send("GET", "/v1/bindings?subject=\(named.subject)")
            let own = try #require(mine["items"]?.array?.first?["id"]?.string)
            let refused = try await plane.send("DELETE", "/v1/bindings/\(own)", token: named.token)
            #expect(refused.code == "last_owner", "\(refused.json.text)")
            let broken = try await plane.send(
                "DELETE", "/v1/bindings/\(own)", token: opening.token.reveal())
            #expect(broken.status == 204, "\(broken.json.text)")
            let last = try await plane.send(
                "DELETE", "/v1/bindings/\(binding)", token: opening.token.reveal())
            #expect(last.status == 204, "\(last.json.text)")
        }
    }

    @Test func `two that go at the same time do not both go`() async throws {
        try await Setting.with { setting in
            let (ann, bob) = (try await setting.user("ann"), try await setting.user("bob"))
            let bindings = [try await setting.own(ann), try await setting.own(bob)]
            let plane = setting.plane
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for binding in bindings {
                    group.addTask { try await plane.send("DELETE", "/v1/bindings/\(binding)").status }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses.sorted() == [204, 409])
        }
    }
}
