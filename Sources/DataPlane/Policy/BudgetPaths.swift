import Shared

/// Which budgets the requests of a node or a key pay into, put together while a snapshot is compiled.
struct BudgetPaths {
    private(set) var entries: [BudgetEntry] = []
    private(set) var paths: [Handle] = []
    private var ofNode: [NodeID: [Handle]] = [:]
    private var ofKey: [VirtualKeyID: [Handle]] = [:]
    private var ofOwner: [UUIDValue: [Handle]] = [:]
    /// Paths that were made: most nodes and keys share one.
    private var known: [[Handle]: Range<Int32>] = [[]: 0..<0]

    init() {}

    init(
        _ document: SnapshotDocument, providers: [ProviderID: Handle], models: [ModelEntry],
        _ modelHandles: [ModelID: Handle], leases: LeaseTable
    ) throws(SnapshotError) {
        var levels: [NodeID: BudgetLevel] = [:]
        for row in document.nodes {
            levels[row.id] =
                switch row.kind {
                case .organization: .organization
                case .unit: .unit
                case .project: .project
                }
        }
        for row in document.budgets {
            let level: BudgetLevel
            switch row.subject {
            case .node(let id):
                // Of a node that was deleted: there is nobody whose spending it could bound.
                guard let found = levels[id] else { continue }
                level = found
                self.ofNode[id, default: []].append(Handle(self.entries.count))
            case .key(let id):
                level = .key
                self.ofKey[id, default: []].append(Handle(self.entries.count))
            case .owner(let id):
                level = .owner
                self.ofOwner[id, default: []].append(Handle(self.entries.count))
            }
            guard let cell = leases.cell(of: row.number) else { throw Self.invalid("there are too many") }
            self.entries.append(
                BudgetEntry(
                    id: row.id, number: row.number, cell: cell, level: level, period: row.period, zone: row.zone,
                    amount: row.amount, isHard: row.isHard, away: row.away,
                    models: Self.narrowing(row, providers, models, modelHandles)
                )
            )
        }
    }

    /// What of a budget's models there is here; an empty list when it is narrowed to others only.
    private static func narrowing(
        _ row: BudgetRow, _ providers: [ProviderID: Handle], _ models: [ModelEntry], _ modelHandles: [ModelID: Handle]
    ) -> [Handle]? {
        guard !row.providers.isEmpty || !row.models.isEmpty else { return nil }
        var handles = Set(row.models.compactMap { modelHandles[$0] })
        let wanted = Set(row.providers.compactMap { providers[$0] })
        for (handle, model) in models.enumerated() where wanted.contains(model.provider) {
            handles.insert(Handle(handle))
        }
        return handles.sorted()
    }

    /// The path of a node.
    ///
    /// - Parameter line: the organization first, the node last.
    mutating func path(ofLine line: [NodeID]) throws(SnapshotError) -> Range<Int32> {
        try self.path(line.flatMap { self.ofNode[$0] ?? [] }, limit: Self.nodeLimit)
    }

    /// What a key pays into beyond its project's path.
    mutating func path(ofKey key: VirtualKeyID, owner: UUIDValue?) throws(SnapshotError) -> Range<Int32> {
        let own = (owner.flatMap { self.ofOwner[$0] } ?? []) + (self.ofKey[key] ?? [])
        return try self.path(own, limit: Charge.limit - Self.nodeLimit)
    }

    /// Budgets of a node and everything above it, at most.
    private static let nodeLimit = 8

    private mutating func path(_ handles: [Handle], limit: Int) throws(SnapshotError) -> Range<Int32> {
        guard handles.count <= limit else { throw Self.invalid("one request would pay into too many") }
        if let range = self.known[handles] { return range }
        let range = Int32(self.paths.count)..<Int32(self.paths.count + handles.count)
        self.paths += handles
        self.known[handles] = range
        return range
    }

    private static func invalid(_ message: String) -> SnapshotError {
        SnapshotError(.invalid, chunk: ChunkType.budgets.name, message)
    }
}
