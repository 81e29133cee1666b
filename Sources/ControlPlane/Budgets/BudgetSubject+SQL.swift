import Postgres
import Shared

// Whose spending or use something bounds, as the API and the database name it.
extension BudgetSubject {
    /// The columns `node_id`, `key_id`, `owner_id`.
    var columns: (node: NodeID?, key: VirtualKeyID?, owner: UUIDValue?) {
        switch self {
        case .node(let id): (id, nil, nil)
        case .key(let id): (nil, id, nil)
        case .owner(let id): (nil, nil, id)
        }
    }

    /// Of a row with these columns, and with the node's kind as `node_kind`; and as the API names it.
    static func read(_ row: Row) throws -> (BudgetSubject, scope: String) {
        if let node: NodeID = try row.optional("node_id"),
            let kind = ScopeNode.Kind(rawValue: try row.get("node_kind"))
        {
            return (.node(node), ScopeReference(kind, node).description)
        }
        if let key: VirtualKeyID = try row.optional("key_id") { return (.key(key), key.description) }
        let owner: UUIDValue = try row.get("owner_id")
        return (.owner(owner), UserID(owner).description)
    }

    /// What the API names, while it is there.
    static func find(
        _ text: String, _ tx: inout Transaction
    ) throws -> (BudgetSubject, scope: String, OrganizationID) {
        if let reference = ScopeReference(text),
            let node = try ScopeNodeStore.find(reference.node, &tx, lock: .share), node.reference == reference
        {
            return (.node(reference.node), text, node.organization)
        }
        if let id = VirtualKeyID(text) {
            let row = try tx.queryOne(
                "select organization_id from virtual_key where id = $1 and deleted_at is null for share", id)
            if let row { return (.key(id), text, try row.get("organization_id")) }
        }
        throw ControlError.invalid("There is no such organization, unit, project or key.", at: "/scope")
    }

    /// Whether an organization has what something of it is narrowed to.
    static func checkNarrowing(
        to models: [ModelID], of providers: [ProviderID], organization: OrganizationID, _ tx: inout Transaction
    ) throws {
        guard providers.isEmpty || models.isEmpty else {
            throw ControlError.invalid("Narrow it to providers or to models, not to both.", at: "/models")
        }
        for (index, id) in models.enumerated() {
            let owner = try ModelStore.find(id, &tx, lock: .share)?.owner
            guard let owner, owner.organization == nil || owner.organization == organization else {
                throw ControlError.invalid("The organization has no such model.", at: "/models/\(index)")
            }
        }
        for (index, id) in providers.enumerated() {
            let owner = try ProviderStore.find(id, &tx, lock: .share)?.owner
            guard let owner, owner.organization == nil || owner.organization == organization else {
                throw ControlError.invalid("The organization has no such provider.", at: "/providers/\(index)")
            }
        }
    }
}

extension SQLUUID {
    init<Kind>(_ id: Identifier<Kind>) { self.init(high: id.value.high, low: id.value.low) }
}
