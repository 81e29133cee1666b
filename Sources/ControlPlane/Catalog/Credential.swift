package import Shared

/// A provider's secret, known by reference.
///
/// Its text goes in and never comes out.
package struct Credential: Sendable, Hashable, Audited {
    package let id: CredentialID
    package let provider: ProviderID
    package let owner: Ownership
    package var name: String
    package var status: ActiveStatus
    /// Grows with each rotation.
    package var version: Int
    /// The last characters of a secret that is long enough to show them.
    package var hint: String
    package var stamps: Stamps

    package func applying(_ patch: JSONValue, at time: Timestamp) -> Credential {
        var result = self
        if let name = patch["name"]?.string { result.name = name }
        if let status = patch["status"]?.string.flatMap({ ActiveStatus(rawValue: $0) }) { result.status = status }
        result.stamps.advance(to: time)
        return result
    }

    /// Four of at least twelve characters give nothing away that matters.
    package static func hint(of secret: Secret<String>) -> String {
        let text = secret.reveal()
        return text.count >= 12 ? String(text.suffix(4)) : ""
    }

    package var auditState: JSONValue {
        [
            "id": JSONValue(self.id), "provider": JSONValue(self.provider), "status": .string(self.status.rawValue),
            "version": .integer(Int64(self.version)), "revision": .integer(self.stamps.revision),
        ]
    }

    package var auditPersonal: JSONValue { ["name": .string(self.name)] }

    private static let secretSchema = Schema.secret(.string(.length(1...4096)))
        .described("Goes in and never comes out.")

    package static let schema = Schema.named(
        "Credential",
        .object(
            [
                .required("id", .id(CredentialKind.self)), .required("provider", .id(ProviderKindID.self)),
                .required("name", .name), .required("status", .activeStatus), .required("version", .count),
                .required("hint", .string(.length(0...4))),
            ] + Stamps.members)
    )

    package static let creationSchema = Schema.object([
        .required("provider", .id(ProviderKindID.self)), .required("name", .name),
        .required("secret", Self.secretSchema),
    ])

    package static let patchSchema = Schema.object([.optional("name", .name), .optional("status", .activeStatus)])

    package static let rotationSchema = Schema.object([.required("secret", Self.secretSchema)])

    package var json: JSONValue {
        [
            "id": JSONValue(self.id), "provider": JSONValue(self.provider), "name": .string(self.name),
            "status": .string(self.status.rawValue), "version": .integer(Int64(self.version)),
            "hint": .string(self.hint),
        ].adding(self.stamps.json)
    }
}
