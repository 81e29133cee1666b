/// What must always be true of the ledger; checked every minute, an alert when it is not.
package struct LedgerIdentities: Sendable, Equatable {
    /// Records, their money as it was settled, and what re-ratings changed of it (signed).
    package struct Sum: Sendable, Equatable {
        package var records: Int64 = 0
        package var cost: Int64 = 0
        package var corrections: Int64 = 0

        package init(records: Int64 = 0, cost: Int64 = 0, corrections: Int64 = 0) {
            self.records = records
            self.cost = cost
            self.corrections = corrections
        }

        static func + (left: Self, right: Self) -> Self {
            Sum(
                records: left.records + right.records, cost: left.cost + right.cost,
                corrections: left.corrections + right.corrections
            )
        }
    }

    /// Records stored, rejected and declared lost, and how many the streams' watermarks say there are of all.
    package var events: Int64
    package var rejected: Int64
    package var lost: Int64
    package var watermarks: Int64
    /// Money in the records.
    package var eventCost: Int64
    /// What the stored corrections change, added up; and what the re-ratings say that they changed.
    package var corrections: Int64 = 0
    package var rerated: Int64 = 0
    /// What is in the sums of each level, and what is stored and not there yet.
    package var levels: [UsageLevel: Sum]
    package var unfolded: Sum
    /// Records whose cost is not what the control plane computes.
    package var mispriced: Int64

    package var holds: Bool {
        self.events + self.rejected + self.lost == self.watermarks
            && self.corrections == self.rerated
            && UsageLevel.allCases.allSatisfy {
                (self.levels[$0] ?? Sum()) + self.unfolded
                    == Sum(records: self.events, cost: self.eventCost, corrections: self.corrections)
            }
    }
}
