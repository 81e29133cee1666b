package import Shared

/// What a snapshot says, laid out to be asked by requests.
///
/// Immutable: each event loop holds one reference and is handed the next. Everything is found by integer handles into
/// flat arrays; a request copies out the few scalars it needs.
package final class PolicyIndex: Sendable {
    package let version: SnapshotVersion
    /// SHA-256 of the manifest's envelope.
    package let manifest: [UInt8]
    package let limits: Manifest.Limits
    package let keys: [KeyEntry]
    package let nodes: [NodeEntry]
    package let policies: [PolicyEntry]
    package let aliases: [AliasEntry]
    package let routes: [RouteEntry]
    package let models: [ModelEntry]
    package let providers: [ProviderEntry]
    package let credentials: [CredentialEntry]
    /// Prices of models that have none, by ascending effective time; empty when the group refuses such models.
    package let fallbackPrices: [PriceRow]
    /// Discounts and margins: each organization's in one run, in the order of `PriceAdjustment.precedes`.
    package let adjustments: [PriceAdjustment]
    package let budgets: [BudgetEntry]
    /// Whether a budget goes by what was learned.
    let learnsBudgets: Bool
    /// Handles of budgets: of each node and of each key in one run.
    package let budgetPaths: [Handle]
    package let rateLimits: [RateLimitEntry]
    /// Handles of rate limits: of each node and of each key in one run.
    package let rateLimitPaths: [Handle]
    /// Tags that projects declare: each project's in one run, by ascending name.
    package let tags: [TagEntry]
    /// What requests count for by their tags.
    let tagSubjects: TagSubjects
    /// Time zones of budgets.
    let zones: [ZoneOffsets]
    /// Sorted handles of the models that budgets and rate limits are narrowed to.
    private let modelSets: [[Handle]]
    private let keyTable: HandleTable
    private let aliasTable: HandleTable

    init(
        version: SnapshotVersion, manifest: [UInt8], limits: Manifest.Limits, keys: [KeyEntry], nodes: [NodeEntry],
        policies: [PolicyEntry], aliases: [AliasEntry], routes: [RouteEntry], models: [ModelEntry],
        providers: [ProviderEntry], credentials: [CredentialEntry], fallbackPrices: [PriceRow],
        adjustments: [PriceAdjustment], tags: [TagEntry], budgets: [BudgetEntry], budgetPaths: [Handle],
        rateLimits: [RateLimitEntry], rateLimitPaths: [Handle], zones: [ZoneOffsets], modelSets: [[Handle]],
        tagSubjects: TagSubjects
    ) {
        self.version = version
        self.manifest = manifest
        self.limits = limits
        self.keys = keys
        self.nodes = nodes
        self.policies = policies
        self.aliases = aliases
        self.routes = routes
        self.models = models
        self.providers = providers
        self.credentials = credentials
        self.fallbackPrices = fallbackPrices
        self.adjustments = adjustments
        self.budgets = budgets
        self.learnsBudgets = budgets.contains(where: \.isLearned)
        self.budgetPaths = budgetPaths
        self.rateLimits = rateLimits
        self.rateLimitPaths = rateLimitPaths
        self.tags = tags
        self.tagSubjects = tagSubjects
        self.zones = zones
        self.modelSets = modelSets
        self.keyTable = HandleTable(hashes: keys.map(\.digest.words.0))
        self.aliasTable = HandleTable(hashes: aliases.map(\.hash))
    }

    /// An index that knows nobody: what a gateway serves before its first snapshot.
    package static let empty = PolicyIndex(
        version: SnapshotVersion(epoch: 0, version: 0), manifest: [], limits: .init(), keys: [], nodes: [],
        policies: [], aliases: [], routes: [], models: [], providers: [], credentials: [], fallbackPrices: [],
        adjustments: [], tags: [], budgets: [], budgetPaths: [], rateLimits: [], rateLimitPaths: [], zones: [],
        modelSets: [],
        tagSubjects: TagSubjects()
    )

    package var isEmpty: Bool { self.version.epoch == 0 }

    /// The key with this digest; -1 when there is none.
    package func key(_ digest: Digest256) -> Handle {
        self.keyTable.find(digest.words.0) { self.keys[Int($0)].digest == digest }
    }

    /// The alias of this name; -1 when there is none anywhere.
    package func alias(_ name: Span<UInt8>) -> Handle {
        self.aliasTable.find(AliasHash.of(name)) { handle in
            let known = self.aliases[Int(handle)].name
            guard known.count == name.count else { return false }
            for index in name.indices where known[index] != name[index] { return false }
            return true
        }
    }

    /// The route that an alias means at a node: the nearest one upwards, the instance's last; -1 when none is visible.
    package func route(alias: Handle, at node: Handle) -> Handle {
        guard alias >= 0 else { return -1 }
        let routes = self.aliases[Int(alias)].routes
        var current = node
        var steps = 0
        while current >= 0 && steps < Self.depthLimit {
            for candidate in routes where candidate.node == current { return candidate.route }
            current = self.nodes[Int(current)].parent
            steps += 1
        }
        for candidate in routes where candidate.node < 0 { return candidate.route }
        return -1
    }

    /// Whether a key's policy allows an alias.
    package func allows(policy: Handle, alias: Handle) -> Bool {
        guard policy >= 0, let allowed = self.policies[Int(policy)].aliases else { return true }
        var low = 0
        var high = allowed.count
        while low < high {
            let middle = (low + high) / 2
            if allowed[middle] < alias { low = middle + 1 } else { high = middle }
        }
        return low < allowed.count && allowed[low] == alias
    }

    /// Whether a key's policy allows requests from an address.
    package func allows(policy: Handle, from address: IPAddress) -> Bool {
        guard policy >= 0 else { return true }
        let networks = self.policies[Int(policy)].networks
        return networks.isEmpty || networks.contains { $0.contains(address) }
    }

    /// Whether what a model answers at an instant can be charged: it is not served otherwise.
    package func isPriced(_ model: Handle, at instant: Timestamp) -> Bool {
        self.models[Int(model)].prices.contains { $0.effective <= instant }
            || self.fallbackPrices.contains { $0.effective <= instant }
    }

    /// The price of a model at an instant: its own, else the fallback; nil when it has neither.
    package func price(of model: Handle, at instant: Timestamp) -> PriceRow? {
        self.models[Int(model)].price(at: instant) ?? self.fallbackPrices.last { $0.effective <= instant }
    }

    /// The discount or margin that counts for a request of `node` that began at `instant` and went to `model`; nil for
    /// none.
    package func adjustment(at node: Handle, model: Handle, _ instant: Timestamp) -> PriceAdjustment? {
        let range = self.nodes[Int(node)].adjustments
        guard !range.isEmpty else { return nil }
        let entry = self.models[Int(model)]
        return PriceAdjustment.nearest(
            in: self.adjustments, range, provider: self.providers[Int(entry.provider)].id, model: entry.id, at: instant
        ).map { self.adjustments[$0] }
    }

    /// What a model's prompt and answer have at most, in tokens; 0 where that is not known.
    func bounds(of model: Handle) -> (contextWindow: Int, maxOutput: Int) {
        (self.models[Int(model)].contextWindow, self.models[Int(model)].maxOutput)
    }

    /// Whether what is narrowed to a set of models counts requests to this one.
    func covers(_ set: Handle, _ model: Handle) -> Bool {
        guard set >= 0 else { return true }
        var low = 0
        var high = self.modelSets[Int(set)].count
        while low < high {
            let middle = (low + high) / 2
            let found = self.modelSets[Int(set)][middle]
            if found == model { return true }
            if found < model { low = middle + 1 } else { high = middle }
        }
        return false
    }

    /// An organization, eight units and a project, and one to spare.
    package static let depthLimit = 11
}

/// The hash that aliases are found by (FNV-1a, 64 bit).
package enum AliasHash {
    package static func of(_ name: Span<UInt8>) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for index in name.indices { hash = (hash ^ UInt64(name[index])) &* 0x0000_0100_0000_01B3 }
        return hash
    }
}

/// An open-addressing table from 64-bit hashes to handles; at most half full.
package struct HandleTable: Sendable {
    private let slots: [Handle]
    private let hashes: [UInt64]
    private let mask: Int

    package init(hashes: [UInt64]) {
        var size = 8
        while size < hashes.count * 2 { size *= 2 }
        var slots = [Handle](repeating: -1, count: size)
        for (handle, hash) in hashes.enumerated() {
            var slot = Int(truncatingIfNeeded: hash >> 16) & (size - 1)
            while slots[slot] >= 0 { slot = (slot + 1) & (size - 1) }
            slots[slot] = Handle(handle)
        }
        self.slots = slots
        self.hashes = hashes
        self.mask = size - 1
    }

    package func find(_ hash: UInt64, _ matches: (Handle) -> Bool) -> Handle {
        var slot = Int(truncatingIfNeeded: hash >> 16) & self.mask
        while true {
            let handle = self.slots[slot]
            if handle < 0 || (self.hashes[Int(handle)] == hash && matches(handle)) { return handle }
            slot = (slot + 1) & self.mask
        }
    }
}
