package import Postgres
package import Shared

/// A token that lets one gateway join a group; its text is shown once.
package struct IssuedJoinToken: Sendable, Audited {
    package let id: JoinTokenID
    package let group: GatewayGroupID
    package let expiresAt: Timestamp
    package let createdAt: Timestamp
    /// Nil when it was shown before.
    package let text: Secret<String>?

    package static let ttlLimit: Int64 = 1800

    package var auditState: JSONValue {
        ["id": JSONValue(self.id), "group": JSONValue(self.group), "expires_at": JSONValue(self.expiresAt)]
    }

    package static let schema = Schema.named(
        "JoinToken",
        .object([
            .required("id", .id(JoinTokenKind.self)), .required("group", .id(GatewayGroupKind.self)),
            .required("expires_at", .timestamp), .required("created_at", .timestamp),
            .optional("secret", Schema.string(.length(1...300)).described("The token's text; shown this once.")),
            .optional("secret_already_issued", .bool),
        ])
    )

    package static let creationSchema = Schema.object([
        .required("group", .id(GatewayGroupKind.self)),
        .optional("ttl_seconds", Schema.integer(1...Self.ttlLimit).described("1800 when absent.")),
    ])

    package var json: JSONValue {
        [
            "id": JSONValue(self.id), "group": JSONValue(self.group), "expires_at": JSONValue(self.expiresAt),
            "created_at": JSONValue(self.createdAt),
        ]
    }
}

extension Fleet {
    package func createJoinToken(
        for group: GatewayGroupID, ttl: Int64, as context: OperationContext
    ) async throws -> Resolved<IssuedJoinToken> {
        let id: JoinTokenID = self.time.newID()
        let token = TokenText.generate(.joinToken)
        let keys = self.keys
        let outcome = try await self.changes.perform(.joinTokensCreate, on: Target(id), at: .instance, as: context) {
            tx, permit in
            _ = try GatewayGroupStore.fetch(group, &tx, lock: .share)
            let pin = try SigningKeys.load(&tx, keys: keys).rootPin
            let issued = IssuedJoinToken(
                id: id, group: group, expiresAt: context.time.adding(seconds: ttl), createdAt: context.time,
                text: JoinToken(token: token, rootSHA256: pin).text
            )
            try JoinTokenStore.insert(issued, digest: token.digest, &tx, permit)
            return Change(issued, in: nil, after: issued)
        }
        return try await outcome.resolved { id in
            try await self.database.transaction(.readOnly) { tx in try JoinTokenStore.fetch(JoinTokenID(id), &tx) }
        }
    }
}

/// The SQL of join tokens.
package enum JoinTokenStore {
    package static func insert(
        _ token: IssuedJoinToken, digest: [UInt8], _ tx: inout Transaction, _: borrowing Permit
    ) throws {
        _ = try tx.execute(
            "insert into join_token (id, digest, group_id, expires_at, created_at) values ($1, $2, $3, $4, $5)",
            token.id, digest, token.group, token.expiresAt, token.createdAt
        )
    }

    package static func fetch(_ id: JoinTokenID, _ tx: inout Transaction) throws -> IssuedJoinToken {
        let row = try tx.queryOne("select group_id, expires_at, created_at from join_token where id = $1", id)
        guard let row else { throw ControlError.notFound("join token") }
        return IssuedJoinToken(
            id: id, group: try row.get("group_id"), expiresAt: try row.get("expires_at"),
            createdAt: try row.get("created_at"), text: nil
        )
    }
}
