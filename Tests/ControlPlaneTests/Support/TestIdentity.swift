import ControlPlane
import Crypto
import Postgres
import Shared
import TestKit
import Testing

/// People and programs of a deployment: two organizations, and whoever a test puts into them.
struct TestIdentity: Sendable {
    let plane: TestControlPlane
    let acme: String
    let other: String
    let project: String
    let foreignProject: String

    /// Somebody who can show a token.
    struct Bearer: Sendable {
        let id: String
        let token: String
    }

    init(_ plane: TestControlPlane) async throws {
        self.plane = plane
        (self.acme, self.project) = try await plane.makeProject("acme")
        (self.other, self.foreignProject) = try await plane.makeProject("other")
    }

    static func with(_ body: (TestIdentity) async throws -> Void) async throws {
        try await TestControlPlane.with { plane in try await body(TestIdentity(plane)) }
    }

    /// A user with a token, and with a role at a node, of the instance for `scope` nil.
    func user(
        _ login: String, of organization: String?, _ role: BuiltInRole? = nil, at scope: String? = nil
    ) async throws -> Bearer {
        let body: JSONValue = [
            "login": .string(login), "name": .string("Name of \(login)"),
            "organization": organization.map { .string($0) } ?? .null,
        ]
        let id = try await self.plane.make("/v1/users", body).id
        if let role { try await self.bind(id, role, at: scope ?? organization) }
        return Bearer(id: id, token: try await self.token(of: id, organization))
    }

    /// A personal token: without a login, the first one is not made by the API.
    func token(
        of user: String, _ organization: String?, permissions: [Permission]? = nil, scope: String? = nil,
        networks: [String] = []
    ) async throws -> String {
        let text = TokenText.generate(.personalToken)
        let id: TokenID = TimeSource.system.newID()
        let subject = try #require(UserID(user))
        let names = permissions?.map(\.rawValue)
        let (home, node) = (try self.node(organization), try self.node(scope))
        try await self.plane.database.database.transaction { tx in
            _ = try tx.execute(
                """
                insert into api_token (id, public_id, subject_kind, subject_id, organization_id, name, expires_at,
                    permissions, scope_id, allowed_networks)
                values ($1, $2, 'user', $3, $4::uuid, 'first', now() + interval '1 day', $5::text[], $6::uuid, $7)
                """, id, text.publicID, subject, home, names, node, networks)
            _ = try tx.execute(
                "insert into api_token_secret (digest, token_id, ordinal) values ($1, $2, 1)", text.digest, id)
        }
        return text.secret.reveal()
    }

    /// A service account, with a role where it belongs.
    func account(
        _ name: String = "bot", at scope: String? = nil, role: BuiltInRole? = nil
    ) async throws -> String {
        let id = try await self.plane.make(
            "/v1/service-accounts", ["scope": .string(scope ?? self.acme), "name": .string(name)]
        ).id
        if let role { try await self.bind(id, role, at: scope ?? self.acme) }
        return id
    }

    /// Asks for a token of a service account.
    func token(
        for account: String, _ members: JSONValue = [:], token: String? = nil
    ) async throws -> TestControlPlane.Reply {
        let body: JSONValue = ["service_account": .string(account), "name": "t"]
        return try await self.plane.send("POST", "/v1/api-tokens", body.merging(members), token: token)
    }

    private func node(_ text: String?) throws -> NodeID? {
        try text.map { try #require(ScopeReference($0)).node }
    }

    /// - Returns: the binding.
    @discardableResult
    func bind(_ subject: String, _ role: BuiltInRole, at scope: String?) async throws -> BindingID {
        let subject = try #require(AccessSubject(subject))
        let node = try self.node(scope)
        let binding: BindingID = TimeSource.system.newID()
        let table: SQL =
            switch subject.kind {
            case .user: "user_account"
            case .group: "user_group"
            case .serviceAccount: "service_account"
            }
        try await self.plane.database.database.transaction { tx in
            _ = try tx.execute(
                """
                insert into role_binding (id, organization_id, subject_kind, subject_id, role_id, scope_id,
                    created_by_kind, created_by)
                select $1, organization_id, $2, id, $4, $5::uuid, 'operator', id from
                """ + " " + table + " where id = $3", binding, subject.kind.rawValue, subject.id, role.id, node)
        }
        return binding
    }

    func execute(_ sql: SQL, _ id: String) async throws {
        let value = try #require(Target(id)).id
        _ = try await self.plane.database.database.transaction { tx in try tx.execute(sql, value) }
    }

    /// The identifiers that a list has, over all its pages of two.
    func ids(_ target: String, token: String? = nil, member: String = "id") async throws -> [String] {
        var (ids, cursor): ([String], String?) = ([], nil)
        for _ in 0..<50 {
            let separator = target.contains("?") ? "&" : "?"
            let page = try await self.plane.send(
                "GET", target + separator + "limit=2" + (cursor.map { "&cursor=\($0)" } ?? ""), token: token)
            try #require(page.status == 200, "\(page.json.text)")
            let items = try #require(page["items"]?.array)
            #expect(items.count <= 2)
            ids += items.compactMap { $0[member]?.string }
            cursor = page["next_cursor"]?.string
            if cursor == nil { return ids }
        }
        Issue.record("a list without an end")
        return ids
    }

    /// The newest leaf of an organization's log.
    func leaf(of organization: String?) async throws -> JSONValue {
        let filter = organization.map { "&organization=\($0)" } ?? ""
        let events = try await self.plane.send("GET", "/v1/audit-events?limit=1\(filter)")
        return try #require(events["items"]?.array?.first?["event"])
    }

    /// What a leaf has sealed under a subject's key, as the key's holder can read it.
    func opened(_ leaf: JSONValue, of subject: String) async throws -> JSONValue {
        let sealed = try #require(
            leaf["personal"]?.array?.first { $0["subject"]?.string == subject }, "nothing is under this key")
        let id = try #require(Target(subject)).id
        let wrapped = try await self.plane.database.database.transaction(.readOnly) { tx -> WrappedKey in
            let row = try tx.query("select kek_id, wrapped_key from subject_key where subject_id = $1", id)[0]
            return WrappedKey(kekID: try row.get("kek_id"), bytes: try row.get("wrapped_key"))
        }
        let key = try self.plane.services.keys.unwrap(
            wrapped, context: "gatehouse subject|\(Crockford.encode(id))")
        let box = try AES.GCM.SealedBox(combined: try #require(Base64URL.decode(sealed["sealed"]?.string ?? "")))
        let context = "gatehouse audit|\(leaf["change"]?.string ?? "")|\(subject)"
        return try JSONParser.parse(Array(try AES.GCM.open(box, using: key, authenticating: Array(context.utf8))))
    }
}
