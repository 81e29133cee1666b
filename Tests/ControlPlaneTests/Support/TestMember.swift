import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

/// A service account with a token, and what bindings give it.
struct TestMember: Sendable {
    let id: ServiceAccountID
    let token: String

    var subject: String { self.id.description }
}

/// A user of an organization, or of the instance, with a personal token.
struct TestUser: Sendable {
    let id: UserID
    let token: String

    var subject: String { self.id.description }
}

extension TestControlPlane {
    /// A user with a built-in role somewhere.
    func user(of organization: String?, with role: BuiltInRole, at scope: String?) async throws -> TestUser {
        let (id, token): (UserID, TokenID) = (TimeSource.system.newID(), TimeSource.system.newID())
        let text = TokenText.generate(.personalToken)
        let home = try organization.map { try #require(OrganizationID($0)) }
        try await self.database.database.transaction { tx in
            _ = try tx.execute(
                "insert into user_account (id, organization_id, login, name) values ($1, $2::uuid, $3, $3)", id, home,
                "\(id)")
            _ = try tx.execute(
                """
                insert into api_token (id, public_id, subject_kind, subject_id, organization_id, name, expires_at)
                values ($1, $2, 'user', $3, $4::uuid, 'test', now() + interval '1 day')
                """, token, text.publicID, id, home)
            _ = try tx.execute(
                "insert into api_token_secret (digest, token_id, ordinal) values ($1, $2, 1)", text.digest, token)
        }
        try await self.bind(id.description, role.id.description, at: scope)
        return TestUser(id: id, token: text.secret.reveal())
    }

    /// A service account of an organization, or of the instance, without any binding.
    func member(of organization: String?, _ name: String = "member") async throws -> TestMember {
        let id: ServiceAccountID = TimeSource.system.newID()
        let token: TokenID = TimeSource.system.newID()
        let text = TokenText.generate(.serviceAccountToken)
        let home = try organization.map { try #require(OrganizationID($0)) }
        try await self.database.database.transaction { tx in
            _ = try tx.execute(
                """
                insert into service_account (id, organization_id, node_id, name) values ($1, $2::uuid, $2::uuid, $3)
                """, id, home, "\(name) \(id)")
            _ = try tx.execute(
                """
                insert into api_token (id, public_id, subject_kind, subject_id, organization_id, name)
                values ($1, $2, 'service_account', $3, $4::uuid, $5)
                """, token, text.publicID, id, home, name)
            _ = try tx.execute(
                "insert into api_token_secret (digest, token_id, ordinal) values ($1, $2, 1)", text.digest, token)
        }
        return TestMember(id: id, token: text.secret.reveal())
    }

    /// A binding that must be made.
    @discardableResult
    func bind(
        _ subject: String, _ role: String, at scope: String?, more: [String: JSONValue] = [:], token: String? = nil
    ) async throws -> Reply {
        var body: [String: JSONValue] = ["subject": .string(subject), "role": .string(role), "scope": JSONValue(scope)]
        body.merge(more) { $1 }
        let reply = try await self.send("POST", "/v1/bindings", .object(body), token: token)
        #expect(reply.status == 201, "\(reply.json.text)")
        return reply
    }

    /// A member with a built-in role somewhere.
    func member(of organization: String?, with role: BuiltInRole, at scope: String?) async throws -> TestMember {
        let member = try await self.member(of: organization, role.rawValue)
        try await self.bind(member.subject, role.id.description, at: scope)
        return member
    }
}
