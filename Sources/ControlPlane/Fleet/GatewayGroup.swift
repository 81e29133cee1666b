package import Shared

/// Gateways that are given the same snapshot: usually those of a region.
package struct GatewayGroup: Sendable, Hashable, Audited {
    package let id: GatewayGroupID
    package var name: String
    package var keyBucketBits: Int64
    package var maxStaleSeconds: Int64
    package var maxBodyBytes: Int64
    package var requestSeconds: Int64
    package var unpricedModels: Manifest.UnpricedModels
    package var organizations: [OrganizationID]
    package var revision: Int64
    package let createdAt: Timestamp
    package var updatedAt: Timestamp

    package func filled(by body: JSONValue) -> GatewayGroup {
        var result = self
        if let name = body["name"]?.string { result.name = name }
        if let bits = body["key_bucket_bits"]?.integer { result.keyBucketBits = bits }
        if let seconds = body["max_stale_seconds"]?.integer { result.maxStaleSeconds = seconds }
        if let bytes = body["max_body_bytes"]?.integer { result.maxBodyBytes = bytes }
        if let seconds = body["request_seconds"]?.integer { result.requestSeconds = seconds }
        if let name = body["unpriced_models"]?.string, let choice = Manifest.UnpricedModels(name: name) {
            result.unpricedModels = choice
        }
        return result
    }

    package func applying(_ patch: JSONValue, at time: Timestamp) -> GatewayGroup {
        var result = self.filled(by: patch)
        result.revision += 1
        result.updatedAt = time
        return result
    }

    package var auditState: JSONValue {
        [
            "id": JSONValue(self.id), "key_bucket_bits": .integer(self.keyBucketBits),
            "max_stale_seconds": .integer(self.maxStaleSeconds), "max_body_bytes": .integer(self.maxBodyBytes),
            "request_seconds": .integer(self.requestSeconds), "unpriced_models": .string(self.unpricedModels.name),
            "organizations": .integer(Int64(self.organizations.count)),
            "revision": .integer(self.revision),
        ]
    }

    package var auditPersonal: JSONValue { ["name": .string(self.name)] }

    private static let limits: [(name: String, range: ClosedRange<Int64>, summary: String)] = [
        ("key_bucket_bits", 8...11, "Keys are in two to the power of this many chunks."),
        ("max_stale_seconds", 60...31_536_000, "How long gateways serve without the control plane."),
        ("max_body_bytes", 1024...1_073_741_824, "Most bytes of a request's body."),
        ("request_seconds", 1...86_400, "Longest that a request may take."),
    ]

    private static func limitMembers(_ make: (String, Schema) -> Schema.Member) -> [Schema.Member] {
        Self.limits.map { make($0.name, Schema.integer($0.range).described($0.summary)) } + [
            make(
                "unpriced_models",
                Schema.string(.oneOf(Manifest.UnpricedModels.allCases.map(\.name))).described(
                    "Requests of models without a price are refused, or charged at the fallback price as estimates."))
        ]
    }

    package static let schema = Schema.named(
        "GatewayGroup",
        .object(
            [.required("id", .id(GatewayGroupKind.self)), .required("name", .name)]
                + Self.limitMembers { .required($0, $1) }
                + [.required("organizations", .list(of: .id(OrganizationKind.self)))] + Stamps.members
        )
    )

    package static let creationSchema = Schema.object(
        [.required("name", .name)] + Self.limitMembers { .optional($0, $1) }
    )

    package static let patchSchema = Schema.object([.optional("name", .name)] + Self.limitMembers { .optional($0, $1) })

    package var json: JSONValue {
        [
            "id": JSONValue(self.id), "name": .string(self.name), "key_bucket_bits": .integer(self.keyBucketBits),
            "max_stale_seconds": .integer(self.maxStaleSeconds), "max_body_bytes": .integer(self.maxBodyBytes),
            "request_seconds": .integer(self.requestSeconds), "unpriced_models": .string(self.unpricedModels.name),
            "organizations": .array(self.organizations.map { JSONValue($0) }), "revision": .integer(self.revision),
            "created_at": JSONValue(self.createdAt), "updated_at": JSONValue(self.updatedAt),
        ]
    }
}
