package import Postgres

/// What must always be true of the ledger; checked continuously, an alert when it is not.
package struct LedgerIdentities: Sendable, Equatable {
    /// Records stored, and how many the streams' watermarks say there are (stored and rejected).
    package let events: Int64
    package let rejected: Int64
    package let watermarks: Int64
    /// Money in the records, and in the daily sums.
    package let eventCost: Int64
    package let dailyCost: Int64
    /// Records whose cost is not what the control plane computes.
    package let mispriced: Int64

    package var holds: Bool {
        self.events + self.rejected == self.watermarks && self.eventCost == self.dailyCost
    }

    /// Reads all sides in one state of the database.
    ///
    /// Costs a scan of the records.
    package static func check(_ tx: inout Transaction) throws -> LedgerIdentities {
        let row = try tx.queryOne(
            """
            select
                (select count(*) from usage_event) as events,
                (select count(*) from usage_rejected) as rejected,
                (select coalesce(sum(last_seq), 0)::bigint from usage_stream) as watermarks,
                (select coalesce(sum(cost_nano_usd), 0)::bigint from usage_event) as event_cost,
                (select coalesce(sum(cost_nano_usd), 0)::bigint from usage_daily) as daily_cost,
                (select count(*) from usage_event where cost_nano_usd <> checked_cost_nano_usd) as mispriced
            """
        )
        guard let row else { throw PostgresError.closed }
        return LedgerIdentities(
            events: try row.get("events"), rejected: try row.get("rejected"), watermarks: try row.get("watermarks"),
            eventCost: try row.get("event_cost"), dailyCost: try row.get("daily_cost"),
            mispriced: try row.get("mispriced")
        )
    }
}
