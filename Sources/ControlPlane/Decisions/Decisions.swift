import Postgres
package import Shared

/// Says why requests were served or not.
package struct Decisions: Sendable {
    let reads: Reads
    let budgets: Budgets
    private let usage: UsageReading

    package init(reads: Reads, budgets: Budgets) {
        self.reads = reads
        self.budgets = budgets
        self.usage = UsageReading(reads: reads)
    }

    /// What was decided about a request that a gateway has reported.
    package func decision(on request: RequestID, as context: OperationContext) async throws -> Decision {
        let entry = try await self.usage.record(request, as: context)
        return try await self.reads.perform(.usageRead, as: context) { tx, _ in
            Decision(
                record: entry.json, rule: try DecisionStore.rule(entry.json["refused_by"]?["id"]?.string ?? "", &tx),
                payments: try DecisionStore.payments(entry.charges, &tx))
        }
    }
}
