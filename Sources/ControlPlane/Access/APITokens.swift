import Postgres
package import Shared

/// An API token, as the command line issues it.
package struct IssuedToken: Sendable, Audited {
    package let id: TokenID
    package let subject: ServiceAccountID
    package let name: String
    package let role: BuiltInRole?
    package let expiresAt: Timestamp?
    package let text: Secret<String>

    package var auditState: JSONValue {
        [
            "id": JSONValue(self.id), "subject": JSONValue(self.subject),
            "role": self.role.map { .string($0.rawValue) } ?? .null, "expires_at": JSONValue(self.expiresAt),
        ]
    }

    package var auditPersonal: JSONValue { ["name": .string(self.name)] }
}

/// How the first tokens of a deployment are made; all others are made by `Identity`.
package struct APITokens: Sendable {
    private let changes: Changes
    private let time: TimeSource

    package init(changes: Changes, time: TimeSource) {
        self.changes = changes
        self.time = time
    }

    /// Issues a token for a new service account of the instance, with a role there.
    package func create(
        name: String, role: BuiltInRole?, expiresAt: Timestamp?, as context: OperationContext
    ) async throws -> IssuedToken {
        let text = TokenText.generate(.serviceAccountToken)
        let issued = IssuedToken(
            id: self.time.newID(), subject: self.time.newID(), name: name, role: role, expiresAt: expiresAt,
            text: text.secret
        )
        let binding: BindingID = self.time.newID()
        _ = try await self.changes.perform(
            .apiTokensCreate, on: Target(issued.id), at: .instance, as: context
        ) { tx, permit in
            try Self.insert(issued, text, &tx, permit, at: context.time)
            if let role {
                let bound = Binding(
                    id: binding, organization: nil, subject: AccessSubject(issued.subject), role: role.id, scope: nil,
                    reason: "issued with its token", expiresAt: nil, createdBy: context.actor,
                    stamps: Stamps(new: context.time))
                try BindingStore.insert(bound, &tx, permit)
            }
            return Change((), in: nil, after: issued)
        }
        return issued
    }

    /// Issues a personal token for a user, who has no other way to sign in yet.
    ///
    /// Throws `notFound` for a user who is not there, and `conflict` for one who is disabled.
    ///
    /// - Parameter expiresAt: at most as late as for a token that he makes himself.
    package func create(
        for user: UserID, name: String, expiresAt: Timestamp, as context: OperationContext
    ) async throws -> Secret<String> {
        let id: TokenID = self.time.newID()
        let text = TokenText.generate(.personalToken)
        _ = try await self.changes.perform(.apiTokensCreate, on: Target(id), as: context) { tx, gate in
            guard let found = try UserStore.find(user, &tx, lock: .update) else { throw ControlError.notFound("user") }
            let permit = try gate.permit(at: found.scope, &tx)
            guard found.status == .active else {
                throw ControlError.conflict("subject_disabled", "The user is disabled.")
            }
            let token = APIToken(
                id: id, publicID: text.publicID, of: AccessSubject(user), in: found.partition, at: found.scope,
                APIToken.Terms(name: name, expiresAt: expiresAt), by: context.actor, at: context.time)
            try token.checkExpiry(at: context.time)
            let made = try Identity.issue(token, text, at: context.time, &tx, permit)
            return Change((), in: made.organization, after: made)
        }
        return text.secret
    }

    private static func insert(
        _ issued: IssuedToken, _ text: TokenText, _ tx: inout Transaction, _ permit: borrowing Permit,
        at time: Timestamp
    ) throws {
        let account = ServiceAccount(
            issued.subject, of: .instance,
            name: String(issued.name.prefix(170)) + " " + Crockford.encode(issued.subject.value).suffix(8), at: time)
        try ServiceAccountStore.insert(account, &tx, permit)
        let token = APIToken(
            id: issued.id, publicID: text.publicID, of: AccessSubject(issued.subject), in: .instance, at: .instance,
            APIToken.Terms(name: issued.name, expiresAt: issued.expiresAt), by: permit.actor, at: time)
        try APITokenStore.insert(token, &tx, permit)
        try APITokenStore.addSecret(text.digest, to: issued.id, others: time, at: time, &tx, permit)
    }
}
