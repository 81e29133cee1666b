package import Shared

/// What is only done when others agree: changes under some permissions, at a scope and all that is below.
package struct ApprovalRule: Sendable, Audited {
    package let id: ApprovalRuleID
    /// Nil for the instance.
    package let organization: OrganizationID?
    /// Nil for the whole instance, all organizations included.
    package let scope: ScopeReference?
    package var name: String
    package var permissions: PermissionSet
    /// Of budgets: only what raises one to more than this.
    package var above: NanoUSD?
    /// How many have to approve.
    package var required: Int
    /// Who may; none for every user who may decide there.
    package var approvers: [AccessSubject]
    /// How long a request waits, and may be carried out, at most.
    package var validSeconds: Int64
    package var reason: String
    package var stamps: Stamps

    package var place: AccessScope { self.scope.map { .node($0.node) } ?? .instance }

    package static let requiredLimit = 8
    package static let approversLimit = 32
    private static let standardSeconds: Int64 = 86_400

    /// What may be made to need approvals: what changes something on somebody's behalf.
    package static let permissions = Permission.allCases.filter { permission in
        switch permission {
        // Each such rule protects itself; and to agree, or to ask for it, cannot need agreement.
        case .approvalsRequest, .approvalsDecide, .approvalRulesUpdate, .approvalRulesDelete: false
        // Not done by themselves: others ask for them besides their own.
        case .rolesEscalate, .rolesBind: false
        // A gateway's own doing; the token that it comes with can need approval.
        case .gatewaysEnroll, .breakGlassClose: false
        default: !permission.rawValue.hasSuffix(".read")
        }
    }

    /// Those that may raise what can be spent.
    package static let raising = PermissionSet([.budgetsUpdate, .budgetsIncrease, .budgetsDelete])

    /// Of a body that `creationSchema` accepts.
    package init(_ id: ApprovalRuleID, _ body: JSONValue, at owner: Ownership, time: Timestamp) throws(ControlError) {
        self.id = id
        self.organization = owner.organization
        self.scope = owner.scope
        self.name = body["name"]?.string ?? ""
        self.permissions = PermissionSet(body, "permissions")
        self.above = try Self.above(body)
        self.required = Int(body["required_approvals"]?.integer ?? 1)
        self.approvers = Self.approvers(body) ?? []
        self.validSeconds = body["valid_seconds"]?.integer ?? Self.standardSeconds
        self.reason = body["reason"]?.string ?? ""
        self.stamps = Stamps(new: time)
        try self.check()
    }

    init(
        id: ApprovalRuleID, organization: OrganizationID?, scope: ScopeReference?, name: String,
        permissions: PermissionSet, above: NanoUSD?, required: Int, approvers: [AccessSubject], validSeconds: Int64,
        reason: String, stamps: Stamps
    ) {
        self.id = id
        self.organization = organization
        self.scope = scope
        self.name = name
        self.permissions = permissions
        self.above = above
        self.required = required
        self.approvers = approvers
        self.validSeconds = validSeconds
        self.reason = reason
        self.stamps = stamps
    }

    /// With the members of a body that `patchSchema` accepts.
    package func applying(_ patch: JSONValue, at time: Timestamp) throws(ControlError) -> ApprovalRule {
        var rule = self
        if let name = patch["name"]?.string { rule.name = name }
        if patch["permissions"] != nil { rule.permissions = PermissionSet(patch, "permissions") }
        if patch["above_usd"] != nil { rule.above = try Self.above(patch) }
        if let required = patch["required_approvals"]?.integer { rule.required = Int(required) }
        if let approvers = Self.approvers(patch) { rule.approvers = approvers }
        if let seconds = patch["valid_seconds"]?.integer { rule.validSeconds = seconds }
        if let reason = patch["reason"]?.string { rule.reason = reason }
        rule.stamps.advance(to: time)
        try rule.check()
        return rule
    }

    private static func above(_ body: JSONValue) throws(ControlError) -> NanoUSD? {
        guard let text = body["above_usd"]?.string else { return nil }
        guard let amount = NanoUSD(usd: text) else {
            throw .invalid("It must be an amount of dollars.", at: "/above_usd")
        }
        return amount
    }

    private static func approvers(_ body: JSONValue) -> [AccessSubject]? {
        body["approvers"]?.array.map { texts in
            var seen: Set<AccessSubject> = []
            return texts.compactMap { $0.string.flatMap { AccessSubject($0) } }.filter { seen.insert($0).inserted }
        }
    }

    private func check() throws(ControlError) {
        guard self.above == nil || self.permissions.isSubset(of: Self.raising) else {
            let names = Self.raising.names.joined(separator: ", ")
            throw .invalid("An amount is only of what may raise a budget: \(names).", at: "/above_usd")
        }
    }

    /// Whether a change is one of those, as far as money goes.
    func concerns(_ raise: BudgetRaise?) -> Bool {
        guard let above else { return true }
        return raise.map { $0.to > above } ?? false
    }

    private var approverTexts: JSONValue { JSONValue(self.approvers.map(\.text)) }

    package var auditState: JSONValue {
        [
            "id": JSONValue(self.id), "scope": JSONValue(self.scope), "permissions": self.permissions.json,
            "above_nano_usd": self.above.map { .string(String($0.amount)) } ?? .null,
            "required_approvals": .integer(Int64(self.required)), "approvers": self.approverTexts,
            "valid_seconds": .integer(self.validSeconds), "revision": .integer(self.stamps.revision),
        ]
    }

    package var auditPersonal: JSONValue { ["name": .string(self.name), "reason": .string(self.reason)] }

    package var json: JSONValue {
        [
            "id": JSONValue(self.id), "organization": JSONValue(self.organization), "scope": JSONValue(self.scope),
            "name": .string(self.name), "permissions": self.permissions.json,
            "above_usd": self.above.map { JSONValue($0) } ?? .null,
            "required_approvals": .integer(Int64(self.required)), "approvers": self.approverTexts,
            "valid_seconds": .integer(self.validSeconds), "reason": .string(self.reason),
        ].adding(self.stamps.json)
    }

    // MARK: Schemas

    private static let permissionsSchema = Schema.array(
        of: .string(.oneOf(Self.permissions.map(\.rawValue))), count: 1...Self.permissions.count
    ).described("Changes under these need approvals.")
    private static let aboveSchema = Schema.string(.dollars).orNull.described(
        "Of budgets.update, budgets.increase and budgets.delete: only where a budget comes to allow more than this, or is "
            + "made to bound nothing. Null for whatever is changed.")
    private static let requiredSchema = Schema.integer(1...Int64(Self.requiredLimit))
        .described("How many have to approve; never whoever asks. 1 when absent.")
    private static let approversSchema = Schema.array(of: Binding.subjectSchema, count: 0...Self.approversLimit)
        .described(
            "Who may approve, of those who hold approvals.decide there; empty for every user. Service accounts only when they "
                + "are named, themselves or by a group.")
    private static let secondsSchema = Schema.integer(300...2_592_000)
        .described("For how long a request waits, and can be carried out, at most. A day when absent.")

    package static let schema = Schema.named(
        "ApprovalRule",
        .object(
            [
                .required("id", .id(ApprovalRuleKind.self)), .required("organization", Role.organizationSchema),
                .required("scope", Binding.scopeSchema), .required("name", .name),
                .required("permissions", Self.permissionsSchema), .required("above_usd", Self.aboveSchema),
                .required("required_approvals", Self.requiredSchema), .required("approvers", Self.approversSchema),
                .required("valid_seconds", Self.secondsSchema), .required("reason", Binding.reasonSchema),
            ] + Stamps.members)
    )

    package static let creationSchema = Schema.object([
        .optional("scope", Binding.scopeSchema), .required("name", .name),
        .required("permissions", Self.permissionsSchema), .optional("above_usd", Self.aboveSchema),
        .optional("required_approvals", Self.requiredSchema), .optional("approvers", Self.approversSchema),
        .optional("valid_seconds", Self.secondsSchema), .optional("reason", Binding.reasonSchema),
    ])

    package static let patchSchema = Schema.object([
        .optional("name", .name), .optional("permissions", Self.permissionsSchema),
        .optional("above_usd", Self.aboveSchema), .optional("required_approvals", Self.requiredSchema),
        .optional("approvers", Self.approversSchema), .optional("valid_seconds", Self.secondsSchema),
        .optional("reason", Binding.reasonSchema),
    ])
}
