package import Shared

/// What one request has reserved of the accounts that it pays into; settled exactly once.
package struct Reservation: ~Copyable {
    private var slots = InlineArray<16, UInt32>(repeating: 0)
    private var accounts = InlineArray<16, UInt64>(repeating: 0)
    package private(set) var count = 0
    /// What is reserved of each.
    package private(set) var amount: Int64 = 0

    package init() {}

    package var isEmpty: Bool { self.count == 0 }

    /// The accounts, as usage names them.
    package var charges: Span<UInt64> {
        @_lifetime(borrow self)
        get { self.accounts.span.extracting(0..<self.count) }
    }

    /// Begins to reserve `amount` of each account that is added.
    mutating func begin(_ amount: Int64) {
        assert(self.count == 0, "a reservation was not settled")
        self.amount = amount
        self.count = 0
    }

    /// Adds an account of which the amount was reserved; false when there are too many.
    mutating func add(_ slot: UInt32, account: UInt64) -> Bool {
        guard self.count < Charge.limit else { return false }
        self.slots[self.count] = slot
        self.accounts[self.count] = account
        self.count += 1
        return true
    }

    /// Ends it: what the request cost is posted to each account, the rest is free again.
    package mutating func settle(_ cost: NanoUSD, in table: LeaseTable) {
        for index in 0..<self.count {
            _ = table.withSlot(self.slots[index]) { $0.settle(reserved: self.amount, cost: cost.amount) }
        }
        self.count = 0
        self.amount = 0
    }

    deinit { assert(self.count == 0, "a reservation was not settled") }
}
