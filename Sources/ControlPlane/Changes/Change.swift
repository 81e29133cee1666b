package import Shared

/// What a change is about.
package struct Target: Sendable, Hashable {
    package let kind: String
    package let id: UUIDValue
    /// The identifier as text.
    package let text: String

    package init<Kind: IdentifierKind>(_ id: Identifier<Kind>) {
        self.kind = Self.kinds[Kind.prefix] ?? Kind.prefix
        self.id = id.value
        self.text = id.description
    }

    /// Reads an identifier of any of the kinds; nil for text that is none.
    package init?(_ text: String) {
        guard text.utf8.count <= 64, let underscore = text.firstIndex(of: "_"),
            let kind = Self.kinds[String(text[..<underscore])],
            let id = Crockford.decode(Array(text[text.index(after: underscore)...].utf8)[...])
        else { return nil }
        self.kind = kind
        self.id = id
        self.text = text
    }

    /// Names of what identifiers name, by prefix.
    ///
    /// Append only.
    static let kinds = [
        "org": "organization", "unit": "unit", "prj": "project", "vk": "virtual_key", "prv": "provider",
        "crd": "credential", "mdl": "model", "rte": "route", "prc": "price", "gwg": "gateway_group", "gw": "gateway",
        "adj": "price_adjustment", "ppr": "price_proposal", "rer": "rerating", "jt": "join_token", "tok": "api_token",
        "dep": "deployment", "pst": "provider_statement", "bud": "budget", "inc": "budget_increase", "evt": "event",
        "whk": "webhook", "rl": "rate_limit", "usr": "user", "grp": "group", "sa": "service_account", "rol": "role",
        "bnd": "binding", "dny": "deny_rule", "sod": "duty_separation",
        "apr": "approval", "arl": "approval_rule",
    ]

    /// The text of an identifier that is stored with its kind.
    package static func text(kind: String, id: UUIDValue) -> String {
        // Before budgets had a name here, their prefix was stored in its place.
        let prefix = Self.kinds.first { $0.value == kind }?.key ?? (Self.kinds[kind] == nil ? "id" : kind)
        return "\(prefix)_\(Crockford.encode(id))"
    }
}

/// What the audit log keeps of a thing: `auditState` in the clear, `auditPersonal` sealed.
package protocol Audited: Sendable {
    /// Identifiers, states and numbers only.
    var auditState: JSONValue { get }
    /// Names, addresses and whatever people wrote; null for nothing.
    var auditPersonal: JSONValue { get }
    /// The person whom `auditPersonal` is about and whose key it is sealed under; nil for the organization's key, or the
    /// caller's where there is none.
    var auditPerson: UserID? { get }
}

extension Audited {
    package var auditPersonal: JSONValue { .null }
    package var auditPerson: UserID? { nil }
}

/// What the body of a change did, for the audit log and the caller.
package struct Change<Value: Sendable>: Sendable {
    package let value: Value
    /// Whose it is; nil for the whole instance.
    package let organization: OrganizationID?
    /// Whether the instance's log gets it besides the organization's.
    package let concernsInstance: Bool
    package let before: (any Audited)?
    package let after: (any Audited)?
    /// A group whose snapshot changes although the organization is not in it (any more).
    package let group: GatewayGroupID?
    /// After which more may be spent of a budget than before; nil for every other change.
    package let raise: BudgetRaise?

    package init(
        _ value: Value, in organization: OrganizationID?, before: (any Audited)? = nil, after: (any Audited)? = nil,
        concernsInstance: Bool = false, group: GatewayGroupID? = nil, raise: BudgetRaise? = nil
    ) {
        self.group = group
        self.raise = raise
        self.value = value
        self.organization = organization
        self.before = before
        self.after = after
        self.concernsInstance = concernsInstance || organization == nil
    }
}

/// How a change ended.
package enum Outcome<Value: Sendable>: Sendable {
    case done(Value, [AuditReceipt])
    /// The same request was carried out before; this is what it was about.
    case replayed(UUIDValue?)

    /// The value, read again when this is a replay.
    package func resolved(_ read: (UUIDValue) async throws -> Value) async throws -> Resolved<Value> {
        switch self {
        case .done(let value, let receipts): return Resolved(value: value, receipts: receipts, isReplay: false)
        case .replayed(let id):
            guard let id else { throw ControlError.notFound("resource") }
            return Resolved(value: try await read(id), receipts: [], isReplay: true)
        }
    }

    /// For what is not a creation: a replay only says that it was done.
    package var receipts: [AuditReceipt] {
        if case .done(_, let receipts) = self { receipts } else { [] }
    }
}

/// The value of a change, made now or found again.
package struct Resolved<Value: Sendable>: Sendable {
    package let value: Value
    package let receipts: [AuditReceipt]
    package let isReplay: Bool
}

/// Where in the audit log a change stands: `log=log_…; index=7; leaf=<hex>`.
package struct AuditReceipt: Sendable, Hashable, CustomStringConvertible {
    package let log: AuditLogID
    package let index: Int64
    package let leafHash: [UInt8]

    package var description: String { "log=\(self.log); index=\(self.index); leaf=\(Hex.encode(self.leafHash))" }
}
