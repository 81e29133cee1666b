package import Shared

/// An account with someone who serves models.
package struct Provider: Sendable, Hashable, Audited {
    package let id: ProviderID
    package let owner: Ownership
    package var name: String
    package let kind: String
    /// Empty for the built-in mock.
    package var baseURL: String
    package var status: ActiveStatus
    package var stamps: Stamps

    package static let kinds = ["openai", "openai-compatible", "mock"]

    package func applying(_ patch: JSONValue, at time: Timestamp) throws(ControlError) -> Provider {
        var result = self
        if let name = patch["name"]?.string { result.name = name }
        if let status = patch["status"]?.string.flatMap({ ActiveStatus(rawValue: $0) }) { result.status = status }
        if let url = patch["base_url"]?.string { result.baseURL = url }
        try result.check()
        result.stamps.advance(to: time)
        return result
    }

    /// Throws unless the base URL fits the kind.
    func check() throws(ControlError) {
        if self.kind == "mock" {
            guard self.baseURL.isEmpty else { throw .invalid("The mock has no base URL.", at: "/base_url") }
            return
        }
        do throws(UpstreamURL.Failure) {
            _ = try UpstreamURL(self.baseURL)
        } catch {
            throw .invalid("The base URL \(error.reason).", at: "/base_url")
        }
    }

    package var auditState: JSONValue {
        [
            "id": JSONValue(self.id), "scope": JSONValue(self.owner.scope), "kind": .string(self.kind),
            "status": .string(self.status.rawValue), "revision": .integer(self.stamps.revision),
        ]
    }

    package var auditPersonal: JSONValue { ["name": .string(self.name), "base_url": .string(self.baseURL)] }

    package static let schema = Schema.named(
        "Provider",
        .object(
            [
                .required("id", .id(ProviderKindID.self)), .required("scope", Ownership.schema),
                .required("name", .name),
                .required("kind", .string(.oneOf(Self.kinds))), .required("base_url", .string(.length(0...1024))),
                .required("status", .activeStatus),
            ] + Stamps.members)
    )

    package static let creationSchema = Schema.object([
        .required("name", .name), .required("kind", .string(.oneOf(Self.kinds))),
        .optional("base_url", Schema.string(.length(0...1024)).described("Needed, but for the mock.")),
        .optional("scope", Ownership.schema),
    ])

    package static let patchSchema = Schema.object([
        .optional("name", .name), .optional("base_url", .string(.length(0...1024))), .optional("status", .activeStatus),
    ])

    package var json: JSONValue {
        [
            "id": JSONValue(self.id), "scope": JSONValue(self.owner.scope), "name": .string(self.name),
            "kind": .string(self.kind), "base_url": .string(self.baseURL), "status": .string(self.status.rawValue),
        ].adding(self.stamps.json)
    }
}
