import Crypto
package import Postgres
package import Shared

/// What a join token is worth: one new gateway in its group.
package enum Enrolment {
    /// Why a gateway was not enrolled.
    package enum Failure: Error, Sendable, Equatable {
        /// Unknown, used before, or past its time: which of them is nobody's business.
        case badToken
        case invalid(String)
    }

    /// A gateway that was enrolled.
    package struct Result: Sendable {
        package let gateway: GatewayID
        package let group: GatewayGroupID
        package let token: JoinTokenID
        package let name: String
    }

    /// Uses a join token up and records the gateway, in the caller's transaction.
    package static func enrol(
        _ tx: inout Transaction, digest: [UInt8], request: EnrolmentRequest, time: TimeSource
    ) throws -> Result {
        guard VerifyingKey(bytes: request.identityKey) != nil else { throw Failure.invalid("identity_key is not a key") }
        guard (try? Curve25519.KeyAgreement.PublicKey(rawRepresentation: request.sealingKey)) != nil else {
            throw Failure.invalid("sealing_key is not a key")
        }
        guard !request.name.isEmpty, request.name.count <= 200 else { throw Failure.invalid("name must have 1 to 200 characters") }
        let gateway: GatewayID = time.newID()
        let now = time.now()
        let row = try tx.queryOne(
            """
            update join_token set used_at = $2, used_by = $3
            where digest = $1 and used_at is null and expires_at > $2
            returning id, group_id
            """, digest, now, gateway
        )
        guard let row else { throw Failure.badToken }
        let group: GatewayGroupID = try row.get("group_id")
        _ = try tx.execute(
            """
            insert into gateway (id, group_id, name, identity_key, sealing_key, build)
            values ($1, $2, $3, $4, $5, $6)
            """,
            gateway, group, request.name, request.identityKey, request.sealingKey, Int32(clamping: request.build)
        )
        return Result(gateway: gateway, group: group, token: try row.get("id"), name: request.name)
    }
}
