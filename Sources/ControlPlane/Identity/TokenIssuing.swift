import Postgres
package import Shared

/// Tokens of service accounts, and what is done to those of others.
extension Identity {
    /// A token, with its text when that was made just now.
    package struct Issued: Sendable {
        package let token: APIToken
        package let secret: Secret<String>?
    }

    package func token(_ id: TokenID, as context: OperationContext) async throws -> APIToken {
        try await self.reads.one(.apiTokensRead, as: context, "api token", at: \.scope) { tx in
            try APITokenStore.fetch(id, &tx)
        }
    }

    func tokens(
        _ list: SubjectList, of subject: AccessSubject?, as context: OperationContext
    ) async throws -> Page<APIToken> {
        let found = try await self.reads.perform(.apiTokensRead, as: context) { tx, sight in
            try APITokenStore.list(list, of: subject, sight, &tx)
        }
        return Page(found, list.page, position: \.id.bytes)
    }

    package func createToken(_ body: JSONValue, as context: OperationContext) async throws -> Resolved<Issued> {
        let id: TokenID = self.time.newID()
        let text = TokenText.generate(.serviceAccountToken)
        let outcome = try await self.changes.perform(.apiTokensCreate, on: Target(id), as: context) { tx, gate in
            let missing = ControlError.invalid("There is no such service account.", at: "/service_account")
            guard let named = body["service_account"]?.string.flatMap({ ServiceAccountID($0) }),
                let account = try ServiceAccountStore.find(named, &tx, lock: .update)
            else { throw missing }
            let permit = try gate.permit(at: account.scope, &tx, orMissing: missing)
            guard account.status == .active else {
                throw ControlError.conflict("subject_disabled", "The service account is disabled.")
            }
            let terms = try Self.terms(body, of: account.partition, at: context.time, &tx)
            let token = APIToken(
                id: id, publicID: text.publicID, of: AccessSubject(named), in: account.partition, at: account.scope,
                terms, by: context.actor, at: context.time)
            try TokenBounds.check(token, as: context, &tx)
            try AccessEdit.check(token, as: gate, &tx)
            let made = try Self.issue(token, text, at: context.time, &tx, permit)
            return Change(Issued(token: made, secret: text.secret), in: made.organization, after: made)
        }
        return try await outcome.resolved { id in
            Issued(token: try await self.token(TokenID(id), as: context), secret: nil)
        }
    }

    /// What a body asks for, its scope held and looked at: it must be where the token's subject is.
    static func terms(
        _ body: JSONValue, of partition: AccessPartition, at time: Timestamp, _ tx: inout Transaction
    ) throws -> APIToken.Terms {
        let terms = try APIToken.Terms(body, at: time)
        guard let scope = terms.scope else { return terms }
        let node = try ScopeNodeStore.find(scope.node, &tx, lock: .share)
        guard let node, node.reference == scope,
            partition.organization == nil || partition.organization == node.organization
        else { throw ControlError.invalid("There is no such organization, unit or project.", at: "/scope") }
        return terms
    }

    /// Stores a new token with its first secret; its subject is held.
    static func issue(
        _ token: APIToken, _ text: TokenText, at time: Timestamp, _ tx: inout Transaction, _ permit: borrowing Permit
    ) throws -> APIToken {
        guard try APITokenStore.count(of: token.subject, at: time, &tx) < APIToken.countLimit else {
            throw ControlError.conflict(
                "too_many_tokens", "There are \(APIToken.countLimit) tokens already; revoke one that is not needed.")
        }
        try APITokenStore.insert(token, &tx, permit)
        try APITokenStore.addSecret(text.digest, to: token.id, others: time, at: time, &tx, permit)
        return try APITokenStore.fetch(token.id, &tx)
    }

    package func updateToken(
        _ id: TokenID, _ body: JSONValue, ifRevision: Int64?, as context: OperationContext
    ) async throws -> Resolved<APIToken> {
        let outcome = try await self.changes.perform(.apiTokensUpdate, on: Target(id), as: context) { tx, gate in
            let before = try APITokenStore.fetch(id, &tx, lock: .update)
            let permit = try gate.permit(at: before.scope, &tx)
            try Revision.check(before.stamps.revision, ifRevision)
            try Self.checkNotRevoked(before)
            let after = try before.patched(body, at: context.time)
            if after.allowedNetworks != before.allowedNetworks {
                try TokenBounds.checkNetworks(after.allowedNetworks, as: context, &tx)
            }
            // One that is good for longer gives for longer.
            if after.expiresAt != before.expiresAt, !after.isPersonal { try AccessEdit.check(after, as: gate, &tx) }
            try APITokenStore.save(after, &tx, permit)
            return Change(after, in: before.organization, before: before, after: after)
        }
        return try await outcome.resolved { _ in try await self.token(id, as: context) }
    }

    static func checkNotRevoked(_ token: APIToken) throws(ControlError) {
        guard token.revokedAt == nil else {
            throw .conflict("token_revoked", "The token was revoked; that is final.")
        }
    }

    /// Gives a service account's token another secret; those before stay good for `overlap` seconds.
    package func rotateToken(
        _ id: TokenID, overlap: Int64, as context: OperationContext
    ) async throws -> Resolved<Issued> {
        let outcome = try await self.changes.perform(.apiTokensRotate, on: Target(id), as: context) { tx, gate in
            let before = try APITokenStore.fetch(id, &tx, lock: .update)
            let permit = try gate.permit(at: before.scope, &tx)
            guard !before.isPersonal else {
                throw ControlError(
                    .notAllowed, "personal_token", "Only the user whose token it is may have its text."
                ).because("personal_token")
            }
            try TokenBounds.check(before, as: context, &tx)
            try AccessEdit.check(before, as: gate, &tx)
            return try Self.rotate(before, overlap: overlap, at: context.time, &tx, permit)
        }
        return try await outcome.resolved { _ in Issued(token: try await self.token(id, as: context), secret: nil) }
    }

    static func rotate(
        _ before: APIToken, overlap: Int64, at time: Timestamp, _ tx: inout Transaction, _ permit: borrowing Permit
    ) throws -> Change<Issued> {
        try Self.checkNotRevoked(before)
        let kind: TokenText.Kind = before.isPersonal ? .personalToken : .serviceAccountToken
        let text = TokenText.generate(kind, publicID: before.publicID)
        var after = before
        after.stamps.advance(to: time)
        try APITokenStore.save(after, &tx, permit)
        try APITokenStore.addSecret(
            text.digest, to: before.id, others: time.adding(seconds: overlap), at: time, &tx, permit)
        after = try APITokenStore.fetch(before.id, &tx)
        return Change(
            Issued(token: after, secret: text.secret), in: before.organization, before: before, after: after)
    }

    /// Ends a token for good.
    package func revokeToken(_ id: TokenID, as context: OperationContext) async throws -> Resolved<APIToken> {
        let outcome = try await self.changes.perform(.apiTokensRevoke, on: Target(id), as: context) { tx, gate in
            let before = try APITokenStore.fetch(id, &tx, lock: .update)
            let permit = try gate.permit(at: before.scope, &tx)
            return try Self.revoke(before, at: context.time, &tx, permit)
        }
        return try await outcome.resolved { _ in try await self.token(id, as: context) }
    }

    static func revoke(
        _ before: APIToken, at time: Timestamp, _ tx: inout Transaction, _ permit: borrowing Permit
    ) throws -> Change<APIToken> {
        var after = before
        after.revokedAt = before.revokedAt ?? time
        after.stamps.advance(to: time)
        try APITokenStore.save(after, &tx, permit)
        return Change(after, in: before.organization, before: before, after: after)
    }
}
