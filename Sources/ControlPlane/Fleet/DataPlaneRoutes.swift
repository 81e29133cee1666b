import Crypto
package import Logging
package import Postgres
package import Shared
import Synchronization

/// The endpoints that gateways call.
///
/// Bodies are in protobuf wire format, see the `.proto` files in `Sources/Shared`.
package struct DataPlaneRoutes: Sendable {
    private let database: Database
    private let feed: TimestampFeed
    private let enrolment: Enrolment
    private let signing: SigningKeyCache
    private let time: TimeSource
    private let logger: Logger
    /// For metrics.
    package let figures: IngestFigures

    static let wireType = "application/x-protobuf"

    package init(
        database: Database, feed: TimestampFeed, enrolment: Enrolment, signing: SigningKeyCache, time: TimeSource,
        logger: Logger
    ) {
        self.database = database
        self.feed = feed
        self.enrolment = enrolment
        self.signing = signing
        self.time = time
        self.logger = logger
        self.figures = IngestFigures()
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
                .get, "/dp/v1/roots/{version}", "dataplane.root", "A trust root by its version", auth: .gateway,
                success: .bytes(type: Self.wireType)
            ) { call in try await self.root(call) },
            Endpoint(
                .post, "/dp/v1/status", "dataplane.status", "What a gateway serves, and what it refused",
                auth: .gateway, body: .bytes(limit: 4096), status: 204, success: .empty
            ) { call in try await self.status(call) },
            Endpoint(
                .post, "/dp/v1/usage", "dataplane.usage", "A batch of usage records", auth: .gateway,
                body: .bytes(limit: UsageBatch.sizeLimit), success: .bytes(type: Self.wireType)
            ) { call in try await self.usage(call) },
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
        let known = Int(call.query["sequence"]?.integer ?? 0)
        let wait = Int(call.query["wait"]?.integer ?? 0)
        guard let envelope = try await self.feed.timestamp(caller.group, known: known, wait: wait) else {
            return Answer(status: 304)
        }
        return Answer(body: .bytes(envelope, type: Self.wireType))
    }

    private func blob(_ call: Call) async throws -> Answer {
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
        guard let version = call.path["version"].flatMap({ Int32($0) }) else { throw ControlError.notFound("root") }
        let bytes = try await self.database.transaction(.readOnly) { tx in
            try tx.queryOne("select envelope from trust_root where version = $1", version)?
                .get("envelope", as: [UInt8].self)
        }
        guard let bytes else { throw ControlError.notFound("root") }
        return Answer(body: .bytes(bytes, type: Self.wireType))
    }

    private func status(_ call: Call) async throws -> Answer {
        let caller = try Self.caller(call)
        let report: StatusReport = try Self.decode(call.bytes)
        let now = self.time.now()
        try await self.database.transaction { tx in try StatusReports.record(&tx, report, from: caller, now: now) }
        return Answer(status: 204)
    }

    private func usage(_ call: Call) async throws -> Answer {
        let caller = try Self.caller(call)
        let batch: UsageBatch = try Self.decode(call.bytes)
        let now = self.time.now()
        let result: UsageIngest.Result
        do {
            result = try await self.database.transaction(retrySerialization: 3) { tx in
                try UsageIngest.ingest(&tx, batch, from: caller, now: now)
            }
        } catch UsageIngest.Failure.foreignStream {
            throw ControlError(.notAllowed, "foreign_stream", "The usage stream is another gateway's.")
        }
        self.figures.add(result)
        if result.rejected > 0 || result.mispriced > 0 {
            self.logger.warning(
                "usage was not as it should be",
                metadata: [
                    "gateway": "\(caller.id)", "stream": "\(batch.stream)", "rejected": "\(result.rejected)",
                    "mispriced": "\(result.mispriced)",
                ]
            )
        }
        let reply = UsageReply(request: Array(SHA256.hash(data: call.bytes)), stream: batch.stream, last: result.last)
        let signed = try await self.signing.current().sign(.usageReply, reply.wireBytes)
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

/// What was taken in, for metrics.
package final class IngestFigures: Sendable {
    package struct Values: Sendable {
        package var stored = 0
        package var rejected = 0
        package var mispriced = 0
        package var repeated = 0
    }

    private let values = Mutex(Values())

    init() {}

    package var current: Values { self.values.withLock { $0 } }

    func add(_ result: UsageIngest.Result) {
        self.values.withLock { values in
            values.stored += result.stored
            values.rejected += result.rejected
            values.mispriced += result.mispriced
            if result.stored + result.rejected == 0 { values.repeated += 1 }
        }
    }
}
