package import Shared

/// On whose behalf, in which request and when something is done.
///
/// The first thing that every operation is given.
package struct OperationContext: Sendable {
    package let actor: Actor
    package let request: RequestID
    package let time: Timestamp
    /// The address of the caller, when there is one.
    ///
    /// Personal data: it is logged sealed.
    package var remoteAddress: String?
    package var idempotency: Idempotency?

    package init(
        actor: Actor, request: RequestID, time: Timestamp, remoteAddress: String? = nil,
        idempotency: Idempotency? = nil
    ) {
        self.actor = actor
        self.request = request
        self.time = time
        self.remoteAddress = remoteAddress
        self.idempotency = idempotency
    }
}

/// The caller's name for a request that must take effect once, however often it is sent.
package struct Idempotency: Sendable {
    package let key: String
    /// SHA-256 of method, path and body: another request under the same name is refused.
    package let requestSHA256: [UInt8]
    package let status: Int

    package init(key: String, requestSHA256: [UInt8], status: Int) {
        self.key = key
        self.requestSHA256 = requestSHA256
        self.status = status
    }
}

/// Who acts.
package struct Actor: Sendable, Hashable {
    package enum Kind: String, Sendable {
        case serviceAccount = "service_account"
        /// Whoever runs `gatehouse-control` on the machine, with its database and its keys.
        case localOperator = "operator"
        case gateway
        /// Whoever has a join token: may enrol one gateway.
        case joinToken = "join_token"
        /// Nobody in particular: what an open endpoint does.
        case anonymous
    }

    package enum Role: String, Sendable {
        case root, none
    }

    package let kind: Kind
    package let id: UUIDValue
    package let role: Role

    package init(kind: Kind, id: UUIDValue, role: Role) {
        self.kind = kind
        self.id = id
        self.role = role
    }

    package static func localOperator(of deployment: DeploymentID) -> Actor {
        Actor(kind: .localOperator, id: deployment.value, role: .root)
    }

    package static let anonymous = Actor(kind: .anonymous, id: UUIDValue(high: 0, low: 0), role: .none)

    /// The identifier as text.
    package var text: String {
        switch self.kind {
        case .serviceAccount: ServiceAccountID(self.id).description
        case .localOperator: DeploymentID(self.id).description
        case .gateway: GatewayID(self.id).description
        case .joinToken: JoinTokenID(self.id).description
        case .anonymous: "anonymous"
        }
    }
}
