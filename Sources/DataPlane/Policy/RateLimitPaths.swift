import Shared

/// The rate limits of a snapshot, and which of them requests count for.
struct RateLimitPaths {
    private(set) var entries: [RateLimitEntry] = []
    var subjects = SubjectPaths(.rateLimits, limit: RateReservation.limit)

    init() {}

    init(
        _ rows: [RateLimitRow], _ levels: [NodeID: BudgetLevel], _ narrowing: inout Narrowing, _ table: RateLimitTable
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
                    opensAway: row.away == .open,
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
    /// Of `policy.rateLimitPaths`.
    private let run: SubjectRun
    /// Which model it goes to: limits may be narrowed.
    let model: Handle
    /// Whose request it is, among those who share a limit.
    let cell: Int

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
        self.run = SubjectRun(line: policy.nodes[Int(node)].rateLimits, own: own, tags: tags)
        self.model = model
        self.cell = FairUse.cell(of: key)
    }

    init(_ request: borrowing AccountedRequest) {
        self.init(
            request.policy, node: request.node, own: request.rateLimits, model: request.model, key: request.key,
            tags: request.tagged.rateLimits)
    }

    var count: Int { self.run.count }

    /// The position in `policy.rateLimits` of a limit; -1 for one that does not count the model.
    func limit(_ position: Int) -> Int {
        let handle = self.run.handle(position, in: self.policy.rateLimitPaths)
        return self.policy.covers(self.policy.rateLimits[handle].models, self.model) ? handle : -1
    }
}
