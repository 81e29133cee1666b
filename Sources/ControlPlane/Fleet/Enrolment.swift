import Crypto
package import Postgres
package import Shared

/// What a join token is worth: one new gateway in its group.
package struct Enrolment: Sendable {
    private let database: Database
    private let changes: Changes
    private let signing: SigningKeyCache
    private let time: TimeSource

    package init(database: Database, changes: Changes, signing: SigningKeyCache, time: TimeSource) {
        self.database = database
        self.changes = changes
        self.signing = signing
        self.time = time
    }

    /// Uses a join token up and records the gateway.
    ///
    /// - Returns: the signed answer: which gateway this now is, and the roots to trust.
    package func enrol(_ bytes: [UInt8], token: Secret<String>, as context: OperationContext) async throws -> [UInt8] {
        let request: EnrolmentRequest
        do throws(WireError) {
            request = try EnrolmentRequest(wire: bytes)
        } catch {
            throw ControlError(.invalid, "invalid_enrolment", "The enrolment request is not readable: \(error).")
        }
        try Self.check(request)
        guard let text = TokenText(parsing: token.reveal()), text.kind == .joinToken else {
            throw Self.badToken.because("malformed_credential")
        }
        let digest = text.digest
        let found = try await self.database.transaction(.readOnly) { tx in
            try tx.queryOne("select id, group_id from join_token where digest = $1", digest).map { row in
                (try row.get("id", as: JoinTokenID.self), try row.get("group_id", as: GatewayGroupID.self))
            }
        }
        guard let (tokenID, group) = found else { throw Self.badToken.because("unknown_credential") }
        let gateway: GatewayID = self.time.newID()
        let actor = Actor(kind: .joinToken, id: tokenID.value)
        let joined = OperationContext(
            actor: actor, authority: .only(PermissionSet([.gatewaysEnroll])), request: context.request,
            time: context.time, remoteAddress: context.remoteAddress
        )
        let enrolled = EnrolledGateway(id: gateway, group: group, token: tokenID, name: request.name)
        _ = try await self.changes.perform(.gatewaysEnroll, on: Target(gateway), at: .instance, as: joined) {
            tx, permit in
            guard try EnrolmentStore.useUp(tokenID, by: gateway, at: context.time, &tx, permit) else {
                throw Self.badToken.because("spent_join_token", actor: actor)
            }
            try EnrolmentStore.insert(enrolled, request, &tx, permit)
            return Change(enrolled, in: nil, after: enrolled)
        }
        let keys = try await self.signing.current()
        let reply = EnrolmentReply(gateway: gateway, group: group, roots: keys.roots)
        return try keys.sign(.enrolmentReply, reply.wireBytes)
    }

    private static func check(_ request: EnrolmentRequest) throws(ControlError) {
        guard VerifyingKey(bytes: request.identityKey) != nil,
            (try? Curve25519.KeyAgreement.PublicKey(rawRepresentation: request.sealingKey)) != nil
        else { throw ControlError(.invalid, "invalid_enrolment", "The gateway's keys are not usable.") }
        guard (1...200).contains(request.name.count) else {
            throw ControlError(.invalid, "invalid_enrolment", "The gateway's name must have 1 to 200 characters.")
        }
    }

    /// Unknown, used before, or past its time: which of them is nobody's business.
    private static let badToken = ControlError(
        .unauthenticated, "bad_join_token", "The join token is not known, was used, or has expired: create a new one."
    )
}

/// A gateway at the moment it is enrolled, for the audit log.
struct EnrolledGateway: Audited {
    let id: GatewayID
    let group: GatewayGroupID
    let token: JoinTokenID
    let name: String

    var auditState: JSONValue {
        ["id": JSONValue(self.id), "group": JSONValue(self.group), "join_token": JSONValue(self.token)]
    }
    var auditPersonal: JSONValue { ["name": .string(self.name)] }
}

/// The SQL of enrolment.
enum EnrolmentStore {
    /// False when the token is used or past its time.
    static func useUp(
        _ token: JoinTokenID, by gateway: GatewayID, at now: Timestamp, _ tx: inout Transaction, _: borrowing Permit
    ) throws -> Bool {
        try tx.execute(
            """
            update join_token set used_at = $2, used_by = $3 where id = $1 and used_at is null and expires_at > $2
            """, token, now, gateway
        ) == 1
    }

    static func insert(
        _ gateway: EnrolledGateway, _ request: EnrolmentRequest, _ tx: inout Transaction, _: borrowing Permit
    ) throws {
        _ = try tx.execute(
            """
            insert into gateway (id, group_id, name, identity_key, sealing_key, build)
            values ($1, $2, $3, $4, $5, $6)
            """,
            gateway.id, gateway.group, gateway.name, request.identityKey, request.sealingKey,
            Int32(clamping: request.build)
        )
    }
}
