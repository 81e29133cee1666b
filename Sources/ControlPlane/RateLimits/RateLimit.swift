package import Shared

/// How fast a subject may use something, or how much of it at once.
package struct RateLimit: Sendable, Hashable, Audited {
    package let id: RateLimitID
    package let organization: OrganizationID
    package let subject: BudgetSubject
    /// The subject as the API names it.
    package let scope: String
    package var name: String
    package let meter: RateLimitMeter
    package var rate: BucketRate
    package var isStrict: Bool
    package var away: BudgetAwayPolicy
    package let providers: [ProviderID]
    package let models: [ModelID]
    package var status: ActiveStatus
    package var stamps: Stamps

    /// Rate limits of one node, one tag there, one key or one user, at most.
    package static let limitOfSubject = 6

    package func applying(_ patch: JSONValue, at time: Timestamp) throws -> RateLimit {
        var result = self
        if let name = patch["name"]?.string { result.name = name }
        result.rate = try Self.rate(
            patch, meter: self.meter, period: self.rate.period, amount: self.rate.amount,
            // A burst that was as large as the amount stays so.
            burst: self.rate.burst == self.rate.amount ? nil : self.rate.burst)
        if let strict = patch["strict"]?.bool { result.isStrict = strict }
        if let away = patch["away"]?.string.flatMap({ BudgetAwayPolicy(name: $0) }) { result.away = away }
        if let status = patch["status"]?.string.flatMap({ ActiveStatus(rawValue: $0) }) { result.status = status }
        result.stamps.advance(to: time)
        return result
    }

    /// The rate that a body gives, over what there is already.
    package static func rate(
        _ body: JSONValue, meter: RateLimitMeter, period: RateLimitPeriod?, amount: Int64? = nil, burst: Int64? = nil
    ) throws -> BucketRate {
        guard let amount = body["amount"]?.integer ?? amount else {
            throw ControlError.invalid("An amount is needed.", at: "/amount")
        }
        if meter == .concurrentRequests {
            guard period == nil else {
                throw ControlError.invalid("Requests at the same time have no period.", at: "/period")
            }
            guard body["burst"] == nil else {
                throw ControlError.invalid("Requests at the same time have no burst.", at: "/burst")
            }
        } else if period == nil {
            throw ControlError.invalid("A period is needed.", at: "/period")
        }
        guard let rate = BucketRate(amount: amount, per: period, burst: body["burst"]?.integer ?? burst ?? amount)
        else {
            throw ControlError.invalid("It must be from 1 to 100,000,000,000.", at: "/amount")
        }
        return rate
    }

    package var auditState: JSONValue {
        var state: [String: JSONValue] = [
            "id": JSONValue(self.id), "scope": .string(self.scope),
            "tag": self.subject.tag.map { .string($0.name) } ?? .null, "meter": .string(self.meter.name),
            "amount": .integer(self.rate.amount), "strict": .bool(self.isStrict), "away": .string(self.away.name),
            "providers": JSONValue(self.providers.map(\.description)),
            "models": JSONValue(self.models.map(\.description)), "status": .string(self.status.rawValue),
            "revision": .integer(self.stamps.revision),
        ]
        if let period = self.rate.period {
            state["period"] = .string(period.name)
            state["burst"] = .integer(self.rate.burst)
        }
        return .object(state)
    }
    package var auditPersonal: JSONValue {
        ["name": .string(self.name), "tag_value": self.subject.tag.map { .string($0.value) } ?? .null]
    }
    package var auditPerson: UserID? { UserID(self.scope) }

    package var json: JSONValue {
        [
            "id": JSONValue(self.id), "organization": JSONValue(self.organization), "scope": .string(self.scope),
            "tag": self.subject.tag?.json ?? .null, "name": .string(self.name), "meter": .string(self.meter.name),
            "amount": .integer(self.rate.amount),
            "period": self.rate.period.map { .string($0.name) } ?? .null,
            "burst": self.rate.period == nil ? .null : .integer(self.rate.burst),
            "strict": .bool(self.isStrict), "away": .string(self.away.name),
            "providers": JSONValue(self.providers.map(\.description)),
            "models": JSONValue(self.models.map(\.description)), "status": .string(self.status.rawValue),
        ].adding(self.stamps.json)
    }

    // MARK: Schemas

    private static let scopeSchema = Schema.id(
        OrganizationKind.self, UnitKind.self, ProjectKind.self, VirtualKeyKind.self, UserKind.self,
        ServiceAccountKind.self
    ).described(
        "Whose use it bounds: all of an organization, a unit or a project, one key, or all keys of a user or a service account."
    )
    private static let meterSchema = Schema.string(.oneOf(RateLimitMeter.allCases.map(\.name)))
        .described("What is counted.")
    private static let amountSchema = Schema.integer(1...BucketRate.amountLimit)
        .described("How much may be used in each period, or at the same time.")
    private static let periodSchema = Schema.string(.oneOf(RateLimitPeriod.allCases.map(\.name)))
        .described("For everything but requests at the same time.")
    private static let burstSchema = Schema.integer(1...BucketRate.amountLimit)
        .described("How much may be used at once after a while without use; the amount when absent.")
    private static let strictSchema = Schema.bool.described(
        "A request under way counts with all that it may use. Else with what is usual, and what it used beyond that is "
            + "made up for later. False when absent.")
    private static let awaySchema = Schema.string(.oneOf(BudgetAwayPolicy.allCases.map(\.name))).described(
        "What a gateway does that hears nothing of the control plane: go on with the share that it has, or without a "
            + "limit where it has none (open); or refuse (deny). Open when absent.")
    private static let providersSchema = Schema.array(
        of: .id(ProviderKindID.self), count: 0...SubjectNarrowing.limit
    ).described("Only what these providers answer; empty for all.")
    private static let modelsSchema = Schema.array(of: .id(ModelKind.self), count: 0...SubjectNarrowing.limit)
        .described("Only what these models answer; empty for all.")

    package static let schema = Schema.named(
        "RateLimit",
        .object(
            [
                .required("id", .id(RateLimitKind.self)), .required("organization", .id(OrganizationKind.self)),
                .required("scope", Self.scopeSchema), .required("tag", SubjectTag.schema.orNull),
                .required("name", .name), .required("meter", Self.meterSchema),
                .required("amount", Self.amountSchema), .required("period", Self.periodSchema.orNull),
                .required("burst", Self.burstSchema.orNull), .required("strict", Self.strictSchema),
                .required("away", Self.awaySchema), .required("providers", Self.providersSchema),
                .required("models", Self.modelsSchema), .required("status", .activeStatus),
            ] + Stamps.members)
    )

    package static let creationSchema = Schema.object([
        .required("scope", Self.scopeSchema), .optional("tag", SubjectTag.schema), .required("name", .name),
        .required("meter", Self.meterSchema),
        .required("amount", Self.amountSchema), .optional("period", Self.periodSchema),
        .optional("burst", Self.burstSchema), .optional("strict", Self.strictSchema),
        .optional("away", Self.awaySchema), .optional("providers", Self.providersSchema),
        .optional("models", Self.modelsSchema),
    ])

    package static let patchSchema = Schema.object([
        .optional("name", .name), .optional("amount", Self.amountSchema), .optional("burst", Self.burstSchema),
        .optional("strict", Self.strictSchema), .optional("away", Self.awaySchema), .optional("status", .activeStatus),
    ])
}
