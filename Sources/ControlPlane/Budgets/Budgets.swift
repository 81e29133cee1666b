package import Postgres
package import Shared

/// What can be done with budgets.
package struct Budgets: ResourceOperations {
    let database: Database
    let reads: Reads
    private let changes: Changes
    private let time: TimeSource
    private let zones = TimeZones()

    package init(database: Database, reads: Reads, changes: Changes, time: TimeSource) {
        self.database = database
        self.reads = reads
        self.changes = changes
        self.time = time
    }

    package func get(_ id: BudgetID, as context: OperationContext) async throws -> Budget {
        try await self.reads.perform(.budgetsRead, as: context) { tx, sight in try Self.seen(id, sight, &tx) }
    }

    /// A budget that the caller sees.
    static func seen(_ id: BudgetID, _ sight: Sight, _ tx: inout Transaction) throws -> Budget {
        let budget = try BudgetStore.fetch(id, &tx)
        try sight.require(try budget.subject.place(in: budget.organization, &tx), "budget", &tx)
        return budget
    }

    /// A budget to be changed, and held.
    private static func held(
        _ id: BudgetID, _ tx: inout Transaction
    ) throws -> (budget: Budget, place: AccessScope) {
        let budget = try BudgetStore.fetch(id, &tx, forUpdate: true)
        return (budget, try budget.subject.place(in: budget.organization, &tx))
    }

    package func list(
        organization: OrganizationID?, _ page: PageRequest, as context: OperationContext
    ) async throws -> Page<Budget> {
        let found = try await self.reads.perform(.budgetsRead, as: context) { tx, sight in
            try BudgetStore.list(organization: organization, page, sight, &tx)
        }
        return Page(found, page, position: \.id.bytes)
    }

    /// Of a body that `Budget.creationSchema` accepts.
    package func create(_ body: JSONValue, as context: OperationContext) async throws -> Resolved<Budget> {
        let id: BudgetID = self.time.newID()
        let zone = body["time_zone"]?.string ?? "UTC"
        let outcome = try await self.changes.perform(.budgetsCreate, on: Target(id), as: context) { tx, gate in
            let (subject, scope, organization) = try BudgetSubject.find(body, &tx)
            let place = try subject.place(in: organization, &tx)
            let permit = try gate.permit(at: place, &tx, orMissing: BudgetSubject.missing)
            guard let amount = try Budget.amount(body) else {
                throw ControlError.invalid("An amount is needed.", at: "/amount_usd")
            }
            guard let period = body["period"]?.string.flatMap({ BudgetPeriod(name: $0) }) else {
                throw ControlError.invalid("A period is needed.", at: "/period")
            }
            try self.zones.check(zone, at: "/time_zone", &tx)
            try ZoneOffsetStore.ensure(zone, at: context.time, &tx)
            let budget = Budget(
                id: id, organization: organization, subject: subject, scope: scope,
                name: body["name"]?.string ?? "", amount: amount, period: period,
                window: body["window"]?.string.flatMap { BudgetWindowKind(rawValue: $0) } ?? .calendar, timeZone: zone,
                isHard: body["hard"]?.bool ?? true,
                away: try BudgetAway(body),
                estimate: body["estimate"]?.string.flatMap { BudgetEstimate(name: $0) } ?? .bound,
                lowersOutput: body["lower_max_tokens"]?.bool ?? false,
                carriesOver: body["carry_over"]?.bool ?? false,
                thresholds: try body["thresholds"].map { try BudgetThresholds($0) } ?? .standard,
                providers: (body["providers"]?.array ?? []).compactMap { $0.string.flatMap { ProviderID($0) } },
                models: (body["models"]?.array ?? []).compactMap { $0.string.flatMap { ModelID($0) } },
                status: .active, stamps: Stamps(new: context.time)
            )
            try budget.checkWindow()
            try BudgetSubject.checkNarrowing(
                to: budget.models, of: budget.providers, organization: organization, &tx)
            try BudgetStore.insert(budget, &tx, permit)
            // A request counts for every one above it, and carries each of them: there are only so many.
            try SubjectCount.check("budget", of: subject, limit: Budget.limitOfSubject, "budgets", &tx)
            return Change(budget, in: organization, after: budget)
        }
        return try await outcome.resolved { try await self.get(BudgetID($0), as: context) }
    }

    package func update(
        _ id: BudgetID, _ patch: JSONValue, ifRevision: Int64?, as context: OperationContext
    ) async throws -> Resolved<Budget> {
        let outcome = try await self.changes.perform(.budgetsUpdate, on: Target(id), as: context) { tx, gate in
            let (before, place) = try Self.held(id, &tx)
            let permit = try gate.permit(at: place, &tx)
            try Revision.check(before.stamps.revision, ifRevision)
            let after = try before.applying(patch, at: context.time)
            try BudgetStore.save(after, &tx, permit)
            try ThresholdStore.mark(id, &tx)
            return Change(
                after, in: before.organization, before: before, after: after,
                raise: BudgetRaise(from: before, to: after))
        }
        return try await outcome.resolved { _ in try await self.get(id, as: context) }
    }

    package func delete(
        _ id: BudgetID, ifRevision: Int64?, as context: OperationContext
    ) async throws -> [AuditReceipt] {
        try await self.changes.perform(.budgetsDelete, on: Target(id), as: context) { tx, gate in
            let (before, place) = try Self.held(id, &tx)
            let permit = try gate.permit(at: place, &tx)
            try Revision.check(before.stamps.revision, ifRevision)
            try BudgetStore.remove(id, at: context.time, &tx, permit)
            return Change((), in: before.organization, before: before, raise: .unbounded)
        }.receipts
    }

    // MARK: Increases

    package func increase(
        _ id: BudgetID, _ body: JSONValue, as context: OperationContext
    ) async throws -> Resolved<BudgetIncrease> {
        let increaseID: BudgetIncreaseID = self.time.newID()
        let outcome = try await self.changes.perform(
            .budgetsIncrease, on: Target(increaseID), as: context
        ) { tx, gate in
            let (budget, place) = try Self.held(id, &tx)
            let permit = try gate.permit(at: place, &tx, orMissing: .notFound("budget"))
            guard let amount = try Budget.amount(body) else {
                throw ControlError.invalid("An amount is needed.", at: "/amount_usd")
            }
            let from = body["from_at"]?.string.flatMap { Timestamp($0) } ?? context.time
            guard let until = body["until_at"]?.string.flatMap({ Timestamp($0) }), until > from,
                until > context.time
            else { throw ControlError.invalid("It must lie after 'from_at', and in the future.", at: "/until_at") }
            let increase = BudgetIncrease(
                id: increaseID, budget: id, amount: amount, from: from, until: until,
                reason: body["reason"]?.string ?? "", createdAt: context.time
            )
            try BudgetIncreaseStore.insert(increase, &tx, permit)
            // With this one and all others that hold meanwhile.
            let increases = try BudgetIncreaseStore.most(of: id, from: from, until: until, &tx)
            return Change(
                increase, in: budget.organization, after: increase,
                raise: BudgetRaise(to: budget.amount.addingOrMost(increases)))
        }
        return try await outcome.resolved { id in
            try await self.database.transaction(.readOnly) { tx in
                try BudgetIncreaseStore.fetch(BudgetIncreaseID(id), &tx)
            }
        }
    }

    package func increases(
        of id: BudgetID, _ page: PageRequest, as context: OperationContext
    ) async throws -> Page<BudgetIncrease> {
        let found = try await self.reads.perform(.budgetsRead, as: context) { tx, sight in
            _ = try Self.seen(id, sight, &tx)
            return try BudgetIncreaseStore.list(of: id, page, &tx)
        }
        return Page(found, page, position: \.id.bytes)
    }

    /// Ends an increase now.
    package func endIncrease(
        _ id: BudgetIncreaseID, of budget: BudgetID, as context: OperationContext
    ) async throws -> [AuditReceipt] {
        try await self.changes.perform(.budgetsIncrease, on: Target(id), as: context) { tx, gate in
            let (owner, place) = try Self.held(budget, &tx)
            let permit = try gate.permit(at: place, &tx, orMissing: .notFound("budget"))
            let before = try BudgetIncreaseStore.fetch(id, &tx)
            guard before.budget == budget else { throw ControlError.notFound("budget increase") }
            try BudgetIncreaseStore.end(id, at: context.time, &tx, permit)
            try ThresholdStore.mark(budget, &tx)
            let after = try BudgetIncreaseStore.fetch(id, &tx)
            return Change((), in: owner.organization, before: before, after: after)
        }.receipts
    }
}
