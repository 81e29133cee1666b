import Crypto
package import Logging
package import Postgres
package import Shared

/// The endpoints that gateways call.
///
/// Bodies are in protobuf wire format, see the `.proto` files in `Sources/Shared`.
package struct DataPlaneRoutes: Sendable {
    private let database: Database
    private let feed: TimestampFeed
    private let enrolment: Enrolment
    private let signing: SigningKeyCache
    private let time: TimeSource
    private let intake: UsageIntake
    private let processes: GatewayProcesses
    private let renewals: LeaseRenewals
    /// For metrics.
    package var figures: IngestFigures { self.intake.figures }
    package var fencedCount: Int { self.processes.fencedCount }
    /// For metrics.
    package var renewalFigures: LeaseRenewals.Figures { self.renewals.figures }

    static let wireType = "application/x-protobuf"
    /// Roots beyond those that this replica knows that are looked for: it may not have read the newest yet.
    static let rootsAhead = 8

    package init(
        database: Database, changes: Changes, feed: TimestampFeed, enrolment: Enrolment, signing: SigningKeyCache,
        time: TimeSource, logger: Logger
    ) {
        self.database = database
        self.feed = feed
        self.enrolment = enrolment
        self.signing = signing
        self.time = time
        self.intake = UsageIntake(database: database, changes: changes, logger: logger)
        self.processes = GatewayProcesses(database: database, changes: changes, logger: logger)
        self.renewals = LeaseRenewals(database: database, time: time)
    }

    package var endpoints: [Endpoint] {
        [
            Endpoint(
                .post, "/dp/v1/enroll", "dataplane.enroll", "Enrol a gateway with a join token", auth: .joinToken,
                body: .bytes(limit: 4096), status: 201, success: .bytes(type: Self.wireType)
            ) { call in
                guard let token = call.joinToken else { throw ControlError.notFound("join token") }
                let bytes = try await self.enrolment.enrol(call.bytes, token: token, as: call.context)
                return Answer(status: 201, body: .bytes(bytes, type: Self.wireType))
            },
            Endpoint(
                .post, "/dp/v1/starts", "dataplane.start", "A process of a gateway has started", auth: .gateway,
                success: .bytes(type: Self.wireType)
            ) { call in
                let epoch = try await self.processes.admit(try Self.caller(call), as: call.context)
                return Answer(body: .bytes(StartReply(epoch: Int(epoch)).wireBytes, type: Self.wireType))
            },
            Endpoint(
                .get, "/dp/v1/groups/{group}/timestamp", "dataplane.timestamp",
                "The newest signed timestamp of the gateway's group", auth: .gateway,
                query: [
                    QueryParameter("wait", .integer(0...55), "Seconds to wait for another one; 0 when absent."),
                    QueryParameter("sequence", .count, "The sequence that the gateway has; 0 when absent."),
                ],
                success: .bytes(type: Self.wireType)
            ) { call in try await self.timestamp(call) },
            Endpoint(
                .get, "/dp/v1/blobs/{sha256}", "dataplane.blob", "A manifest, keyring or chunk by its hash",
                auth: .gateway, success: .bytes(type: "application/octet-stream")
            ) { call in try await self.blob(call) },
            Endpoint(
                .get, "/dp/v1/roots/{version}", "dataplane.root",
                "A trust root by its version: public keys, and who signed for them", auth: .open,
                success: .bytes(type: Self.wireType)
            ) { call in try await self.root(call) },
            Endpoint(
                .get, "/dp/v1/time", "dataplane.time", "The time, signed for the caller's nonce", auth: .open,
                query: [
                    QueryParameter(
                        "nonce", .string(.length(SignedTime.nonceLengths)), "16 to 32 random bytes in base64url.",
                        isRequired: true
                    )
                ], success: .bytes(type: Self.wireType)
            ) { call in try await self.signedTime(call) },
            Endpoint(
                .post, "/dp/v1/status", "dataplane.status", "What a gateway serves, and what it refused",
                auth: .gateway, body: .bytes(limit: 4096), status: 204, success: .empty
            ) { call in try await self.status(call) },
            Endpoint(
                .post, "/dp/v1/usage", "dataplane.usage", "A batch of usage records", auth: .gateway,
                body: .bytes(limit: UsageBatch.sizeLimit), success: .bytes(type: Self.wireType)
            ) { call in try await self.usage(call) },
            Endpoint(
                .post, "/dp/v1/leases:renew", "dataplane.leases", "Money of budgets for a process of a gateway",
                auth: .gateway, body: .bytes(limit: LeaseRequest.sizeLimit), success: .bytes(type: Self.wireType)
            ) { call in try await self.renewLeases(call) },
        ]
    }

    private static func caller(_ call: Call) throws(ControlError) -> GatewayCaller {
        guard let caller = call.gateway else { throw ControlError.notFound("gateway") }
        return caller
    }

    private func timestamp(_ call: Call) async throws -> Answer {
        let caller = try Self.caller(call)
        guard try call.id("group", GatewayGroupKind.self) == caller.group else {
            throw ControlError.hidden("gateway group")
        }
        try await self.processes.admit(caller, as: call.context)
        let known = Int(call.query["sequence"]?.integer ?? 0)
        let wait = Int(call.query["wait"]?.integer ?? 0)
        guard let envelope = try await self.feed.timestamp(caller.group, known: known, wait: wait) else {
            return Answer(status: 304)
        }
        return Answer(body: .bytes(envelope, type: Self.wireType))
    }

    private func blob(_ call: Call) async throws -> Answer {
        try await self.processes.admit(try Self.caller(call), as: call.context)
        guard let hash = call.path["sha256"].flatMap({ Hex.decode($0) }), hash.count == 32 else {
            throw ControlError.notFound("blob")
        }
        let bytes = try await self.database.transaction(.readOnly) { tx in
            try tx.queryOne("select bytes from blob where sha256 = $1", hash)?.get("bytes", as: [UInt8].self)
        }
        guard let bytes else { throw ControlError.notFound("blob") }
        return Answer(body: .bytes(bytes, type: "application/octet-stream"))
    }

    private func root(_ call: Call) async throws -> Answer {
        // Anybody may ask: what is known is not read again, and what is far from it not looked for.
        let known = try await self.signing.current().roots
        guard let version = call.path["version"].flatMap({ Int32($0) }), version >= 1,
            version <= known.count + Self.rootsAhead
        else { throw ControlError.notFound("root") }
        if version <= known.count { return Answer(body: .bytes(known[Int(version) - 1], type: Self.wireType)) }
        let bytes = try await self.database.transaction(.readOnly) { tx in
            try tx.queryOne("select envelope from trust_root where version = $1", version)?
                .get("envelope", as: [UInt8].self)
        }
        guard let bytes else { throw ControlError.notFound("root") }
        return Answer(body: .bytes(bytes, type: Self.wireType))
    }

    private func signedTime(_ call: Call) async throws -> Answer {
        guard let nonce = call.query["nonce"]?.string.flatMap({ Base64URL.decode($0) }),
            SignedTime.nonceSizes.contains(nonce.count)
        else {
            throw ControlError(
                .invalid, "invalid_parameter", "16 to 32 bytes in base64url are needed.", pointer: "nonce")
        }
        let keys = try await self.signing.current()
        let time = SignedTime(deployment: keys.deployment, nonce: nonce, time: self.time.now())
        return Answer(body: .bytes(try keys.sign(.time, time.wireBytes), type: Self.wireType))
    }

    private func status(_ call: Call) async throws -> Answer {
        let caller = try Self.caller(call)
        let report: StatusReport = try Self.decode(call.bytes)
        // One that is ending lives beside the next for a while, as it should.
        if !report.isDraining { _ = try await self.processes.judge(caller, as: call.context) }
        let now = self.time.now()
        try await self.database.transaction { tx in try StatusReports.record(&tx, report, from: caller, now: now) }
        return Answer(status: 204)
    }

    private func usage(_ call: Call) async throws -> Answer {
        let caller = try Self.caller(call)
        let batch: UsageBatch = try Self.decode(call.bytes)
        let result = try await self.intake.take(batch, from: caller, as: call.context)
        let reply = UsageReply(request: Array(SHA256.hash(data: call.bytes)), stream: batch.stream, last: result.last)
        let signed = try await self.signing.current().sign(.usageReply, reply.wireBytes)
        return Answer(body: .bytes(signed, type: Self.wireType))
    }

    private func renewLeases(_ call: Call) async throws -> Answer {
        let caller = try Self.caller(call)
        let request: LeaseRequest = try Self.decode(call.bytes)
        guard request.gateway == caller.id else {
            throw ControlError(.notAllowed, "foreign_leases", "The leases are another gateway's.")
        }
        // A process that is shut out may give back and say what it spent, but gets nothing more. So does one that is
        // ending, which lives beside the next for a while, as it should.
        let isFenced: Bool
        if request.isDraining {
            isFenced = true
        } else {
            isFenced = try await self.processes.judge(caller, as: call.context).fencedAt != nil
        }
        var reply = try await self.renewals.renew(
            LeaseWord(request: request, caller: caller, isFenced: isFenced))
        reply.request = Array(SHA256.hash(data: call.bytes))
        let signed = try await self.signing.current().sign(.leaseReply, reply.wireBytes)
        return Answer(body: .bytes(signed, type: Self.wireType))
    }

    private static func decode<Value: WireMessage>(_ bytes: [UInt8]) throws(ControlError) -> Value {
        do throws(WireError) {
            return try Value(wire: bytes)
        } catch {
            throw ControlError(.invalid, "invalid_message", "The message is not readable: \(error).")
        }
    }
}
