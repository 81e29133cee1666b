import Shared

/// The rate limits of a snapshot, and which of them requests count for.
struct RateLimitPaths {
    private(set) var entries: [RateLimitEntry] = []
    var subjects = SubjectPaths(.rateLimits, limit: RateReservation.limit)

    init() {}

    init(
        _ rows: [RateLimitRow], _ levels: [NodeID: BudgetLevel], _ narrowing: Narrowing, _ table: RateLimitTable
    ) throws(SnapshotError) {
        for row in rows {
            guard let level = BudgetLevel.level(of: row.subject, levels) else { continue }
            guard let slot = table.index(of: row.number, rate: row.rate, isShared: level != .key) else {
                throw SnapshotError(.invalid, chunk: ChunkType.rateLimits.name, "there are too many")
            }
            self.subjects.add(Handle(self.entries.count), to: row.subject)
            self.entries.append(
                RateLimitEntry(
                    id: row.id, slot: slot, level: level, meter: row.meter, rate: row.rate, isStrict: row.isStrict,
                    away: row.away,
                    fairInterval: row.rate.nanoseconds(for: max(1, row.rate.capacity / 2), into: BucketRate.parts) ?? 0,
                    models: narrowing.models(row.models, of: row.providers)
                )
            )
        }
    }
}

/// The rate limits that one request counts for: those of its project's line and of its tags there, then
/// those of its key.
package struct RateLimitPath: Sendable {
    let policy: PolicyIndex
    /// Runs of `policy.rateLimitPaths`.
    let line: Range<Int32>
    let own: Range<Int32>
    /// Which model it goes to: limits may be narrowed.
    let model: Handle
    /// Whose request it is, among those who share a limit.
    let cell: Int
    /// Those of its tags, between those of the line.
    let tags: TagHandles

    /// Of a request with a key, to a model.
    package init(_ policy: PolicyIndex, key: Handle, model: Handle, tags: TagHandles = TagHandles()) {
        let entry = policy.keys[Int(key)]
        self.init(policy, node: entry.node, own: entry.rateLimits, model: model, key: entry.key, tags: tags)
    }

    init(
        _ policy: PolicyIndex, node: Handle, own: Range<Int32>, model: Handle, key: VirtualKeyID,
        tags: TagHandles = TagHandles()
    ) {
        self.policy = policy
        self.line = policy.nodes[Int(node)].rateLimits
        self.own = own
        self.model = model
        self.cell = FairUse.cell(of: key)
        self.tags = tags
    }

    /// Of a request that has a model.
    init(_ exchange: borrowing Exchange) {
        self.init(
            exchange.policy, node: exchange.caller.node, own: exchange.caller.rateLimits, model: exchange.model,
            key: exchange.caller.key, tags: exchange.tagged.rateLimits)
    }

    var isEmpty: Bool { self.line.isEmpty && self.own.isEmpty && self.tags.isEmpty }

    var count: Int { self.line.count + self.own.count + self.tags.count }

    /// The position in `policy.rateLimits` of a limit; -1 for one that does not count the model.
    func limit(_ position: Int) -> Int {
        var position = position
        if !self.tags.isEmpty {
            let handle = Int(self.tags.take(&position))
            if handle >= 0 { return self.policy.rateLimits[handle].models.contains(self.model) ? handle : -1 }
        }
        let index =
            position < self.line.count
            ? Int(self.line.lowerBound) + position : Int(self.own.lowerBound) + position - self.line.count
        let handle = Int(self.policy.rateLimitPaths[index])
        return self.policy.rateLimits[handle].models.contains(self.model) ? handle : -1
    }
}
