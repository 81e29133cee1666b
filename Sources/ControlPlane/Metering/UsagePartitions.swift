package import Postgres

/// The partitions of usage, one for each day (UTC), made before they are needed.
package enum UsagePartitions {
    /// What became of a day's partition.
    package enum State: String, Sendable {
        /// It is there: made now, or before.
        case made, there
        /// The default partition has rows of that day, or is too large to be looked through: it takes what comes.
        case rows, large
    }

    /// Days after today that get one.
    static let daysAhead: Int32 = 2

    /// Makes today's partition and those of the next days, each in a transaction of its own.
    ///
    /// - Returns: how many days after today have one, without a gap.
    package static func prepare(_ database: Database) async throws -> Int {
        var ahead = 0
        for day in 0...Self.daysAhead {
            let state = try await database.transaction { tx -> State in
                let row = try tx.queryOne(
                    "select usage_event_partition((now() at time zone 'UTC')::date + $1::int) as state", day
                )
                return State(rawValue: try row?.get("state") ?? "") ?? .rows
            }
            if day > 0, ahead == day - 1, state == .made || state == .there { ahead += 1 }
        }
        return ahead
    }
}
