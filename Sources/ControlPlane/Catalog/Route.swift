package import Shared

/// A public alias, and the models that may serve it.
package struct Route: Sendable, Hashable, Audited {
    package struct Target: Sendable, Hashable {
        package let model: ModelID
        package let credential: CredentialID?
        /// Targets of a higher order are tried after those of a lower one.
        package let order: Int64
        /// Share among the targets of the same order.
        package let weight: Int64
    }

    package let id: RouteID
    package let owner: Ownership
    package let alias: String
    package var targets: [Target]
    package var status: ActiveStatus
    package var stamps: Stamps

    package func applying(_ patch: JSONValue, at time: Timestamp) -> Route {
        var result = self
        if let targets = patch["targets"] { result.targets = Self.targets(targets) }
        if let status = patch["status"]?.string.flatMap({ ActiveStatus(rawValue: $0) }) { result.status = status }
        result.stamps.advance(to: time)
        return result
    }

    /// Of a value that the schema of targets accepts.
    package static func targets(_ value: JSONValue?) -> [Target] {
        (value?.array ?? []).compactMap { target in
            guard let model = target["model"]?.string.flatMap({ ModelID($0) }) else { return nil }
            return Target(
                model: model, credential: target["credential"]?.string.flatMap { CredentialID($0) },
                order: target["order"]?.integer ?? 0, weight: target["weight"]?.integer ?? 1
            )
        }
    }

    package var auditState: JSONValue {
        [
            "id": JSONValue(self.id), "scope": JSONValue(self.owner.scope), "alias": .string(self.alias),
            "status": .string(self.status.rawValue), "targets": .array(self.targets.map(\.json)),
            "revision": .integer(self.stamps.revision),
        ]
    }

    private static let targetsSchema = Schema.array(
        of: .object([
            .required("model", .id(ModelKind.self)), .optional("credential", Schema.id(CredentialKind.self).orNull),
            .optional("order", Schema.integer(0...100).described("Lower ones are tried first; 0 when absent.")),
            .optional("weight", Schema.integer(0...10_000).described("Share within an order; 1 when absent.")),
        ]), count: 1...32
    )

    package static let schema = Schema.named(
        "Route",
        .object(
            [
                .required("id", .id(RouteKind.self)), .required("scope", Ownership.schema),
                .required("alias", .string(.alias)), .required("status", .activeStatus),
                .required("targets", Self.targetsSchema),
            ] + Stamps.members)
    )

    package static let creationSchema = Schema.object([
        .required("alias", .string(.alias)), .required("targets", Self.targetsSchema),
        .optional("scope", Ownership.schema),
    ])

    package static let patchSchema = Schema.object([
        .optional("targets", Self.targetsSchema.described("Replaces all targets.")), .optional("status", .activeStatus),
    ])

    package var json: JSONValue {
        [
            "id": JSONValue(self.id), "scope": JSONValue(self.owner.scope), "alias": .string(self.alias),
            "status": .string(self.status.rawValue), "targets": .array(self.targets.map(\.json)),
        ].adding(self.stamps.json)
    }
}

extension Route.Target {
    var json: JSONValue {
        [
            "model": JSONValue(self.model), "credential": JSONValue(self.credential), "order": .integer(self.order),
            "weight": .integer(self.weight),
        ]
    }
}
