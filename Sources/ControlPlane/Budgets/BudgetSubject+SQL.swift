import Postgres
import Shared

// Whose spending or use something bounds, as the API and the database name it.
extension BudgetSubject {
    /// The columns `node_id`, `key_id`, `owner_id`.
    var columns: (node: NodeID?, key: VirtualKeyID?, owner: UUIDValue?) {
        switch self {
        case .node(let id), .tag(let id, _): (id, nil, nil)
        case .key(let id): (nil, id, nil)
        case .owner(let id): (nil, nil, id)
        }
    }

    /// Of a row with these columns, and with `tag_name` and `tag_value`.
    init(_ row: Row) throws {
        if let node: NodeID = try row.optional("node_id") {
            self = try SubjectTag.read(row).map { .tag(node, $0) } ?? .node(node)
        } else if let key: VirtualKeyID = try row.optional("key_id") {
            self = .key(key)
        } else {
            self = .owner(try row.get("owner_id"))
        }
    }

    /// The same of a row with the node's kind as `node_kind` and the owner's as `owner_kind`; and whose it is, as the API names it.
    static func read(_ row: Row) throws -> (BudgetSubject, scope: String) {
        let subject = try BudgetSubject(row)
        switch subject {
        case .node(let id), .tag(let id, _):
            guard let kind = ScopeNode.Kind(rawValue: try row.get("node_kind")) else {
                throw ControlError(.internalFailure, "internal", "", internalDetail: "a scope node of unknown form")
            }
            return (subject, ScopeReference(kind, id).description)
        case .key(let id): return (subject, id.description)
        case .owner(let id):
            let kind = try row.optional("owner_kind", as: String.self).flatMap { AccessSubject.Kind(rawValue: $0) }
            return (subject, AccessSubject(kind ?? .user, id).text)
        }
    }

    /// What the `scope` and the `tag` of a body name, while it is there.
    ///
    /// Nothing else is put onto the organization's lines, and no project takes the tag back, until the transaction ends.
    static func find(
        _ body: JSONValue, _ tx: inout Transaction
    ) throws -> (BudgetSubject, scope: String, OrganizationID) {
        let text = body["scope"]?.string ?? ""
        let tag = try SubjectTag.read(body["tag"])
        if let reference = ScopeReference(text),
            let node = try ScopeNodeStore.find(reference.node, &tx, lock: .share), node.reference == reference
        {
            try SubjectLock.take(node.organization, &tx)
            guard let tag else { return (.node(reference.node), text, node.organization) }
            try tag.checkDeclared(below: reference, of: node.organization, &tx)
            return (.tag(reference.node, tag), text, node.organization)
        }
        guard tag == nil || ScopeReference(text) != nil else {
            throw ControlError.invalid("Only organizations, units and projects are told apart by tags.", at: "/tag")
        }
        if let owner = AccessSubject(text), owner.kind != .group,
            let organization = try BindingStore.partition(of: owner, held: true, &tx)?.organization
        {
            try SubjectLock.take(organization, &tx)
            return (.owner(owner.id), text, organization)
        }
        if let id = VirtualKeyID(text) {
            let row = try tx.queryOne(
                "select organization_id from virtual_key where id = $1 and deleted_at is null for share", id)
            if let row {
                let organization: OrganizationID = try row.get("organization_id")
                try SubjectLock.take(organization, &tx)
                return (.key(id), text, organization)
            }
        }
        throw Self.missing
    }

    static let missing = ControlError.invalid(
        "There is no such organization, unit, project, key, user or service account.", at: "/scope")

    /// Where it is: what decides on who sees and changes what is about it.
    func place(in organization: OrganizationID, _ tx: inout Transaction) throws -> AccessScope {
        switch self {
        case .node(let node), .tag(let node, _): return .node(node)
        case .key(let key):
            let row = try tx.queryOne("select project_id from virtual_key where id = $1", key)
            return .node(try row?.get("project_id") ?? organization.node)
        case .owner: return .node(organization.node)
        }
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
