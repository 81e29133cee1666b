import Postgres
package import Shared

/// What everybody may do with what is his own: to see who he is, and to have tokens.
extension Identity {
    /// Who a caller is, and what the token that he shows is for.
    package struct Caller: Sendable {
        enum Who: Sendable {
            case user(User)
            case serviceAccount(ServiceAccount)
        }

        let who: Who
        let token: APIToken
        let at: Timestamp
    }

    package func caller(_ context: OperationContext) async throws -> Caller {
        try await self.reads.perform(.apiTokensRead, as: context.own(.apiTokensRead)) { tx, _ in
            guard let token = try context.token.flatMap({ try APITokenStore.find($0, &tx) }) else {
                throw ControlError.notFound("api token")
            }
            switch token.subject.kind {
            case .user:
                let user = try UserStore.fetch(UserID(token.subject.id), &tx)
                return Caller(who: .user(user), token: token, at: context.time)
            case .serviceAccount, .group:
                let account = try ServiceAccountStore.fetch(ServiceAccountID(token.subject.id), &tx)
                return Caller(who: .serviceAccount(account), token: token, at: context.time)
            }
        }
    }

    package func ownToken(_ id: TokenID, as context: OperationContext) async throws -> APIToken {
        try await self.reads.perform(.apiTokensRead, as: context.own(.apiTokensRead)) { tx, _ in
            try Self.ownToken(id, context, &tx)
        }
    }

    /// The caller's token; somebody else's is none.
    private static func ownToken(
        _ id: TokenID, _ context: OperationContext, _ tx: inout Transaction, lock: ScopeNodeStore.Lock = .none
    ) throws -> APIToken {
        guard let token = try APITokenStore.find(id, &tx, lock: lock) else { throw ControlError.notFound("api token") }
        guard token.subject == context.subject else { throw ControlError.hidden("api token") }
        return token
    }

    package func ownTokens(_ page: PageRequest, as context: OperationContext) async throws -> Page<APIToken> {
        let found = try await self.reads.perform(.apiTokensRead, as: context.own(.apiTokensRead)) { tx, sight in
            guard let subject = context.subject else { return [APIToken]() }
            return try APITokenStore.list(SubjectList(organization: nil, page), of: subject, sight, &tx)
        }
        return Page(found, page, position: \.id.bytes)
    }

    package func createOwnToken(_ body: JSONValue, as context: OperationContext) async throws -> Resolved<Issued> {
        let id: TokenID = self.time.newID()
        let text = TokenText.generate(.personalToken)
        let named = try context.user()
        let outcome = try await self.changes.perform(
            .apiTokensCreate, on: Target(id), as: context.own(.apiTokensCreate)
        ) { tx, gate in
            let user = try UserStore.fetch(named, &tx, lock: .update)
            let permit = try gate.permit(at: user.scope, &tx)
            let terms = try Self.terms(body, of: user.partition, at: context.time, &tx)
            let token = APIToken(
                id: id, publicID: text.publicID, of: AccessSubject(named), in: user.partition, at: user.scope, terms,
                by: context.actor, at: context.time)
            try token.checkExpiry(at: context.time)
            try TokenBounds.check(token, as: context, &tx)
            let made = try Self.issue(token, text, at: context.time, &tx, permit)
            return Change(Issued(token: made, secret: text.secret), in: made.organization, after: made)
        }
        return try await outcome.resolved { id in
            Issued(token: try await self.ownToken(TokenID(id), as: context), secret: nil)
        }
    }

    package func rotateOwnToken(
        _ id: TokenID, overlap: Int64, as context: OperationContext
    ) async throws -> Resolved<Issued> {
        _ = try context.user()
        let outcome = try await self.changes.perform(
            .apiTokensRotate, on: Target(id), as: context.own(.apiTokensRotate)
        ) { tx, gate in
            let before = try Self.ownToken(id, context, &tx, lock: .update)
            let permit = try gate.permit(at: before.scope, &tx)
            try TokenBounds.check(before, as: context, &tx)
            return try Self.rotate(before, overlap: overlap, at: context.time, &tx, permit)
        }
        return try await outcome.resolved { _ in
            Issued(token: try await self.ownToken(id, as: context), secret: nil)
        }
    }

    /// Ends one of the caller's tokens for good.
    package func revokeOwnToken(_ id: TokenID, as context: OperationContext) async throws -> [AuditReceipt] {
        try await self.changes.perform(
            .apiTokensRevoke, on: Target(id), as: context.own(.apiTokensRevoke)
        ) { tx, gate in
            let before = try Self.ownToken(id, context, &tx, lock: .update)
            let permit = try gate.permit(at: before.scope, &tx)
            return try Self.revoke(before, at: context.time, &tx, permit)
        }.receipts
    }
}

extension OperationContext {
    /// The same for what is the caller's own: he needs no binding for it.
    ///
    /// That his token is for it was looked at before, with the endpoint.
    func own(_ permission: Permission) -> OperationContext {
        self.with(.only(PermissionSet([permission])))
    }

    /// Who acts, when it is a user or a service account.
    var subject: AccessSubject? {
        guard case .bindings(let subject, _, _) = self.authority else { return nil }
        return subject
    }

    /// The user who acts; throws when it is a program.
    func user() throws(ControlError) -> UserID {
        guard let subject = self.subject, subject.kind == .user else {
            throw ControlError(
                .notAllowed, "users_only",
                "Only users make tokens for themselves; those of service accounts are made at /v1/api-tokens."
            ).because("users_only")
        }
        return UserID(subject.id)
    }
}

extension Identity.Caller {
    static let schema = Schema.named(
        "Caller",
        .object([
            .required("kind", .choice("user", "service_account")),
            .required("id", .id(UserKind.self, ServiceAccountKind.self)),
            .required("organization", Schema.id(OrganizationKind.self).orNull), .required("name", .name),
            .required("login", Schema.string(.login).orNull), .required("email", Schema.string(.email).orNull),
            .required("token", APIToken.schema),
        ])
    )

    var json: JSONValue {
        var members: [String: JSONValue] = [
            "organization": JSONValue(self.token.organization), "token": self.token.json(at: self.at),
        ]
        switch self.who {
        case .user(let user):
            members["kind"] = "user"
            members["id"] = JSONValue(user.id)
            members["name"] = .string(user.name)
            members["login"] = .string(user.login)
            members["email"] = user.email.map { .string($0) } ?? .null
        case .serviceAccount(let account):
            members["kind"] = "service_account"
            members["id"] = JSONValue(account.id)
            members["name"] = .string(account.name)
            members["login"] = .null
            members["email"] = .null
        }
        return .object(members)
    }
}
