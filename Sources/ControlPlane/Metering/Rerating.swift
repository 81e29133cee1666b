package import Shared

/// What the records of a model cost after its price was corrected, and what that changes.
package struct Rerating: Sendable, Hashable, Audited {
    package let id: ReratingID
    package let model: ModelID
    /// Nil for all organizations.
    package let organization: OrganizationID?
    /// Records that began not before.
    package let from: Timestamp
    /// Records that began before.
    package let to: Timestamp
    package let reason: String
    /// Records that were charged and looked at.
    package let records: Int
    /// Those whose cost changed.
    package let corrected: Int
    /// What the records cost before, with earlier corrections; saturating.
    package let before: NanoUSD
    package let after: NanoUSD
    package let createdBy: Actor
    package let createdAt: Timestamp

    /// Most records of one; more are for several, of shorter periods.
    package static let recordsLimit = 50_000
    /// Seconds of the longest period: 31 days.
    package static let periodLimit: Int64 = 31 * 86_400

    package var auditState: JSONValue { .object(self.state) }
    package var auditPersonal: JSONValue { ["reason": .string(self.reason)] }

    private var state: [String: JSONValue] {
        [
            "id": JSONValue(self.id), "model": JSONValue(self.model), "organization": JSONValue(self.organization),
            "from": JSONValue(self.from), "to": JSONValue(self.to), "records": .integer(Int64(self.records)),
            "corrected": .integer(Int64(self.corrected)),
            "before_nano_usd": .string(String(self.before.amount)),
            "after_nano_usd": .string(String(self.after.amount)),
            "difference_nano_usd": .string(String(self.after.amount - self.before.amount)),
            "created_by": ["kind": .string(self.createdBy.kind.rawValue), "id": .string(self.createdBy.text)],
            "created_at": JSONValue(self.createdAt),
        ]
    }

    package var json: JSONValue { .object(self.state.merging(["reason": .string(self.reason)]) { $1 }) }

    private static let reason = Schema.string(.length(0...500))

    package static let schema = Schema.named(
        "Rerating",
        .object([
            .required("id", .id(ReratingKind.self)), .required("model", .id(ModelKind.self)),
            .required("organization", Schema.id(OrganizationKind.self).orNull), .required("from", .timestamp),
            .required("to", .timestamp), .required("reason", Self.reason), .required("records", .count),
            .required("corrected", .count), .required("before_nano_usd", .decimal),
            .required("after_nano_usd", .decimal),
            .required("difference_nano_usd", Schema.signed.described("After less before.")),
            .required(
                "created_by",
                .object([.required("kind", .string(.length(1...64))), .required("id", .string(.length(1...64)))])),
            .required("created_at", .timestamp),
        ])
    )

    package static let creationSchema = Schema.object([
        .required("model", .id(ModelKind.self)),
        .optional("organization", Schema.id(OrganizationKind.self).orNull.described("All when absent.")),
        .required("from", Schema.timestamp.described("Records that began not before.")),
        .required("to", Schema.timestamp.described("And before; at most 31 days later.")),
        .optional("reason", Self.reason),
    ])
}

/// What one record costs after a re-rating.
package struct UsageCorrection: Sendable, Hashable {
    package let stream: UsageStreamID
    package let sequence: Int64
    package let request: RequestID
    package let organization: OrganizationID
    package let project: ProjectID
    package let key: VirtualKeyID
    package let started: Timestamp
    package let priceBefore: PriceID?
    package let priceAfter: PriceID
    package let before: NanoUSD
    package let after: NanoUSD

    package static let schema = Schema.named(
        "UsageCorrection",
        .object([
            .required("request", .id(RequestKind.self)), .required("organization", .id(OrganizationKind.self)),
            .required("project", .id(ProjectKind.self)), .required("key", .id(VirtualKeyKind.self)),
            .required("started_at", .timestamp), .required("price_before", Schema.id(PriceKind.self).orNull),
            .required("price_after", .id(PriceKind.self)), .required("before_nano_usd", .decimal),
            .required("after_nano_usd", .decimal),
        ])
    )

    package var json: JSONValue {
        [
            "request": JSONValue(self.request), "organization": JSONValue(self.organization),
            "project": JSONValue(self.project), "key": JSONValue(self.key), "started_at": JSONValue(self.started),
            "price_before": JSONValue(self.priceBefore), "price_after": JSONValue(self.priceAfter),
            "before_nano_usd": .string(String(self.before.amount)),
            "after_nano_usd": .string(String(self.after.amount)),
        ]
    }

    /// What the list goes on after.
    package var position: [UInt8] {
        var bytes = self.stream.bytes
        bytes.appendBigEndian(UInt64(bitPattern: self.sequence))
        return bytes
    }

    package static let positionSize = 24
}
