package import Shared

/// Who acts.
package struct Actor: Sendable, Hashable {
    package enum Kind: String, Sendable {
        case user
        case serviceAccount = "service_account"
        /// Whoever runs `gatehouse-control` on the machine, with its database and its keys.
        case localOperator = "operator"
        case gateway
        /// Whoever has a join token: may enrol one gateway.
        case joinToken = "join_token"
        /// Nobody in particular: what an open endpoint does.
        case anonymous
    }

    package let kind: Kind
    package let id: UUIDValue

    package init(kind: Kind, id: UUIDValue) {
        self.kind = kind
        self.id = id
    }

    package static func localOperator(of deployment: DeploymentID) -> Actor {
        Actor(kind: .localOperator, id: deployment.value)
    }

    package static let anonymous = Actor(kind: .anonymous, id: UUIDValue(high: 0, low: 0))

    /// The identifier as text.
    package var text: String {
        switch self.kind {
        case .user: UserID(self.id).description
        case .serviceAccount: ServiceAccountID(self.id).description
        case .localOperator: DeploymentID(self.id).description
        case .gateway: GatewayID(self.id).description
        case .joinToken: JoinTokenID(self.id).description
        case .anonymous: "anonymous"
        }
    }
}

/// What decides on what an actor may do.
package enum Authority: Sendable, Hashable {
    case none
    /// Everything: whoever has the database and its keys has that anyway.
    case everything
    /// What a gateway brings about by what it says, or what a join token is for.
    case only(PermissionSet)
    /// What bindings allow a user or a service account, within what its token is for.
    case bindings(AccessSubject, of: AccessPartition, within: TokenBoundary)
}

/// Whose users, groups, service accounts, roles and bindings they are: an organization's, or the instance's.
package struct AccessPartition: Sendable, Hashable {
    /// Nil for the instance.
    package let organization: OrganizationID?

    package init(_ organization: OrganizationID?) { self.organization = organization }

    package static let instance = AccessPartition(nil)
}

/// What a token may be used for at most.
package struct TokenBoundary: Sendable, Hashable {
    /// Nil for all that its subject may do.
    package var permissions: PermissionSet?
    /// The node under which it may be used; nil for everywhere.
    package var scope: NodeID?

    package init(permissions: PermissionSet? = nil, scope: NodeID? = nil) {
        self.permissions = permissions
        self.scope = scope
    }

    package static let none = TokenBoundary()
}
