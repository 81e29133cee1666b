/// The account that money is charged to: a budget in one of its windows, in 64 bits.
package struct Charge: Hashable, Comparable, Sendable {
    /// The budget's number above, the minute that the window begins at below.
    package let value: UInt64

    package init(budget: UInt32, startMinute: UInt32) { self.value = UInt64(budget) << 32 | UInt64(startMinute) }

    /// Nil for what names no budget.
    package init?(value: UInt64) {
        guard value >> 32 > 0 else { return nil }
        self.value = value
    }

    package var budget: UInt32 { UInt32(truncatingIfNeeded: self.value >> 32) }
    package var startMinute: UInt32 { UInt32(truncatingIfNeeded: self.value) }

    package static func < (left: Self, right: Self) -> Bool { left.value < right.value }

    /// Budgets that one request pays into, at most.
    package static let limit = 16
}
