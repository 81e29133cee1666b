import Shared

/// What was decided about one request, and by which rules.
package struct Decision: Sendable {
    /// A budget that the request paid into.
    struct Payment: Sendable {
        let budget: BudgetID
        let name: String
        let scope: String
        let windowStartsAt: Timestamp
    }

    private let record: JSONValue
    private let rule: Rule?
    private let payments: [Payment]

    /// The rule that refused, as it is now.
    struct Rule: Sendable {
        /// Nil for one that is not there any more.
        let name: String?
        let scope: String?
    }

    init(record: JSONValue, rule: Rule?, payments: [Payment]) {
        self.record = record
        self.rule = rule
        self.payments = payments
    }

    package var json: JSONValue {
        let outcome = self.record["outcome"]?.string ?? ""
        var members: [String: JSONValue] = [
            "decision": .string(outcome == "refused" ? "refused" : "admitted"),
            "paid_into": .array(
                self.payments.map {
                    [
                        "budget": JSONValue($0.budget), "name": .string($0.name), "scope": .string($0.scope),
                        "window_starts_at": JSONValue($0.windowStartsAt),
                    ]
                }),
        ]
        for member in Self.taken { members[member] = self.record[member] ?? .null }
        if case .object(var refusal) = self.record["refused_by"] ?? .null {
            refusal["name"] = self.rule?.name.map { .string($0) } ?? .null
            refusal["scope"] = self.rule?.scope.map { .string($0) } ?? .null
            members["refused_by"] = .object(refusal)
        }
        return .object(members)
    }

    /// What is the record's.
    private static let taken = [
        "request", "started_at", "gateway", "organization", "project", "key", "user", "tags", "snapshot", "outcome",
        "status", "code", "refused_by", "route", "model", "provider", "attempts", "price", "adjustment",
        "amount_nano_usd", "amount_usd", "estimate",
    ]

    package static let schema: Schema = {
        let payment = Schema.object([
            .required("budget", .id(BudgetKind.self)), .required("name", .name),
            .required("scope", .id(OrganizationKind.self, UnitKind.self, ProjectKind.self, VirtualKeyKind.self)),
            .required("window_starts_at", .timestamp),
        ])
        let refusal = Schema.object(
            RefusalEntry.schema.members + [
                .required("name", Schema.name.orNull.described("Of the rule, as it is now; null when it is gone.")),
                .required(
                    "scope",
                    Schema.id(OrganizationKind.self, UnitKind.self, ProjectKind.self, VirtualKeyKind.self).orNull),
            ])
        return .named(
            "Decision",
            .object(
                [
                    .required(
                        "decision",
                        Schema.choice("admitted", "refused").described(
                            "Whether it was sent to a provider; `outcome` and `code` say what became of it.")),
                    .required("paid_into", .list(of: payment)),
                ]
                    + UsageEntry.schema.members.filter { Self.taken.contains($0.name) && $0.name != "refused_by" }
                    + [.required("refused_by", refusal.orNull.described("The rule that refused or ended it."))]))
    }()
}
