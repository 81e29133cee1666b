import Postgres
package import Shared

/// A token of a service account, or a personal one of a user, with what it may be used for at most.
package struct APIToken: Sendable, Hashable {
    /// One of the token's secrets, without the secret.
    package typealias SecretInfo = VirtualKey.SecretInfo

    package let id: TokenID
    /// The part of the token's text that may be shown.
    package let publicID: String
    package let subject: AccessSubject
    /// The subject's; nil for the instance.
    package let organization: OrganizationID?
    /// Where the subject is, which says who manages its tokens.
    package let scope: AccessScope
    package var name: String
    package let boundary: TokenBoundary
    /// The boundary's node, as the API names it.
    package let within: ScopeReference?
    /// Networks that requests may come from; empty allows every one.
    package var allowedNetworks: [String]
    package var expiresAt: Timestamp?
    package var revokedAt: Timestamp?
    /// To within minutes; nil when it never was.
    package let lastUsedAt: Timestamp?
    /// Nil for tokens from before this was noted.
    package let createdBy: Actor?
    package var stamps: Stamps
    package var secrets: [SecretInfo] = []

    /// Seconds for which secrets before a rotation stay good, at most.
    package static let overlapLimit: Int64 = 2_592_000
    /// Seconds for which a personal token is good, at most.
    package static let personalLimit: Int64 = 366 * 86_400
    /// Tokens of one subject that are neither revoked nor expired.
    package static let countLimit = 100

    package enum Status: String, Sendable, CaseIterable {
        case active, expired, revoked
    }

    package func status(at time: Timestamp) -> Status {
        if self.revokedAt != nil { return .revoked }
        guard let expiresAt, expiresAt <= time else { return .active }
        return .expired
    }

    var isPersonal: Bool { self.subject.kind == .user }

    init(
        id: TokenID, publicID: String, of subject: AccessSubject, in partition: AccessPartition, at scope: AccessScope,
        _ terms: Terms, by actor: Actor, at time: Timestamp
    ) {
        self.id = id
        self.publicID = publicID
        self.subject = subject
        self.organization = partition.organization
        self.scope = scope
        self.name = terms.name
        self.boundary = TokenBoundary(permissions: terms.permissions, scope: terms.scope?.node)
        self.within = terms.scope
        self.allowedNetworks = terms.allowedNetworks
        self.expiresAt = terms.expiresAt
        self.lastUsedAt = nil
        self.createdBy = actor
        self.stamps = Stamps(new: time)
    }

    /// Of a row as `APITokenStore` reads it.
    init(_ row: Row, _ kind: AccessSubject.Kind) throws {
        self.id = try row.get("id")
        self.publicID = try row.get("public_id")
        self.subject = AccessSubject(kind, try row.get("subject_id"))
        self.organization = try row.optional("organization_id")
        self.scope = try row.optional("home_id", as: NodeID.self).map { .node($0) } ?? .instance
        self.name = try row.get("name")
        var boundary = TokenBoundary(scope: try row.optional("scope_id"))
        if let names = try row.optional("permissions", as: [String].self) {
            boundary.permissions = PermissionSet(names.compactMap { Permission(rawValue: $0) })
        }
        self.boundary = boundary
        let scopeKind = try row.optional("scope_kind", as: String.self).flatMap { ScopeNode.Kind(rawValue: $0) }
        self.within = boundary.scope.flatMap { node in scopeKind.map { ScopeReference($0, node) } }
        self.allowedNetworks = try row.get("allowed_networks")
        self.expiresAt = try row.optional("expires_at")
        self.revokedAt = try row.optional("revoked_at")
        self.lastUsedAt = try row.optional("last_used_at")
        let actor = try row.optional("created_by_kind", as: String.self).flatMap { Actor.Kind(rawValue: $0) }
        self.createdBy = try actor.map { Actor(kind: $0, id: try row.get("created_by")) }
        self.stamps = try Stamps(row)
    }

    /// What somebody asks for when he makes a token.
    struct Terms: Sendable {
        var name: String
        /// Nil for all that its subject may do.
        var permissions: PermissionSet?
        /// Nil for everywhere.
        var scope: ScopeReference?
        var allowedNetworks: [String]
        var expiresAt: Timestamp?

        init(name: String, expiresAt: Timestamp?) {
            self.name = name
            self.allowedNetworks = []
            self.expiresAt = expiresAt
        }

        /// Of a body that one of the creation schemas accepts.
        init(_ body: JSONValue, at time: Timestamp) throws(ControlError) {
            self.name = body["name"]?.string ?? ""
            self.permissions = try body["permissions"]?.array.map(Self.permissions)
            self.scope = body["scope"]?.string.flatMap { ScopeReference($0) }
            self.allowedNetworks = (body["allowed_networks"]?.array ?? []).compactMap(\.string)
            self.expiresAt = try APIToken.expiry(body["expires_at"], at: time)
        }

        private static func permissions(_ names: [JSONValue]) throws(ControlError) -> PermissionSet {
            var permissions = PermissionSet()
            for (index, name) in names.enumerated() {
                guard let permission = name.string.flatMap({ Permission(rawValue: $0) }) else {
                    throw .invalid("There is no such permission.", at: "/permissions/\(index)")
                }
                permissions.insert(permission)
            }
            return permissions
        }
    }

    /// An instant of expiry that lies ahead; nil for none.
    fileprivate static func expiry(_ value: JSONValue?, at time: Timestamp) throws(ControlError) -> Timestamp? {
        guard let instant = value?.string.flatMap({ Timestamp($0) }) else { return nil }
        guard instant > time else { throw .invalid("It must lie in the future.", at: "/expires_at") }
        return instant
    }

    /// The token as it is after a body that `patchSchema` accepts.
    func patched(_ body: JSONValue, at time: Timestamp) throws(ControlError) -> APIToken {
        var result = self
        result.name = body["name"]?.string ?? self.name
        if let expires = body["expires_at"] { result.expiresAt = try Self.expiry(expires, at: time) }
        if let networks = body["allowed_networks"] {
            result.allowedNetworks = (networks.array ?? []).compactMap(\.string)
        }
        if result.expiresAt != self.expiresAt { try result.checkExpiry(at: time) }
        result.stamps.advance(to: time)
        return result
    }

    /// Refuses a personal token that is good for too long.
    func checkExpiry(at time: Timestamp) throws(ControlError) {
        guard self.isPersonal else { return }
        guard let expiresAt, expiresAt <= time.adding(seconds: Self.personalLimit) else {
            throw .invalid("A personal token must end within 366 days.", at: "/expires_at")
        }
    }
}

extension APIToken: Audited {
    package var auditState: JSONValue {
        [
            "id": JSONValue(self.id), "public_id": .string(self.publicID), "subject": .string(self.subject.text),
            "permissions": self.boundary.permissions.map { JSONValue($0.permissions.map(\.rawValue)) } ?? .null,
            "scope": JSONValue(self.within), "allowed_networks": .integer(Int64(self.allowedNetworks.count)),
            "expires_at": JSONValue(self.expiresAt), "revoked_at": JSONValue(self.revokedAt),
            "revision": .integer(self.stamps.revision), "secrets": .array(self.secrets.map(\.json)),
        ]
    }

    package var auditPersonal: JSONValue {
        ["name": .string(self.name), "allowed_networks": JSONValue(self.allowedNetworks)]
    }

    package var auditPerson: UserID? { self.isPersonal ? UserID(self.subject.id) : nil }
}
