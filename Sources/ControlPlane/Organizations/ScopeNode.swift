package import Shared

/// A place in the scope tree, named as the API names it.
package enum ScopeReference: Sendable, Hashable, CustomStringConvertible {
    case organization(OrganizationID)
    case unit(UnitID)
    case project(ProjectID)

    package init?(_ text: String) {
        if let id = OrganizationID(text) {
            self = .organization(id)
        } else if let id = UnitID(text) {
            self = .unit(id)
        } else if let id = ProjectID(text) {
            self = .project(id)
        } else {
            return nil
        }
    }

    package init(_ kind: ScopeNode.Kind, _ id: NodeID) {
        switch kind {
        case .organization: self = .organization(OrganizationID(id.value))
        case .unit: self = .unit(UnitID(id.value))
        case .project: self = .project(ProjectID(id.value))
        }
    }

    package var kind: ScopeNode.Kind {
        switch self {
        case .organization: .organization
        case .unit: .unit
        case .project: .project
        }
    }

    package var node: NodeID {
        switch self {
        case .organization(let id): id.node
        case .unit(let id): id.node
        case .project(let id): id.node
        }
    }

    package var target: Target {
        switch self {
        case .organization(let id): Target(id)
        case .unit(let id): Target(id)
        case .project(let id): Target(id)
        }
    }

    package var description: String { self.target.text }
}

/// An organization, a unit or a project.
package struct ScopeNode: Sendable, Hashable {
    package enum Kind: String, Sendable, CaseIterable {
        case organization, unit, project
    }

    package enum Status: String, Sendable {
        case active, disabled
    }

    package let reference: ScopeReference
    package let parent: ScopeReference?
    package let organization: OrganizationID
    package var name: String
    package var status: Status
    package var metadata: [String: String]
    /// What a project declares, by ascending name; none for other nodes.
    package var tags: [TagDeclaration] = []
    package var revision: Int64
    package let createdAt: Timestamp
    package var updatedAt: Timestamp

    /// Units between an organization and a project.
    package static let unitDepthLimit = 8

    /// What a PATCH asks for.
    package struct Draft: Sendable {
        package var name: String?
        package var status: Status?
        /// A merge patch; nil leaves it.
        package var metadata: JSONValue?
        /// A list that replaces the one before; nil leaves it.
        package var tags: JSONValue?

        /// Of a body that `patchSchema` accepts.
        package init(_ body: JSONValue) {
            self.name = body["name"]?.string
            self.status = body["status"]?.string.flatMap { Status(rawValue: $0) }
            self.metadata = body["metadata"]
            self.tags = body["tags"]
        }
    }

    /// The node as it is after the draft; its revision is one higher.
    package func applying(_ draft: Draft, at time: Timestamp) throws(ControlError) -> ScopeNode {
        var result = self
        result.name = draft.name ?? self.name
        result.status = draft.status ?? self.status
        if let patch = draft.metadata { result.metadata = try Metadata.merged(self.metadata, patch) }
        if let tags = draft.tags { result.tags = try ProjectTags.read(tags) }
        result.revision += 1
        result.updatedAt = time
        return result
    }
}

/// What callers attach to things: up to 64 names with a text each.
package enum Metadata {
    /// Of a value that `Schema.metadata` accepts.
    package static func read(_ value: JSONValue?) -> [String: String] {
        (value?.object ?? [:]).compactMapValues(\.string)
    }

    package static func merged(_ metadata: [String: String], _ patch: JSONValue) throws(ControlError) -> [String:
        String]
    {
        let merged = JSONValue(metadata).merging(patch)
        guard !merged.isNull else { return [:] }
        try Schema.metadata.validate(merged, at: "/metadata")
        return Self.read(merged)
    }
}

extension ScopeNode: Audited {
    package var auditState: JSONValue {
        var state: [String: JSONValue] = [
            "id": JSONValue(self.reference), "parent": JSONValue(self.parent), "status": .string(self.status.rawValue),
            "revision": .integer(self.revision),
        ]
        if self.reference.kind == .project { state["tags"] = ProjectTags.json(self.tags) }
        return .object(state)
    }

    package var auditPersonal: JSONValue { ["name": .string(self.name), "metadata": JSONValue(self.metadata)] }
}

extension ScopeNode {
    package static func schema(_ kind: Kind) -> Schema {
        var members: [Schema.Member] = [.required("id", Self.idSchema(kind))]
        if kind != .organization {
            members += [
                .required("organization", .id(OrganizationKind.self)),
                .required("parent", .id(OrganizationKind.self, UnitKind.self)),
            ]
        }
        members += [
            .required("name", .name), .required("status", .activeStatus), .required("metadata", .metadata),
            .required("revision", .count), .required("created_at", .timestamp), .required("updated_at", .timestamp),
        ]
        if kind == .project { members.append(.required("tags", ProjectTags.schema)) }
        let title = kind.rawValue.prefix(1).uppercased() + kind.rawValue.dropFirst()
        return .named(title, .object(members))
    }

    static func idSchema(_ kind: Kind) -> Schema {
        switch kind {
        case .organization: .id(OrganizationKind.self)
        case .unit: .id(UnitKind.self)
        case .project: .id(ProjectKind.self)
        }
    }

    package static func creationSchema(_ kind: Kind) -> Schema {
        var members: [Schema.Member] = [.required("name", .name), .optional("metadata", .metadata)]
        if kind != .organization {
            members.append(
                .required(
                    "parent", Schema.id(OrganizationKind.self, UnitKind.self).described("What it is directly under."))
            )
        }
        if kind == .project { members.append(.optional("tags", ProjectTags.schema)) }
        return .object(members)
    }

    package static func patchSchema(_ kind: Kind) -> Schema {
        let members: [Schema.Member] = [
            .optional("name", .name), .optional("status", .activeStatus),
            .optional("metadata", Schema.metadataPatch.orNull),
        ]
        return .object(members + (kind == .project ? [.optional("tags", ProjectTags.schema)] : []))
    }

    package var json: JSONValue {
        var members: [String: JSONValue] = [
            "id": JSONValue(self.reference), "name": .string(self.name), "status": .string(self.status.rawValue),
            "metadata": JSONValue(self.metadata), "revision": .integer(self.revision),
            "created_at": JSONValue(self.createdAt), "updated_at": JSONValue(self.updatedAt),
        ]
        if self.reference.kind == .project { members["tags"] = ProjectTags.json(self.tags) }
        if let parent {
            members["organization"] = JSONValue(self.organization)
            members["parent"] = JSONValue(parent)
        }
        return .object(members)
    }
}
