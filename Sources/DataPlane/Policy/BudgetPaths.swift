import Shared

/// The budgets of a snapshot, and which of them requests pay into.
struct BudgetPaths {
    private(set) var entries: [BudgetEntry] = []
    /// Time zones, each once.
    private(set) var zones: [ZoneOffsets] = []
    var subjects = SubjectPaths(.budgets, limit: Charge.limit)

    init() {}

    init(
        _ rows: [BudgetRow], _ levels: [NodeID: BudgetLevel], _ narrowing: inout Narrowing, _ leases: LeaseTable
    ) throws(SnapshotError) {
        var known: [ZoneOffsets: Handle] = [:]
        for row in rows {
            guard let level = BudgetLevel.level(of: row.subject, levels) else { continue }
            guard let cell = leases.cell(of: row.number) else {
                throw SnapshotError(.invalid, chunk: ChunkType.budgets.name, "there are too many")
            }
            let zone = known[row.zone] ?? Handle(self.zones.count)
            if known.updateValue(zone, forKey: row.zone) == nil { self.zones.append(row.zone) }
            self.subjects.add(Handle(self.entries.count), to: row.subject)
            self.entries.append(
                BudgetEntry(
                    id: row.id, number: row.number, cell: cell, level: level, period: row.period,
                    rolling: row.rolling, zone: zone, amount: row.amount, isHard: row.isHard,
                    allowance: row.away == .open ? .max : row.awayAllowance.amount,
                    isLearned: row.estimate == .learned, lowersOutput: row.lowersOutput,
                    models: narrowing.models(row.models, of: row.providers)
                )
            )
        }
    }
}
