package import Shared

/// An amount of money that a subject may spend in each window.
package struct Budget: Sendable, Hashable, Audited {
    package let id: BudgetID
    package let organization: OrganizationID
    package let subject: BudgetSubject
    /// The subject as the API names it.
    package let scope: String
    package var name: String
    package var amount: NanoUSD
    package let period: BudgetPeriod
    package let window: BudgetWindowKind
    package let timeZone: String
    package var isHard: Bool
    package var away: BudgetAway
    package var estimate: BudgetEstimate
    /// A request that it has too little for is sent with a lower bound of its answer, where that makes it fit.
    package var lowersOutput: Bool
    package var carriesOver: Bool
    package var thresholds: BudgetThresholds
    package let providers: [ProviderID]
    package let models: [ModelID]
    package var status: ActiveStatus
    package var stamps: Stamps

    /// Of a rolling one.
    package var rolling: RollingWindow? { self.window == .rolling ? RollingWindow(self.period) : nil }

    /// Budgets of one node, one tag there, one key or one user, at most.
    package static let limitOfSubject = 4
    private static let amountLimit: Int64 = 1_000_000_000_000_000_000

    package func applying(_ patch: JSONValue, at time: Timestamp) throws -> Budget {
        var result = self
        if let name = patch["name"]?.string { result.name = name }
        if let amount = try Self.amount(patch) { result.amount = amount }
        if let hard = patch["hard"]?.bool { result.isHard = hard }
        result.away = try BudgetAway(patch, over: self.away)
        if let estimate = patch["estimate"]?.string.flatMap({ BudgetEstimate(name: $0) }) { result.estimate = estimate }
        if let lowers = patch["lower_max_tokens"]?.bool { result.lowersOutput = lowers }
        if let carries = patch["carry_over"]?.bool { result.carriesOver = carries }
        try result.checkWindow()
        if let thresholds = patch["thresholds"] { result.thresholds = try BudgetThresholds(thresholds) }
        if let status = patch["status"]?.string.flatMap({ ActiveStatus(rawValue: $0) }) { result.status = status }
        result.stamps.advance(to: time)
        return result
    }

    /// Refuses what means nothing for a rolling window.
    package func checkWindow() throws(ControlError) {
        guard self.window == .rolling else { return }
        guard self.period != .total else {
            throw .invalid("A budget of period 'total' has no window that could roll.", at: "/window")
        }
        guard !self.carriesOver else {
            throw .invalid("A rolling window leaves nothing over: there is no next one.", at: "/carry_over")
        }
        guard self.timeZone == "UTC" else {
            throw .invalid("A rolling window goes by no zone's clock: leave it out, or say UTC.", at: "/time_zone")
        }
    }

    /// The amount that a body gives, in one of two ways; nil when in none.
    package static func amount(
        _ body: JSONValue, dollars: String = "amount_usd", nano: String = "amount_nano_usd"
    ) throws(ControlError) -> NanoUSD? {
        let inNano = body[nano]?.string.flatMap { Int64($0) }.map { NanoUSD($0) }
        let inDollars = body[dollars]?.string.flatMap { NanoUSD(usd: $0) }
        guard inNano == nil || inDollars == nil else {
            throw .invalid("Give '\(dollars)' or '\(nano)', not both.", at: "/\(dollars)")
        }
        guard let amount = inNano ?? inDollars else { return nil }
        guard amount > .zero, amount.amount <= Self.amountLimit else {
            throw .invalid(
                "It must be more than nothing and at most a billion dollars.",
                at: inNano == nil ? "/\(dollars)" : "/\(nano)")
        }
        return amount
    }

    private var allowanceJSON: JSONValue { self.away.allowance.map { .string(String($0.amount)) } ?? .null }

    package var auditState: JSONValue {
        [
            "id": JSONValue(self.id), "scope": .string(self.scope),
            "tag": self.subject.tag.map { .string($0.name) } ?? .null,
            "amount_nano_usd": .string(String(self.amount.amount)), "period": .string(self.period.name),
            "window": .string(self.window.rawValue), "time_zone": .string(self.timeZone), "hard": .bool(self.isHard),
            "away": .string(self.away.name), "away_allowance_nano_usd": self.allowanceJSON,
            "estimate": .string(self.estimate.name), "lower_max_tokens": .bool(self.lowersOutput),
            "carry_over": .bool(self.carriesOver), "thresholds": self.thresholds.json,
            "providers": JSONValue(self.providers.map(\.description)),
            "models": JSONValue(self.models.map(\.description)), "status": .string(self.status.rawValue),
            "revision": .integer(self.stamps.revision),
        ]
    }
    package var auditPersonal: JSONValue {
        ["name": .string(self.name), "tag_value": self.subject.tag.map { .string($0.value) } ?? .null]
    }
    package var auditPerson: UserID? { UserID(self.scope) }

    package var json: JSONValue {
        [
            "id": JSONValue(self.id), "organization": JSONValue(self.organization), "scope": .string(self.scope),
            "tag": self.subject.tag?.json ?? .null, "name": .string(self.name),
            "amount_nano_usd": .string(String(self.amount.amount)),
            "amount_usd": JSONValue(self.amount), "period": .string(self.period.name),
            "window": .string(self.window.rawValue), "time_zone": .string(self.timeZone), "hard": .bool(self.isHard),
            "away": .string(self.away.name), "away_allowance_nano_usd": self.allowanceJSON,
            "away_allowance_usd": self.away.allowance.map { JSONValue($0) } ?? .null,
            "estimate": .string(self.estimate.name), "lower_max_tokens": .bool(self.lowersOutput),
            "carry_over": .bool(self.carriesOver), "thresholds": self.thresholds.json,
            "providers": JSONValue(self.providers.map(\.description)),
            "models": JSONValue(self.models.map(\.description)), "status": .string(self.status.rawValue),
        ].adding(self.stamps.json)
    }

    // MARK: Schemas

    private static let scopeSchema = Schema.id(
        OrganizationKind.self, UnitKind.self, ProjectKind.self, VirtualKeyKind.self, UserKind.self,
        ServiceAccountKind.self
    ).described(
        "Whose spending it bounds: all of an organization, a unit or a project, one key, or all keys of a user or a service account."
    )
    private static let periodSchema = Schema.string(.oneOf(BudgetPeriod.allCases.map(\.name)))
        .described("How often it starts anew; minutes and hours are those of UTC, 'total' is never.")
    private static let windowSchema = Schema.string(.oneOf(BudgetWindowKind.allCases.map(\.rawValue))).described(
        "'calendar': one window after the other. 'rolling': at every instant, what was spent in the last period (months of "
            + "30 days, quarters of 90, years of 365) is at most the amount. 'calendar' when absent.")
    private static let zoneSchema = Schema.string(.length(1...64))
        .described("The IANA time zone by whose clocks days and longer begin; UTC when absent.")
    private static let hardSchema = Schema.bool.described(
        "Requests that it has no money for are refused; a soft one only counts. True when absent.")
    private static let awaySchema = Schema.string(.oneOf(BudgetAway.names)).described(
        "What a gateway does without money of it while it cannot ask for more: refuse ('deny'), serve up to "
            + "'away_allowance_usd', or serve ('open'). 'deny' when absent.")
    private static let allowanceSchema = Schema.string(.dollars).described(
        "With 'away' of 'allowance': what each gateway's process may spend of a window beyond what it was granted.")
    private static let estimateSchema = Schema.string(.oneOf(BudgetEstimate.allCases.map(\.name))).described(
        "What is reserved before a request is sent: 'bound', the most that it can cost, so that nothing is overspent; or "
            + "'learned', what requests of its key to its model cost lately, and more while its answer grows. 'bound' when "
            + "absent.")
    private static let lowerSchema = Schema.bool.described(
        "A request that it has too little money for is sent with a lower 'max_tokens', where that makes it fit. False when "
            + "absent.")
    private static let carrySchema = Schema.bool.described(
        "What a window leaves over is added to the next one, at most the amount once. False when absent.")
    private static let providersSchema = Schema.array(
        of: .id(ProviderKindID.self), count: 0...SubjectNarrowing.limit
    ).described("Only what these providers answer; empty for all.")
    private static let modelsSchema = Schema.array(of: .id(ModelKind.self), count: 0...SubjectNarrowing.limit)
        .described("Only what these models answer; empty for all.")

    package static let schema = Schema.named(
        "Budget",
        .object(
            [
                .required("id", .id(BudgetKind.self)), .required("organization", .id(OrganizationKind.self)),
                .required("scope", Self.scopeSchema), .required("tag", SubjectTag.schema.orNull),
                .required("name", .name),
                .required("amount_nano_usd", .decimal), .required("amount_usd", .string(.dollars)),
                .required("period", Self.periodSchema), .required("window", Self.windowSchema),
                .required("time_zone", Self.zoneSchema),
                .required("hard", Self.hardSchema), .required("away", Self.awaySchema),
                .required("away_allowance_usd", Self.allowanceSchema.orNull),
                .required("away_allowance_nano_usd", Schema.decimal.orNull),
                .required("estimate", Self.estimateSchema), .required("lower_max_tokens", Self.lowerSchema),
                .required("carry_over", Self.carrySchema), .required("thresholds", BudgetThresholds.schema),
                .required("providers", Self.providersSchema),
                .required("models", Self.modelsSchema), .required("status", .activeStatus),
            ] + Stamps.members)
    )

    package static let creationSchema = Schema.object([
        .required("scope", Self.scopeSchema), .optional("tag", SubjectTag.schema), .required("name", .name),
        .optional("amount_usd", .string(.dollars)),
        .optional("amount_nano_usd", .decimal), .required("period", Self.periodSchema),
        .optional("window", Self.windowSchema), .optional("time_zone", Self.zoneSchema),
        .optional("hard", Self.hardSchema),
        .optional("away", Self.awaySchema), .optional("away_allowance_usd", Self.allowanceSchema),
        .optional("away_allowance_nano_usd", .decimal), .optional("estimate", Self.estimateSchema),
        .optional("lower_max_tokens", Self.lowerSchema), .optional("carry_over", Self.carrySchema),
        .optional("thresholds", BudgetThresholds.schema), .optional("providers", Self.providersSchema),
        .optional("models", Self.modelsSchema),
    ])

    package static let patchSchema = Schema.object([
        .optional("name", .name), .optional("amount_usd", .string(.dollars)), .optional("amount_nano_usd", .decimal),
        .optional("hard", Self.hardSchema), .optional("away", Self.awaySchema),
        .optional("away_allowance_usd", Self.allowanceSchema), .optional("away_allowance_nano_usd", .decimal),
        .optional("estimate", Self.estimateSchema), .optional("lower_max_tokens", Self.lowerSchema),
        .optional("carry_over", Self.carrySchema), .optional("thresholds", BudgetThresholds.schema),
        .optional("status", .activeStatus),
    ])
}

/// More money for a while.
package struct BudgetIncrease: Sendable, Hashable, Audited {
    package let id: BudgetIncreaseID
    package let budget: BudgetID
    package let amount: NanoUSD
    package let from: Timestamp
    package let until: Timestamp
    package let reason: String
    package let createdAt: Timestamp

    private var state: [String: JSONValue] {
        [
            "id": JSONValue(self.id), "budget": JSONValue(self.budget),
            "amount_nano_usd": .string(String(self.amount.amount)), "from_at": JSONValue(self.from),
            "until_at": JSONValue(self.until),
        ]
    }

    package var auditState: JSONValue { .object(self.state) }
    package var auditPersonal: JSONValue { ["reason": .string(self.reason)] }

    package var json: JSONValue {
        self.state.adding([
            "amount_usd": JSONValue(self.amount), "reason": .string(self.reason),
            "created_at": JSONValue(self.createdAt),
        ])
    }

    package static let schema = Schema.named(
        "BudgetIncrease",
        .object([
            .required("id", .id(BudgetIncreaseKind.self)), .required("budget", .id(BudgetKind.self)),
            .required("amount_nano_usd", .decimal), .required("amount_usd", .string(.dollars)),
            .required("from_at", .timestamp), .required("until_at", .timestamp),
            .required("reason", .string(.length(1...500))), .required("created_at", .timestamp),
        ])
    )

    package static let creationSchema = Schema.object([
        .optional("amount_usd", .string(.dollars)), .optional("amount_nano_usd", .decimal),
        .optional("from_at", Schema.timestamp.described("Now when absent.")), .required("until_at", .timestamp),
        .required("reason", .string(.length(1...500))),
    ])
}
