/// What must always be true of the ledger; checked every minute, an alert when it is not.
package struct LedgerIdentities: Sendable, Equatable {
    /// Records stored, rejected and declared lost, and how many the streams' watermarks say there are of all.
    package var events: Int64
    package var rejected: Int64
    package var lost: Int64
    package var watermarks: Int64
    /// Money in the records, and in the daily sums.
    package var eventCost: Int64
    package var dailyCost: Int64
    /// Records whose cost is not what the control plane computes.
    package var mispriced: Int64

    package var holds: Bool {
        self.events + self.rejected + self.lost == self.watermarks && self.eventCost == self.dailyCost
    }
}
