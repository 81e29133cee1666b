package import Shared

/// Where an organization's events, or the instance's, are sent to.
package struct Webhook: Sendable, Hashable, Audited {
    /// One of its signing secrets, without the secret.
    package struct SecretInfo: Sendable, Hashable {
        package let version: Int
        package let createdAt: Timestamp
        package let expiresAt: Timestamp?
    }

    package let id: WebhookID
    /// Nil for the instance.
    package let organization: OrganizationID?
    package var name: String
    package var url: String
    /// Types of events, or `*` for every one.
    package var eventTypes: [String]
    package var status: ActiveStatus
    /// Why we disabled it; nil when an administrator did, or nobody.
    package var disabledReason: String?
    package var stamps: Stamps
    package var secrets: [SecretInfo] = []

    /// Of an organization, and of the instance.
    package static let countLimit = 16
    /// Seconds for which the secret before may still sign: 30 days.
    package static let overlapLimit: Int64 = 2_592_000

    package func applying(_ patch: JSONValue, at time: Timestamp) throws(ControlError) -> Webhook {
        var result = self
        if let name = patch["name"]?.string { result.name = name }
        if let url = patch["url"]?.string { result.url = url }
        if let types = patch["event_types"]?.array { result.eventTypes = types.compactMap(\.string) }
        if let status = patch["status"]?.string.flatMap({ ActiveStatus(rawValue: $0) }) {
            result.status = status
            result.disabledReason = nil
        }
        try result.check()
        result.stamps.advance(to: time)
        return result
    }

    /// Throws unless it can be sent to: the rules of a provider's base URL, and http for this machine alone.
    func check() throws(ControlError) {
        let url: UpstreamURL
        do throws(UpstreamURL.Failure) {
            url = try UpstreamURL(self.url)
        } catch {
            throw .invalid("The URL \(error.reason).", at: "/url")
        }
        guard url.isTLS || WebhookNetworks.isLoopback(url.host) else {
            throw .invalid(
                "The URL must begin with https://; http:// is for localhost, 127.0.0.1 and [::1].", at: "/url")
        }
        guard Set(self.eventTypes).count == self.eventTypes.count else {
            throw .invalid("A type is named twice.", at: "/event_types")
        }
        // What would never come is not asked for.
        let foreign = self.organization == nil ? Event.organizationTypes : Event.instanceTypes
        guard let index = self.eventTypes.firstIndex(where: { foreign.contains($0) }) else { return }
        let owners = self.organization == nil ? "organizations" : "the instance"
        throw .invalid(
            "Events of the type \(self.eventTypes[index]) are of \(owners) only.", at: "/event_types/\(index)")
    }

    package var auditState: JSONValue {
        [
            "id": JSONValue(self.id), "event_types": JSONValue(self.eventTypes),
            "status": .string(self.status.rawValue), "revision": .integer(self.stamps.revision),
            "secrets": .array(self.secrets.map(\.json)),
        ]
    }

    /// An address may hold what only the receiver shall know.
    package var auditPersonal: JSONValue { ["name": .string(self.name), "url": .string(self.url)] }

    package var json: JSONValue {
        [
            "id": JSONValue(self.id), "organization": JSONValue(self.organization), "name": .string(self.name),
            "url": .string(self.url), "event_types": JSONValue(self.eventTypes),
            "status": .string(self.status.rawValue), "disabled_reason": JSONValue(self.disabledReason),
            "secrets": .array(self.secrets.map(\.json)),
        ].adding(self.stamps.json)
    }

    // MARK: Schemas

    private static let organizationSchema = Schema.id(OrganizationKind.self).orNull
        .described("Whose events are sent; null is the instance.")
    private static let urlSchema = Schema.string(.length(1...1024)).described(
        "https, without user, query and fragment; http for localhost, 127.0.0.1 and [::1] only.")
    private static let typesSchema = Schema.array(of: .string(.oneOf(["*"] + Event.types)), count: 1...8)
        .described("Types of events that are sent; * for every one.")

    package static let schema = Schema.named(
        "Webhook",
        .object(
            [
                .required("id", .id(WebhookKind.self)), .required("organization", Self.organizationSchema),
                .required("name", .name), .required("url", Self.urlSchema),
                .required("event_types", Self.typesSchema), .required("status", .activeStatus),
                .required(
                    "disabled_reason",
                    Schema.string(.length(1...200)).orNull.described("Why it was disabled by itself.")),
                .required("secrets", .list(of: SecretInfo.schema)),
            ] + Stamps.members + [
                .optional(
                    "secret",
                    Schema.string(.length(1...200)).described("What deliveries are signed with; shown this once.")),
                .optional("secret_already_issued", .bool),
            ])
    )

    package static let creationSchema = Schema.object([
        .required("organization", Self.organizationSchema), .required("name", .name),
        .required("url", Self.urlSchema), .required("event_types", Self.typesSchema),
    ])

    package static let patchSchema = Schema.object([
        .optional("name", .name), .optional("url", Self.urlSchema), .optional("event_types", Self.typesSchema),
        .optional("status", .activeStatus),
    ])

    package static let rotationSchema = Schema.object([
        .required(
            "overlap_seconds",
            Schema.integer(0...Self.overlapLimit).described(
                "For how long deliveries are signed with the secret before, too."))
    ])
}

extension Webhook.SecretInfo {
    static let schema = Schema.object([
        .required("version", .count), .required("created_at", .timestamp),
        .required("expires_at", Schema.timestamp.orNull),
    ])

    var json: JSONValue {
        [
            "version": .integer(Int64(self.version)), "created_at": JSONValue(self.createdAt),
            "expires_at": JSONValue(self.expiresAt),
        ]
    }
}
