import Logging
package import Postgres
package import Shared

/// The proof that something was allowed; stores ask for it with every write.
///
/// Only the authorizer makes one, and it cannot be copied or kept.
package struct Permit: ~Copyable, Sendable {
    package let permission: Permission
    package let actor: Actor

    fileprivate init(permission: Permission, actor: Actor) {
        self.permission = permission
        self.actor = actor
    }
}

/// Says who a caller is, and what he may do.
package struct Authorizer: Sendable {
    private let database: Database

    package init(database: Database) { self.database = database }

    /// The bearer of an API token.
    ///
    /// Throws `unauthenticated` without saying what was wrong.
    package func authenticate(_ field: String?, at time: Timestamp) async throws -> Actor {
        guard let field else { throw Self.unauthenticated.because("no_credential") }
        guard let token = Self.bearer(field).flatMap({ TokenText(parsing: $0) }),
            token.kind == .serviceAccountToken || token.kind == .personalToken
        else { throw Self.unauthenticated.because("malformed_credential") }
        let digest = token.digest
        let found = try await self.database.transaction(.readOnly) { tx -> (Actor, refused: String?)? in
            let row = try tx.queryOne(
                "select subject_id, role, expires_at, revoked_at from api_token where digest = $1", digest
            )
            guard let row else { return nil }
            let role = Actor.Role(rawValue: try row.get("role")) ?? .none
            let actor = Actor(kind: .serviceAccount, id: try row.get("subject_id"), role: role)
            if try row.optional("revoked_at", as: Timestamp.self) != nil { return (actor, "revoked_credential") }
            let expires: Timestamp? = try row.optional("expires_at")
            return (actor, expires.map { $0 <= time } == true ? "expired_credential" : nil)
        }
        guard let (actor, refused) = found else { throw Self.unauthenticated.because("unknown_credential") }
        if let refused { throw Self.unauthenticated.because(refused, actor: actor) }
        return actor
    }

    /// The text after `Bearer`.
    package static func bearer(_ field: String?) -> String? {
        guard let field, field.utf8.count <= 1024 else { return nil }
        let parts = field.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
        return String(parts[1])
    }

    package static let unauthenticated = ControlError(
        .unauthenticated, "unauthenticated", "A valid API token is needed: Authorization: Bearer gh_…"
    )

    /// Throws `notAllowed` unless the actor holds the permission.
    package func check(_ permission: Permission, for actor: Actor) throws(ControlError) {
        // A join token is worth one enrolment; whether it is a good one is decided where it is used up.
        if actor.kind == .joinToken && permission == .gatewaysEnroll { return }
        // What a gateway may bring about is its own: what it says of its usage, and that it is shut out.
        if actor.kind == .gateway && (permission == .usageDeclareLost || permission == .gatewaysFence) { return }
        guard actor.role == .root else {
            throw ControlError(.notAllowed, "permission_denied", "The permission \(permission.rawValue) is needed.")
        }
    }

    /// The permit for one write, inside its transaction.
    package func permit(_ permission: Permission, for actor: Actor) throws(ControlError) -> Permit {
        try self.check(permission, for: actor)
        return Permit(permission: permission, actor: actor)
    }
}
