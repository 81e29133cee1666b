package import Postgres
package import Shared

/// Tells which gateway a call comes from, by the assertion it carries.
package struct NodeAuthentication: Sendable {
    private let database: Database
    private let deployment: DeploymentID
    private let time: TimeSource

    package init(database: Database, deployment: DeploymentID, time: TimeSource) {
        self.database = database
        self.deployment = deployment
        self.time = time
    }

    /// - Parameters:
    ///   - header: the value of Authorization.
    ///   - path: the path with its query, as called.
    package func authenticate(
        header: String?, method: String, path: String, body: [UInt8]
    ) async throws -> GatewayCaller {
        do {
            return try await self.verified(header: header ?? "", method: method, path: path, body: body)
        } catch let failure as NodeAssertion.Failure {
            throw ControlError(
                .unauthenticated, failure == .expired ? LinkCode.expired : "gateway_not_authenticated",
                Self.explanation(failure),
                internalDetail: "gateway assertion: \(failure)"
            )
        }
    }

    /// What helps an operator whose gateway is refused, and nobody else.
    private static func explanation(_ failure: NodeAssertion.Failure) -> String {
        switch failure {
        case .malformed: "A signed gateway assertion is needed."
        case .unknownGateway, .badSignature: "The gateway is not known or was removed."
        case .otherCall: "The assertion is not for this call."
        case .expired: "The assertion has expired, or the clocks differ by more than \(NodeAssertion.skew) seconds."
        }
    }

    private func verified(
        header: String, method: String, path: String, body: [UInt8]
    ) async throws -> GatewayCaller {
        let (claim, envelope) = try NodeAssertion.parse(header: header)
        // Looked up each time: a gateway that was removed is refused at once.
        let found = try await self.database.transaction(.readOnly) { tx in
            try tx.queryOne(
                "select group_id, identity_key from gateway where id = $1 and status = 'active'", claim.gateway
            ).map { row in
                (
                    try row.get("group_id", as: GatewayGroupID.self), try row.get("identity_key", as: [UInt8].self),
                    try GatewayProcessStore.standing(&tx, claim.gateway, process: claim.process)
                )
            }
        }
        guard let (group, bytes, standing) = found, let key = VerifyingKey(bytes: bytes) else {
            throw NodeAssertion.Failure.unknownGateway
        }
        try claim.verify(
            envelope, key: key, audience: self.deployment, method: method, path: path, body: body, now: self.time.now()
        )
        return GatewayCaller(
            id: claim.gateway, group: group, process: claim.process, issued: claim.issued, standing: standing
        )
    }
}
