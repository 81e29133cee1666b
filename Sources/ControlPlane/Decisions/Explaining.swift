import Postgres
import Shared

extension Decisions {
    /// Whether a request of a key would be served now, as far as the control plane knows, and why not.
    ///
    /// The rules are looked at in the order in which a gateway does.
    ///
    /// It tells of budgets and limits above the key what a gateway would tell the key's bearer.
    package func explain(
        _ question: Explanation.Question, as context: OperationContext
    ) async throws -> Explanation {
        let now = context.time
        var (explanation, demands) = try await self.reads.perform(.virtualKeysRead, as: context) { tx, sight in
            try sight.require(try VirtualKeyStore.fetch(question.key, &tx).scope, "virtual key", &tx)
            return try Explaining(question, now: now).rules(&tx)
        }
        var statuses: [BudgetID: BudgetStatus] = [:]
        for demand in demands {
            for budget in demand.budgets {
                let known = statuses[budget.id]
                let status = if let known { known } else { try await self.budgets.standing(of: budget.id, now: now) }
                statuses[budget.id] = status
                explanation.money(demand, budget, status)
            }
        }
        return explanation
    }
}

/// Everything but money.
private struct Explaining {
    let question: Explanation.Question
    let now: Timestamp
    private var found = Explanation()

    init(_ question: Explanation.Question, now: Timestamp) {
        self.question = question
        self.now = now
    }

    func rules(_ tx: inout Transaction) throws -> (Explanation, [MoneyDemand]) {
        var explaining = self
        let demands = try explaining.run(&tx)
        return (explaining.found, demands)
    }

    private mutating func run(_ tx: inout Transaction) throws -> [MoneyDemand] {
        let key = try VirtualKeyStore.fetch(self.question.key, &tx)
        let line = try ExplanationStore.line(of: key.project, &tx)
        let groups = try ExplanationStore.groups(of: key.organization, &tx)
        if groups.isEmpty {
            self.found.fail("gateways", "invalid_api_key", "No group of gateways serves the key's organization.")
        }
        self.checkKey(key, line)
        try self.checkOwner(key, &tx)
        let project = try ScopeNodeStore.find(key.project.node, &tx)
        self.checkTags(key, project?.tags ?? [])
        guard let targets = try self.targets(key, &tx) else { return [] }
        let tags = self.question.tags.merging(key.tags) { $1 }
        let nodes = line.map(\.id)
        let budgets = try ExplanationStore.budgets(nodes, tags, of: key, &tx)
        let limits = try ExplanationStore.rateLimits(nodes, tags, of: key, &tx)
        func level(_ subject: BudgetSubject) -> BudgetLevel {
            switch subject {
            case .node(let id): line.first { $0.id == id }?.level ?? .project
            case .tag: .tag
            case .key: .key
            case .owner: .owner
            }
        }
        func counts(
            _ models: [ModelID], _ providers: [ProviderID], _ at: ExplanationStore.Target
        )
            -> Bool
        {
            (models.isEmpty && providers.isEmpty) || models.contains(at.model) || providers.contains(at.provider)
        }
        var demands: [MoneyDemand] = []
        for target in targets {
            guard let price = try self.price(of: target, groups, &tx) else { continue }
            let bound = self.bound(at: target, output: self.question.maxTokens)
            for limit in limits where counts(limit.models, limit.providers, target) {
                self.check(limit, level(limit.subject), bound, target.model)
            }
            let factor = try ExplanationStore.factor(key.organization, target, at: self.now, &tx)
            func cost(_ bound: CostBound) -> NanoUSD? {
                bound.cost(items: price.items, uplift: price.uplift, adjustment: factor)
            }
            let paid = budgets.filter { counts($0.models, $0.providers, target) }
            demands.append(
                MoneyDemand(
                    model: target.model, cost: cost(bound),
                    least: cost(self.bound(at: target, output: CostBound.leastOutput)),
                    budgets: paid,
                    levels: Dictionary(uniqueKeysWithValues: paid.map { ($0.id, level($0.subject)) })))
        }
        return demands
    }

    private func bound(at target: ExplanationStore.Target, output: Int64?) -> CostBound {
        CostBound(
            prompt: CostBound.prompt(bytes: self.question.promptBytes, contextWindow: target.contextWindow),
            output: CostBound.output(
                bound: output, choices: self.question.choices, contextWindow: target.contextWindow,
                maxOutput: target.maxOutput))
    }

    private mutating func checkKey(_ key: VirtualKey, _ line: [ExplanationStore.Node]) {
        let id = key.id.description
        switch key.status {
        case .active: self.found.pass("key", "The key is active.", level: .key, id: id)
        case .disabled: self.found.fail("key", "key_disabled", "The key is disabled.", level: .key, id: id)
        case .revoked: self.found.fail("key", "key_revoked", "The key was revoked.", level: .key, id: id)
        }
        if let node = line.first(where: { !$0.isActive }) {
            self.found.fail(
                "scope", "scope_disabled", "\(node.reference) is disabled.", level: node.level, id: node.reference)
        } else {
            self.found.pass("scope", "The project and all above it are active.")
        }
        // A key's last text ends with the key, or before it.
        let texts = key.secrets.contains { $0.expiresAt == nil } ? nil : key.secrets.compactMap(\.expiresAt).max()
        if let end = [key.expiresAt, texts].compactMap({ $0 }).min() {
            if end <= self.now {
                self.found.fail("expiry", "key_expired", "The key expired at \(end).", level: .key, id: id)
            } else {
                self.found.pass("expiry", "The key expires at \(end).", level: .key, id: id)
            }
        }
        guard !key.allowedNetworks.isEmpty else {
            self.found.pass("network", "The key may be used from everywhere.", level: .key, id: id)
            return
        }
        let networks = key.allowedNetworks.joined(separator: ", ").prefix(800)
        if let address = self.question.address {
            let isAllowed = key.allowedNetworks.contains { NetworkRange($0)?.contains(address) == true }
            if isAllowed {
                self.found.pass("network", "\(address) is in a network of the key.", level: .key, id: id)
            } else {
                self.found.fail(
                    "network", "network_not_allowed", "\(address) is in none of \(networks).", level: .key, id: id)
            }
        } else {
            self.found.depends("network", "It must come from \(networks).", level: .key, id: id)
        }
    }

    private mutating func checkOwner(_ key: VirtualKey, _ tx: inout Transaction) throws {
        guard let owner = key.owner else { return }
        if try ExplanationStore.isActive(owner, &tx) {
            self.found.pass("owner", "The key's owner is active.", level: .owner, id: owner.text)
        } else {
            self.found.fail("owner", "owner_disabled", "The key's owner is disabled.", level: .owner, id: owner.text)
        }
    }

    private mutating func checkTags(_ key: VirtualKey, _ declared: [TagDeclaration]) {
        var isFine = true
        for name in self.question.tags.keys.sorted() where !declared.contains(where: { $0.name == name }) {
            isFine = false
            self.found.fail("tags", "tag_not_declared", "The project does not declare the tag '\(name)'.", level: .tag)
        }
        for tag in declared where tag.isRequired && key.tags[tag.name] == nil && self.question.tags[tag.name] == nil {
            isFine = false
            self.found.fail("tags", "tag_required", "The project requires the tag '\(tag.name)'.", level: .tag)
        }
        if isFine { self.found.pass("tags", "Its tags are those that the project wants.") }
    }

    /// The targets that a gateway would try first; nil when the request would not come so far.
    private mutating func targets(
        _ key: VirtualKey, _ tx: inout Transaction
    ) throws -> [ExplanationStore.Target]? {
        let name = self.question.model
        guard let route = try ExplanationStore.route(name, at: key.project, &tx) else {
            self.found.fail("model", "model_not_found", "No active route of this name is visible to the project.")
            return nil
        }
        self.found.route = route
        self.found.pass("model", "The name means this route.", id: route.description)
        if key.allowedModels?.contains(name) == false {
            self.found.fail(
                "allowed_models", "model_not_allowed", "The key may use other models only.", level: .key,
                id: key.id.description)
        }
        let all = try ExplanationStore.targets(of: route, &tx)
        for target in all where !target.isUsable {
            let what = target.isModelActive ? target.isProviderActive ? "credential" : "provider" : "model"
            self.found.pass("target", "Passed over: its \(what) is not active.", model: target.model)
        }
        let usable = all.filter(\.isUsable)
        guard let first = usable.first else {
            self.found.fail("targets", "no_target_available", "The route has no target that is active.")
            return nil
        }
        return usable.filter { $0.order == first.order }
    }

    private mutating func price(
        of target: ExplanationStore.Target, _ groups: [Manifest.UnpricedModels], _ tx: inout Transaction
    ) throws -> Price? {
        if let price = try ExplanationStore.price(of: target.model, at: self.now, &tx) {
            self.found.pass("price", "The model has a price.", id: price.id.description, model: target.model)
            return price
        }
        let fallback = try ExplanationStore.price(of: nil, at: self.now, &tx)
        let estimating = groups.count { $0 == .estimate }
        guard let fallback, estimating > 0 else {
            self.found.fail("price", "model_not_priced", "The model has no price.", model: target.model)
            return nil
        }
        if estimating == groups.count {
            self.found.pass("price", "The fallback price counts.", id: fallback.id.description, model: target.model)
        } else {
            self.found.depends(
                "price", "Only some groups of gateways serve models without a price.", id: fallback.id.description,
                model: target.model)
        }
        return fallback
    }

    private mutating func check(_ limit: RateLimit, _ level: BudgetLevel, _ bound: CostBound, _ model: ModelID) {
        let id = limit.id.description
        let units: Int64 =
            switch limit.meter {
            case .requests, .concurrentRequests: 1
            case .inputTokens: bound.prompt
            case .outputTokens: bound.output
            case .totalTokens: NanoUSD(bound.prompt).addingSaturating(NanoUSD(bound.output)).amount
            }
        if limit.isStrict, units > limit.rate.burst {
            self.found.fail(
                "rate_limit", "request_exceeds_rate_limit",
                "It may use \(units) \(limit.meter.name), and \(limit.rate.burst) are there at once.", level: level,
                id: id,
                model: model)
        } else {
            let period = limit.rate.period.map { " a \($0.name)" } ?? ""
            self.found.depends(
                "rate_limit", "\(limit.rate.amount) \(limit.meter.name)\(period); what is used of it gateways know.",
                level: level, id: id, model: model)
        }
    }
}
