import Crypto
import DataPlane
import Shared

/// A small snapshot of one organization, one key and one route, compiled as a gateway would.
struct TestPolicy {
    /// A provider and how the route prefers it.
    struct Target {
        var url: String
        var order = 1
        var weight = 100
        var isPriced = true
    }

    var targets: [Target]
    var maxBodyBytes = 1 << 20
    var requestSeconds = 60
    var unpricedModels = Manifest.UnpricedModels.deny
    /// Nano-USD for a million input tokens of models without a price; nil for no such price.
    var fallback: Int64?
    var budgets: [Budget] = []
    var rateLimits: [RateLimit] = []
    var leases = LeaseTable()

    /// A rate limit of one of the levels that there are.
    struct RateLimit {
        var level = BudgetLevel.project
        var meter: RateLimitMeter
        var rate: BucketRate?
        /// With a level of a node: of its requests those with this tag.
        var tag: SubjectTag?
        var isStrict = false
        var away = BudgetAwayPolicy.open
    }

    /// A budget of one of the levels that there are.
    struct Budget {
        var level = BudgetLevel.project
        /// Nano-USD.
        var amount: Int64
        /// With a level of a node: of its requests those with this tag.
        var tag: SubjectTag?
        var period = BudgetPeriod.total
        var rolling: BudgetPeriod?
        var isHard = true
        var away = BudgetAwayPolicy.deny
        var awayAllowance: Int64 = 0
        var estimate = BudgetEstimate.bound
        var lowersOutput = false
    }
    /// What the project declares, by ascending name, and what the key has of its own.
    var tags: [TagDeclaration] = []
    var keyTags: [String: String] = [:]

    /// The secret that requests carry.
    static let secret = "sk-gh-0000000000000000-0000000000000000000000000000000000000000000000000"
    /// What providers are sent.
    static let credential = "provider-secret"
    /// The name that clients use, and what providers are asked for in its place.
    static let alias = "fast"
    static let model = "provider-model-1"

    func compile() throws -> PolicyIndex {
        let time = TimeSource.system
        let secretKey = SymmetricKey(size: .bits256)
        let key: VirtualKeyID = time.newID()
        var limits = Manifest.Limits()
        limits.maxBodyBytes = self.maxBodyBytes
        limits.requestSeconds = self.requestSeconds
        limits.unpricedModels = self.unpricedModels
        let manifest = Manifest(
            deployment: time.newID(), group: time.newID(), version: SnapshotVersion(epoch: 1, version: 1),
            created: time.now(), previous: [], keyringEpoch: 1, limits: limits, chunks: []
        )
        var document = SnapshotDocument()
        let organization: NodeID = time.newID()
        let project: NodeID = time.newID()
        document.nodes = [
            NodeRow(id: organization, kind: .organization, parent: nil, status: .active),
            NodeRow(id: project, kind: .project, parent: organization, status: .active, tags: self.tags),
        ]
        if let tags = TagSet(self.keyTags) {
            document.policies = [PolicyRow(id: time.newID(), models: nil, networks: [], tags: tags)]
        }
        document.keys = [
            KeyRow(
                digest: Array(SHA256.hash(data: Array(Self.secret.utf8))), key: key, project: project,
                owner: nil, policy: document.policies.first?.id, expires: nil, status: .active
            )
        ]
        var routeTargets: [RouteTarget] = []
        for target in self.targets {
            let provider: ProviderID = time.newID()
            let credential: CredentialID = time.newID()
            let model: ModelID = time.newID()
            document.providers.append(
                ProviderRow(id: provider, kind: .openAICompatible, baseURL: target.url, status: .active)
            )
            let sealed = try SealedCredential.seal(
                Array(Self.credential.utf8), key: secretKey, deployment: manifest.deployment, group: manifest.group,
                credential: credential, version: 1
            )
            document.credentials.append(
                CredentialRow(
                    id: credential, provider: provider, version: 1, keyEpoch: 1, sealed: sealed, status: .active
                )
            )
            document.models.append(
                ModelRow(
                    id: model, provider: provider, name: Self.model, contextWindow: 100_000, maxOutput: 4096,
                    status: .active
                )
            )
            if target.isPriced {
                document.prices.append(
                    PriceRow(
                        id: time.newID(), model: model, effective: Timestamp(microseconds: 0),
                        items: [
                            PriceItem(meter: .input, nanoUSDPerMillion: 1_000_000_000),
                            PriceItem(meter: .output, nanoUSDPerMillion: 2_000_000_000),
                        ]
                    )
                )
            }
            routeTargets.append(
                RouteTarget(model: model, credential: credential, order: target.order, weight: target.weight)
            )
        }
        if let fallback {
            document.prices.append(
                PriceRow(
                    id: time.newID(), model: nil, effective: Timestamp(microseconds: 0),
                    items: [PriceItem(meter: .input, nanoUSDPerMillion: fallback)]))
        }
        document.routes = [
            RouteRow(id: time.newID(), node: nil, alias: Self.alias, targets: routeTargets, status: .active)
        ]
        for (index, budget) in self.budgets.enumerated() {
            let subject = Self.subject(budget.level, budget.tag, organization, project, key)
            document.budgets.append(
                BudgetRow(
                    id: time.newID(), number: UInt32(index + 1), subject: subject, period: budget.period,
                    rolling: budget.rolling, amount: NanoUSD(budget.amount), isHard: budget.isHard, away: budget.away,
                    awayAllowance: NanoUSD(budget.awayAllowance), estimate: budget.estimate,
                    lowersOutput: budget.lowersOutput))
        }
        for (index, limit) in self.rateLimits.enumerated() {
            let subject = Self.subject(limit.level, limit.tag, organization, project, key)
            document.rateLimits.append(
                RateLimitRow(
                    id: time.newID(), number: UInt32(index + 1), subject: subject, meter: limit.meter,
                    rate: limit.rate ?? .least, isStrict: limit.isStrict, away: limit.away))
        }
        return try PolicyCompiler.compile(
            document, manifest: manifest, manifestSHA256: Array(repeating: 0, count: 32), keyEncryptionKey: secretKey,
            leases: self.leases
        )
    }

    private static func subject(
        _ level: BudgetLevel, _ tag: SubjectTag?, _ organization: NodeID, _ project: NodeID, _ key: VirtualKeyID
    ) -> BudgetSubject {
        guard level != .key else { return .key(key) }
        let node = level == .organization ? organization : project
        return tag.map { .tag(node, $0) } ?? .node(node)
    }
}
