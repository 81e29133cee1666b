import Postgres
package import Shared

/// An API token, as it is issued.
package struct IssuedToken: Sendable, Audited {
    package let id: TokenID
    package let subject: ServiceAccountID
    package let name: String
    package let role: Actor.Role
    package let expiresAt: Timestamp?
    package let text: Secret<String>

    package var auditState: JSONValue {
        [
            "id": JSONValue(self.id), "subject": JSONValue(self.subject), "role": .string(self.role.rawValue),
            "expires_at": JSONValue(self.expiresAt),
        ]
    }

    package var auditPersonal: JSONValue { ["name": .string(self.name)] }
}

/// What can be done with API tokens.
package struct APITokens: Sendable {
    private let changes: Changes
    private let time: TimeSource

    package init(changes: Changes, time: TimeSource) {
        self.changes = changes
        self.time = time
    }

    /// Issues a token for a new service account.
    package func create(
        name: String, role: Actor.Role, expiresAt: Timestamp?, as context: OperationContext
    ) async throws -> IssuedToken {
        let text = TokenText.generate(.serviceAccountToken)
        let issued = IssuedToken(
            id: self.time.newID(), subject: self.time.newID(), name: name, role: role, expiresAt: expiresAt,
            text: text.secret
        )
        _ = try await self.changes.perform(.apiTokensCreate, on: Target(issued.id), as: context) { tx, permit in
            try Self.insert(issued, text, &tx, permit, at: context.time)
            return Change((), in: nil, after: issued)
        }
        return issued
    }

    private static func insert(
        _ token: IssuedToken, _ text: TokenText, _ tx: inout Transaction, _: borrowing Permit, at time: Timestamp
    ) throws {
        _ = try tx.execute(
            """
            insert into api_token (id, public_id, digest, subject_id, name, role, expires_at, created_at)
            values ($1, $2, $3, $4, $5, $6, $7::timestamptz, $8)
            """,
            token.id, text.publicID, text.digest, token.subject, token.name, token.role.rawValue, token.expiresAt, time
        )
    }
}
