package import Postgres
package import Shared

/// Says who the bearer of an API token is.
package struct Authentication: Sendable {
    /// A caller, and what decides on what he may do.
    package struct Caller: Sendable {
        package let actor: Actor
        package let authority: Authority
        package let token: TokenID
    }

    /// Whom an endpoint lets in.
    package enum Admission: Sendable {
        /// Who holds a permission at a scope; nil for anywhere.
        case holds(Permission, at: AccessScope?)
        /// Everybody who shows a token that may be used for a permission; nil for any token.
        case isBounded(to: Permission?)

        fileprivate var permission: Permission? {
            switch self {
            case .holds(let permission, _): permission
            case .isBounded(let permission): permission
            }
        }
    }

    private let database: Database
    private let authorizer: Authorizer
    private let uses: AccessUses

    package init(database: Database, authorizer: Authorizer, uses: AccessUses) {
        self.database = database
        self.authorizer = authorizer
        self.uses = uses
    }

    /// The bearer of a token, when he is let in.
    ///
    /// Throws `unauthenticated` without saying what was wrong, and `notAllowed`.
    ///
    /// - Parameters:
    ///   - field: the Authorization field.
    ///   - address: where the request came from, when that is known.
    package func caller(
        _ field: String?, who admission: Admission, from address: String?, request: RequestID, at time: Timestamp
    ) async throws -> Caller {
        guard let field else { throw Self.unauthenticated.because("no_credential") }
        guard let token = Self.bearer(field).flatMap({ TokenText(parsing: $0) }),
            token.kind == .serviceAccountToken || token.kind == .personalToken
        else { throw Self.unauthenticated.because("malformed_credential") }
        let digest = token.digest
        let authorizer = self.authorizer
        let found = try await self.database.transaction(.readOnly) { tx -> (BearerToken, isAdmitted: Bool)? in
            guard let bearer = try BearerToken.find(digest, &tx) else { return nil }
            guard bearer.refusal(from: address, at: time) == nil else { return (bearer, false) }
            let context = OperationContext(
                actor: bearer.actor, authority: bearer.authority, request: request, time: time)
            return (bearer, try Self.admits(admission, bearer, try authorizer.access(of: context, &tx), &tx))
        }
        guard let (bearer, isAdmitted) = found else { throw Self.unauthenticated.because("unknown_credential") }
        if let refusal = bearer.refusal(from: address, at: time) {
            throw Self.unauthenticated.because(refusal, actor: bearer.actor)
        }
        self.uses.note(bearer.id, at: time)
        guard isAdmitted else {
            let denied = admission.permission.map { Access.denied($0) } ?? Self.unauthenticated
            throw denied.because("permission_denied", actor: bearer.actor)
        }
        return Caller(actor: bearer.actor, authority: bearer.authority, token: bearer.id)
    }

    private static func admits(
        _ admission: Admission, _ bearer: BearerToken, _ access: Access, _ tx: inout Transaction
    ) throws -> Bool {
        switch admission {
        case .holds(let permission, nil): access.holdsAnywhere(permission)
        case .holds(let permission, let scope?): try access.allows(permission, at: scope, &tx)
        case .isBounded(let permission): permission.map { bearer.boundary.permissions?.contains($0) != false } ?? true
        }
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
}

/// A token that somebody shows.
struct BearerToken: Sendable {
    let id: TokenID
    let actor: Actor
    let authority: Authority
    let boundary: TokenBoundary
    private let isRevoked: Bool
    private let expiresAt: Timestamp?
    /// Of the subject: deleted, disabled, or its organization is.
    private let isActive: Bool
    private let networks: [String]

    /// By the digest of one of its secrets; nil for none.
    static func find(_ digest: [UInt8], _ tx: inout Transaction) throws -> BearerToken? {
        let row = try tx.queryOne(
            """
            select t.id, t.subject_kind, t.subject_id, t.organization_id, t.permissions, t.scope_id, t.allowed_networks,
                t.revoked_at is not null as revoked, least(t.expires_at, s.expires_at) as expires_at,
                coalesce(u.status = 'active' and u.deleted_at is null, a.status = 'active' and a.deleted_at is null, false)
                    and (t.organization_id is null or o.status = 'active' and o.deleted_at is null) as active
            from api_token_secret s join api_token t on t.id = s.token_id
            left join user_account u on t.subject_kind = 'user' and u.id = t.subject_id
            left join service_account a on t.subject_kind = 'service_account' and a.id = t.subject_id
            left join scope_node o on o.id = t.organization_id
            where s.digest = $1
            """, digest)
        guard let row, let kind = AccessSubject.Kind(rawValue: try row.get("subject_kind")) else { return nil }
        return try BearerToken(row, kind)
    }

    private init(_ row: Row, _ kind: AccessSubject.Kind) throws {
        let subject: UUIDValue = try row.get("subject_id")
        var boundary = TokenBoundary(scope: try row.optional("scope_id"))
        if let names = try row.optional("permissions", as: [String].self) {
            boundary.permissions = PermissionSet(names.compactMap { Permission(rawValue: $0) })
        }
        self.id = try row.get("id")
        self.boundary = boundary
        self.actor = Actor(kind: kind == .user ? .user : .serviceAccount, id: subject)
        self.authority = .bindings(
            AccessSubject(kind, subject), of: AccessPartition(try row.optional("organization_id")), within: boundary)
        self.isRevoked = try row.get("revoked")
        self.expiresAt = try row.optional("expires_at")
        self.isActive = try row.get("active")
        self.networks = try row.get("allowed_networks")
    }

    /// Why it is good for nothing; nil when it is good.
    func refusal(from address: String?, at time: Timestamp) -> String? {
        if self.isRevoked { return "revoked_credential" }
        if let expiresAt, expiresAt <= time { return "expired_credential" }
        if !self.isActive { return "disabled_subject" }
        guard !self.networks.isEmpty else { return nil }
        guard let address = address.flatMap({ IPAddress($0) }),
            self.networks.contains(where: { NetworkRange($0)?.contains(address) == true })
        else { return "network_not_allowed" }
        return nil
    }
}
