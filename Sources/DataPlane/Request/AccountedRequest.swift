import Shared

/// What budgets and rate limits go by of a request that has a model: copied out of its exchange.
struct AccountedRequest {
    let policy: PolicyIndex
    let key: VirtualKeyID
    let node: Handle
    /// Where the budgets of its key's owner and its key's own stand in the policy's `budgetPaths`.
    let budgets: Range<Int32>
    /// The same of rate limits, in `rateLimitPaths`.
    let rateLimits: Range<Int32>
    /// What it counts for by its tags.
    let tagged: TaggedHandles
    let model: Handle
    let operation: Operation
    let began: Timestamp
    let features: Intent.Features
    let bodyBytes: Int
    let outputBound: Int64?
    let choices: Int64
    /// The gateway has set `outputBound`.
    let isLowered: Bool

    init(_ exchange: borrowing Exchange) {
        self.policy = exchange.policy
        self.key = exchange.caller.key
        self.node = exchange.caller.node
        self.budgets = exchange.caller.budgets
        self.rateLimits = exchange.caller.rateLimits
        self.tagged = exchange.tagged
        self.model = exchange.model
        self.operation = exchange.operation
        self.began = exchange.began
        self.features = exchange.intent.features
        self.bodyBytes = exchange.intent.bodyBytes
        self.outputBound = exchange.intent.outputBound
        self.choices = exchange.intent.choices
        self.isLowered = exchange.intent.isLowered
    }

    var modelID: ModelID { self.policy.models[Int(self.model)].id }

    /// Bytes of the body, where the prompt is in the body alone.
    var promptBytes: Int64? {
        let elsewhere: Intent.Features = [
            .previousResponse, .conversation, .storedPrompt, .references, .hostedTools, .webSearch,
        ]
        return self.features.isDisjoint(with: elsewhere) ? Int64(self.bodyBytes) : nil
    }

    /// What so many units cost at its model, at the dearest reading of its price; nil when nothing bounds it.
    func cost(_ bound: CostBound) -> NanoUSD? {
        guard let price = self.policy.price(of: self.model, at: self.began) else { return .zero }
        let adjustment = self.policy.adjustment(at: self.node, model: self.model, self.began)
        return bound.cost(items: price.items, uplift: price.uplift, adjustment: adjustment?.factor ?? .one)
    }
}

extension Exchange {
    /// Nil where nothing that it could count for is bounded.
    var accounted: AccountedRequest? {
        guard self.model >= 0 else { return nil }
        let isBounded =
            self.policy.nodes[Int(self.caller.node)].isBounded || !self.caller.budgets.isEmpty
            || !self.caller.rateLimits.isEmpty || !self.tagged.isEmpty
        return isBounded ? AccountedRequest(self) : nil
    }
}

extension CostBound {
    /// The bounds of a request.
    init(_ request: borrowing AccountedRequest) {
        let (contextWindow, maxOutput) = request.policy.bounds(of: request.model)
        let context = Self.prompt(bytes: .max, contextWindow: contextWindow)
        self.init(prompt: Self.prompt(bytes: Int64(request.bodyBytes), contextWindow: contextWindow), output: 0)
        // What is not in the body fills at most that; a tool of the provider's may fill it any number of times.
        if !request.features.isDisjoint(with: [.previousResponse, .conversation, .storedPrompt, .references]) {
            self.prompt = context
        }
        if request.features.contains(.hostedTools) { self.prompt = .max }
        self.searches = request.features.contains(.webSearch)
        if request.operation == .speech { self.characters = self.prompt }
        if request.operation == .imageGenerations { self.images = max(1, request.choices) }
        guard request.operation.generates || request.operation == .imageGenerations else { return }
        self.output = Self.output(
            bound: request.outputBound, choices: request.choices, contextWindow: contextWindow, maxOutput: maxOutput)
    }
}
