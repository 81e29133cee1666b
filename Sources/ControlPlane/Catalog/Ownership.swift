package import Postgres
package import Shared

/// Who owns a row of the catalog, and below which node it is visible.
package struct Ownership: Sendable, Hashable {
    /// Nil for the whole instance.
    package let scope: ScopeReference?
    package let organization: OrganizationID?

    package static let instance = Ownership(scope: nil, organization: nil)

    package static let schema = Schema.id(OrganizationKind.self, UnitKind.self, ProjectKind.self).orNull
        .described("Where it is owned and visible below; null is the whole instance.")

    init(scope: ScopeReference?, organization: OrganizationID?) {
        self.scope = scope
        self.organization = organization
    }

    /// Of a row with `node_id`, `node_kind` and `organization_id`.
    init(_ row: Row) throws {
        guard let id = try row.optional("node_id", as: NodeID.self),
            let kind = ScopeNode.Kind(rawValue: try row.get("node_kind"))
        else {
            self = .instance
            return
        }
        self.init(scope: ScopeReference(kind, id), organization: try row.optional("organization_id"))
    }

    /// Of what a request's `scope` says.
    ///
    /// Who may not do there what he asks for is told that it is not there, unless he sees it: ask for the permit with
    /// `missing`.
    ///
    /// - Parameter held: the node is not deleted until the transaction ends.
    static func resolve(_ text: String?, held: Bool = true, _ tx: inout Transaction) throws -> Ownership {
        guard let text else { return .instance }
        guard let reference = ScopeReference(text),
            let node = try ScopeNodeStore.find(reference.node, &tx, lock: held ? .share : .none),
            node.reference == reference
        else { throw Self.missing }
        return Ownership(scope: reference, organization: node.organization)
    }

    /// Whether what this owns may be used by what `other` owns: it is the instance's, or above or at the same node.
    func isVisible(to other: Ownership, _ tx: inout Transaction) throws -> Bool {
        guard let scope else { return true }
        guard let below = other.scope else { return false }
        let row = try tx.queryOne(
            "select true as found from scope_closure where ancestor_id = $1 and descendant_id = $2", scope.node,
            below.node
        )
        return row != nil
    }

    static let missing = ControlError.invalid("There is no such organization, unit or project.", at: "/scope")

    static let scopeFilters = [
        QueryParameter("organization", .id(OrganizationKind.self), "Those that one organization owns.")
    ]
}

/// On or off.
package enum ActiveStatus: String, Sendable {
    case active, disabled
}

/// What every row of the catalog has.
package struct Stamps: Sendable, Hashable {
    package var revision: Int64
    package let createdAt: Timestamp
    package var updatedAt: Timestamp

    init(new time: Timestamp) {
        self.revision = 1
        self.createdAt = time
        self.updatedAt = time
    }

    init(_ row: Row) throws {
        self.revision = try row.get("revision")
        self.createdAt = try row.get("created_at")
        self.updatedAt = try row.get("updated_at")
    }

    mutating func advance(to time: Timestamp) {
        self.revision += 1
        self.updatedAt = time
    }

    static let members: [Schema.Member] = [
        .required("revision", .count), .required("created_at", .timestamp), .required("updated_at", .timestamp),
    ]

    var json: [String: JSONValue] {
        [
            "revision": .integer(self.revision), "created_at": JSONValue(self.createdAt),
            "updated_at": JSONValue(self.updatedAt),
        ]
    }
}

extension [String: JSONValue] {
    /// These members and those of `other`.
    func adding(_ other: [String: JSONValue]) -> JSONValue {
        .object(self.merging(other, uniquingKeysWith: { _, new in new }))
    }
}

/// What can be done with the catalog: providers, credentials, models, routes and prices.
package struct Catalog: Sendable {
    let database: Database
    let reads: Reads
    let changes: Changes
    let keys: KeyEncryptionKeys
    let time: TimeSource

    package init(database: Database, reads: Reads, changes: Changes, keys: KeyEncryptionKeys, time: TimeSource) {
        self.database = database
        self.reads = reads
        self.changes = changes
        self.keys = keys
        self.time = time
    }
}
