import Postgres
package import Shared

/// Records of a stream that a gateway declared lost.
package struct UsageGap: Sendable, Audited {
    package let stream: UsageStreamID
    package let gateway: GatewayID
    /// Numbers of the first and the last of them.
    package let from: Int64
    package let to: Int64
    /// The name of a `UsageLossReason`.
    package let reason: String
    package let reportedAt: Timestamp

    init(_ batch: UsageBatch, _ lost: UsageLoss, at time: Timestamp) {
        self.stream = batch.stream
        self.gateway = batch.gateway
        self.from = Int64(lost.from)
        self.to = Int64(batch.from) - 1
        self.reason = lost.reason.name
        self.reportedAt = time
    }

    init(_ row: Row) throws {
        self.stream = try row.get("stream_id")
        self.gateway = try row.get("gateway_id")
        self.from = try row.get("from_seq")
        self.to = try row.get("to_seq")
        self.reason = try row.get("reason")
        self.reportedAt = try row.get("reported_at")
    }

    package var auditState: JSONValue {
        [
            "stream": JSONValue(self.stream), "from": .integer(self.from), "to": .integer(self.to),
            "reason": .string(self.reason),
        ]
    }

    static let schema = Schema.named(
        "UsageGap",
        .object([
            .required("gateway", .id(GatewayKind.self)), .required("stream", .id(UsageStreamKind.self)),
            .required("from", Schema.count.described("Number of the first lost record in its stream.")),
            .required("to", Schema.count.described("Number of the last.")), .required("records", .count),
            .required(
                "reason",
                Schema.string(.oneOf(UsageLossReason.allCases.map(\.name))).described(
                    "released: it was acknowledged once and let go; missing: the gateway's disk does not have it.")
            ),
            .required("reported_at", .timestamp),
        ])
    )

    var json: JSONValue {
        [
            "gateway": JSONValue(self.gateway), "stream": JSONValue(self.stream), "from": .integer(self.from),
            "to": .integer(self.to), "records": .integer(self.to - self.from + 1), "reason": .string(self.reason),
            "reported_at": JSONValue(self.reportedAt),
        ]
    }

    /// What the list goes on after.
    var position: [UInt8] {
        var bytes: [UInt8] = []
        bytes.appendBigEndian(UInt64(bitPattern: self.reportedAt.microseconds))
        bytes += self.stream.bytes
        bytes.appendBigEndian(UInt64(bitPattern: self.from))
        return bytes
    }

    static let positionSize = 32
}

/// The SQL of lost usage.
enum UsageGapStore {
    static func insert(_ tx: inout Transaction, _ gap: UsageGap, _: borrowing Permit) throws {
        _ = try tx.execute(
            """
            insert into usage_gap (stream_id, from_seq, to_seq, gateway_id, reason, reported_at)
            values ($1, $2, $3, $4, $5, $6)
            """, gap.stream, gap.from, gap.to, gap.gateway, gap.reason, gap.reportedAt
        )
    }

    /// Newest first.
    static func list(_ tx: inout Transaction, gateway: GatewayID?, _ page: PageRequest) throws -> [UsageGap] {
        let before = page.after.map { bytes in
            (
                at: Timestamp(microseconds: Int64(bitPattern: bytes.bigEndianUInt64(at: 0))),
                stream: UUIDValue(bytes: Array(bytes[8..<24])),
                from: Int64(bitPattern: bytes.bigEndianUInt64(at: 24))
            )
        }
        return try tx.query(
            """
            select stream_id, from_seq, to_seq, gateway_id, reason, reported_at from usage_gap
            where ($1::uuid is null or gateway_id = $1)
                and ($2::timestamptz is null or (reported_at, stream_id, from_seq) < ($2, $3::uuid, $4::bigint))
            order by reported_at desc, stream_id desc, from_seq desc limit $5
            """, gateway, before?.at, before?.stream, before?.from, page.fetchLimit
        ).map { try UsageGap($0) }
    }
}
