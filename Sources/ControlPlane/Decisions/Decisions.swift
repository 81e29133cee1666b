package import Postgres
package import Shared

/// Says why requests were served or not.
package struct Decisions: Sendable {
    let database: Database
    let budgets: Budgets
    private let usage: UsageReading

    package init(database: Database, budgets: Budgets) {
        self.database = database
        self.budgets = budgets
        self.usage = UsageReading(database: database)
    }

    /// What was decided about a request that a gateway has reported.
    package func decision(on request: RequestID, at now: Timestamp) async throws -> Decision {
        let entry = try await self.usage.record(request, at: now)
        return try await self.database.transaction(.readOnly) { tx in
            Decision(
                record: entry.json, rule: try DecisionStore.rule(entry.json["refused_by"]?["id"]?.string ?? "", &tx),
                payments: try DecisionStore.payments(entry.charges, &tx))
        }
    }
}
