import Postgres
package import Shared

/// One finished request, as it is listed.
package struct UsageEntry: Sendable {
    package let ingestedAt: Timestamp
    package let stream: UsageStreamID
    package let sequence: Int64
    /// The accounts that it was charged to.
    let charges: [Charge]
    private let members: [String: JSONValue]
    /// What it costs since it was re-rated; the record itself stays as it was settled.
    package var correction: Correction?

    /// The columns of units, in the order of the meters.
    static let unitColumns = Meter.allCases.map(\.name)

    /// Reads whole rows of `usage_event`, with the tags that they name.
    static func read(_ rows: Rows, _ tx: inout Transaction) throws -> [UsageEntry] {
        let texts = try UsageTagSets.texts(&tx, Set(try rows.map { try $0.get("tag_set_id", as: Int64.self) }))
        return try rows.map { try UsageEntry($0, tags: texts[try $0.get("tag_set_id")]) }
    }

    private init(_ row: Row, tags: String?) throws {
        self.ingestedAt = try row.get("ingested_at")
        self.stream = try row.get("stream_id")
        self.sequence = try row.get("seq")
        self.charges = (try row.optional("charges", as: [Int64].self) ?? []).compactMap {
            Charge(value: UInt64(bitPattern: $0))
        }
        let tier = ServiceTier(rawValue: UInt8(clamping: try row.get("service_tier", as: Int64.self)))
        let outcome = RequestOutcome(rawValue: UInt8(clamping: try row.get("outcome", as: Int64.self)))
        let cost: NanoUSD = try row.get("cost_nano_usd")
        var members: [String: JSONValue] = [
            "request": JSONValue(try row.get("request_id", as: RequestID.self)),
            "gateway": JSONValue(try row.get("gateway_id", as: GatewayID.self)),
            "organization": JSONValue(try row.get("organization_id", as: OrganizationID.self)),
            "project": JSONValue(try row.get("project_id", as: ProjectID.self)),
            "key": JSONValue(try row.get("key_id", as: VirtualKeyID.self)),
            "user": JSONValue(try row.optional("owner_id", as: UserID.self)),
            "snapshot": [
                "epoch": .integer(try row.get("snapshot_epoch")), "version": .integer(try row.get("snapshot_version")),
            ],
            "route": JSONValue(try row.optional("route_id", as: RouteID.self)),
            "model": JSONValue(try row.optional("model_id", as: ModelID.self)),
            "provider": JSONValue(try row.optional("provider_id", as: ProviderID.self)),
            "price": JSONValue(try row.optional("price_id", as: PriceID.self)),
            "adjustment": JSONValue(try row.optional("adjustment_id", as: AdjustmentID.self)),
            "service_tier": .string(tier?.name ?? "standard"), "outcome": .string(outcome?.name ?? "unknown"),
            "started_at": JSONValue(try row.get("started_at", as: Timestamp.self)),
            "ingested_at": JSONValue(self.ingestedAt), "duration_us": .integer(try row.get("duration_us")),
            "first_byte_us": .integer(try row.get("first_byte_us")), "status": .integer(try row.get("status")),
            "stream": .bool(try row.get("stream")), "estimate": .bool(try row.get("estimate")),
            "attempts": .integer(try row.get("attempts")), "code": .string(try row.get("code")),
            "amount_nano_usd": .string(String(cost.amount)), "amount_usd": JSONValue(cost),
            "tags": UsageTagSets.object(tags), "refused_by": try RefusalEntry(row)?.json ?? .null,
        ]
        var units: [String: JSONValue] = [:]
        for name in Self.unitColumns { units[name] = .integer(try row.get(name)) }
        members["units"] = .object(units)
        self.members = members
    }

    package var json: JSONValue {
        .object(self.members.merging(["correction": self.correction?.json ?? .null]) { $1 })
    }

    /// What the list goes on after.
    package var position: [UInt8] {
        var bytes: [UInt8] = []
        bytes.appendBigEndian(UInt64(bitPattern: self.ingestedAt.microseconds))
        bytes += self.stream.bytes
        bytes.appendBigEndian(UInt64(bitPattern: self.sequence))
        return bytes
    }

    package static let positionSize = 32

    /// A position, read back.
    struct Position: Sendable {
        let arrival: Timestamp
        let stream: UUIDValue?
        let sequence: Int64

        /// - Parameter bytes: as many as a position has.
        init(_ bytes: [UInt8]) {
            self.arrival = Timestamp(microseconds: Int64(bitPattern: bytes.bigEndianUInt64(at: 0)))
            self.stream = UUIDValue(bytes: Array(bytes[8..<24]))
            self.sequence = Int64(bitPattern: bytes.bigEndianUInt64(at: 24))
        }
    }

    static let tags = Schema.map(valueLength: TagText.valueLimit, count: TagText.countLimit, nullValues: false)
        .described("Its tags; (other) stands for values beyond a bound.")

    static let units = Schema.object(Self.unitColumns.map { .required($0, .count) })

    package static let schema = Schema.named(
        "UsageRecord",
        .object([
            .required("request", .id(RequestKind.self)), .required("gateway", .id(GatewayKind.self)),
            .required("organization", .id(OrganizationKind.self)), .required("project", .id(ProjectKind.self)),
            .required("key", .id(VirtualKeyKind.self)),
            .required("user", Schema.id(UserKind.self).orNull.described("Who owned the key.")),
            .required(
                "snapshot",
                Schema.object([.required("epoch", .count), .required("version", .count)]).described(
                    "The policy that it was decided by.")),
            .required("route", Schema.id(RouteKind.self).orNull),
            .required("model", Schema.id(ModelKind.self).orNull),
            .required("provider", Schema.id(ProviderKindID.self).orNull),
            .required("price", Schema.id(PriceKind.self).orNull),
            .required("adjustment", Schema.id(AdjustmentKind.self).orNull),
            .required("service_tier", .string(.oneOf(PriceItems.tiers))),
            .required("outcome", .string(.length(1...32))), .required("started_at", .timestamp),
            .required("ingested_at", .timestamp),
            .required("duration_us", Schema.count.described("From the request's first byte to its answer's end.")),
            .required("first_byte_us", Schema.count.described("To the answer's first byte; 0 when there was none.")),
            .required("status", .count), .required("stream", .bool), .required("estimate", .bool),
            .required("attempts", Schema.count.described("Times a provider was tried.")),
            .required("code", Schema.string(.length(0...64)).described("Why it was refused or failed; else empty.")),
            .required(
                "refused_by", RefusalEntry.schema.orNull.described("The rule that refused or ended it, where one did.")),
            .required("units", Self.units), .required("tags", Self.tags),
            .required("amount_nano_usd", .decimal), .required("amount_usd", .string(.dollars)),
            .required(
                "correction",
                Correction.schema.orNull.described(
                    "What it costs since the newest re-rating that changed that; or null.")
            ),
        ])
    )
}
