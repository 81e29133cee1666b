package import Shared

/// The position of something in one `PolicyIndex`; -1 for nothing.
///
/// Meaningless in another index.
package typealias Handle = Int32

/// A SHA-256 in four machine words, to be compared without a loop.
package struct Digest256: Hashable, Sendable {
    package let words: (UInt64, UInt64, UInt64, UInt64)

    package init(_ a: UInt64, _ b: UInt64, _ c: UInt64, _ d: UInt64) { self.words = (a, b, c, d) }

    /// Reads 32 big-endian bytes.
    package init(_ bytes: [UInt8]) {
        self.init(
            bytes.bigEndianUInt64(at: 0), bytes.bigEndianUInt64(at: 8), bytes.bigEndianUInt64(at: 16),
            bytes.bigEndianUInt64(at: 24)
        )
    }

    package static func == (left: Self, right: Self) -> Bool { left.words == right.words }

    package func hash(into hasher: inout Hasher) { hasher.combine(self.words.0) }
}

/// Why a key that is known may not be used.
package enum KeyState: UInt8, Sendable {
    case active
    case disabled
    case revoked
    /// The user or service account that owns it is disabled.
    case ownerDisabled
    /// Its project, or a unit or organization above it, is disabled.
    case scopeDisabled
}

/// One secret of a virtual key, resolved.
package struct KeyEntry: Sendable {
    package let digest: Digest256
    package let key: VirtualKeyID
    package let project: NodeID
    package let owner: UUIDValue?
    package let node: Handle
    package let policy: Handle
    /// Microseconds since 1970 at which it stops working; `.max` for never.
    package let expires: Int64
    package let state: KeyState
    /// Where the budgets of its owner and its own stand in the index's `budgetPaths`.
    package let budgets: Range<Int32>
    /// Where the rate limits of its owner and its own stand in the index's `rateLimitPaths`.
    package let rateLimits: Range<Int32>
    /// Whether its requests may have tags: its project declares some.
    package let isTagged: Bool
}

package struct NodeEntry: Sendable {
    package let id: NodeID
    /// -1 for an organization.
    package let parent: Handle
    package let isActive: Bool
    /// Where the adjustments of its organization stand in the index.
    package let adjustments: Range<Int>
    /// Where the tags that a project declares stand in the index.
    package let tags: Range<Int>
    /// Where the budgets of it and of everything above it stand in the index's `budgetPaths`, the topmost first.
    package let budgets: Range<Int32>
    /// Where their rate limits stand in the index's `rateLimitPaths`, the topmost first.
    package let rateLimits: Range<Int32>
    /// Which of its requests' tags are looked up, in the index's `tagSubjects`: none where nothing is bounded by one.
    let tagLookups: Range<Int32>

    /// Whether every request below it counts for something, not regarding its key and its tags.
    var isBounded: Bool { !self.budgets.isEmpty || !self.rateLimits.isEmpty }
}

/// A budget, as requests go by it; nothing in it is counted by reference.
package struct BudgetEntry: Sendable {
    package let id: BudgetID
    package let number: UInt32
    /// Where the process keeps what it holds of it.
    package let cell: LeaseTable.Cell
    package let level: BudgetLevel
    package let period: BudgetPeriod
    /// How long its window is that rolls; `period` is total then.
    package let rolling: BudgetPeriod?
    /// Whose windows it has, in the index's `zones`.
    let zone: Handle
    package let amount: NanoUSD
    package let isHard: Bool
    /// Nano-dollars that the process may spend beyond what it holds when nobody can be asked; `max` for no bound.
    let allowance: Int64
    /// It goes by what was learned, not by the bound.
    package let isLearned: Bool
    let lowersOutput: Bool
    /// Which models it is narrowed to, in the index's `modelSets`; -1 for all.
    let models: Handle
}

/// A rate limit, as requests go by it; nothing in it is counted by reference.
package struct RateLimitEntry: Sendable {
    package let id: RateLimitID
    /// Where the process keeps what it has of it.
    package let slot: RateLimitTable.Index
    package let level: BudgetLevel
    package let meter: RateLimitMeter
    package let rate: BucketRate
    package let isStrict: Bool
    /// Requests are served when nobody can be asked.
    let opensAway: Bool
    /// Nanoseconds in which half of the bucket flows in; 0 for what does not flow.
    let fairInterval: UInt64
    /// Which models it is narrowed to, in the index's `modelSets`; -1 for all.
    let models: Handle
}

/// A tag that a project declares.
package struct TagEntry: Sendable {
    package let name: [UInt8]
    package let isRequired: Bool
}

package struct PolicyEntry: Sendable {
    /// Sorted handles of aliases; nil allows every one.
    package let aliases: [Handle]?
    package let networks: [NetworkRange]
    /// Tags of the keys themselves.
    package let tags: [(name: [UInt8], value: [UInt8])]
}

/// A name that clients call models by, and the routes of that name.
package struct AliasEntry: Sendable {
    package let name: [UInt8]
    package let hash: UInt64
    /// Where a route of this name is visible: the node that owns it (-1 for the instance) and the route.
    package let routes: [(node: Handle, route: Handle)]
}

package struct RouteEntry: Sendable {
    package let id: RouteID
    /// Usable targets, by ascending order.
    package let targets: [TargetEntry]

    package init(id: RouteID, targets: [TargetEntry]) {
        self.id = id
        self.targets = targets
    }
}

package struct TargetEntry: Sendable {
    package let model: Handle
    package let credential: Handle
    package let order: Int
    package let weight: Int

    package init(model: Handle, credential: Handle, order: Int, weight: Int) {
        self.model = model
        self.credential = credential
        self.order = order
        self.weight = weight
    }
}

package struct ModelEntry: Sendable {
    package let id: ModelID
    package let provider: Handle
    /// The provider's name of it.
    package let name: [UInt8]
    package let contextWindow: Int
    package let maxOutput: Int
    /// Prices by ascending effective time.
    package let prices: [PriceRow]

    /// The price in force; nil when there is none yet.
    package func price(at now: Timestamp) -> PriceRow? { self.prices.last { $0.effective <= now } }
}

package struct ProviderEntry: Sendable {
    package let id: ProviderID
    package let kind: ProviderKind
    /// Nil for the mock, which is where the gateway itself listens.
    package let url: UpstreamURL?
}

package struct CredentialEntry: Sendable {
    package let id: CredentialID
    /// The field that authenticates, ready to be written: `authorization: Bearer …` with its line end.
    package let field: Secret<[UInt8]>
}
