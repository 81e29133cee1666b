package import Shared

/// What one request has reserved of the accounts that it pays into; settled exactly once.
package struct Reservation: ~Copyable {
    private var slots = InlineArray<16, UInt32>(repeating: 0)
    private var accounts = InlineArray<16, UInt64>(repeating: 0)
    package private(set) var count = 0
    /// A bit for each that goes by what was learned.
    private var learnedBits: UInt16 = 0
    /// Whether a hard budget takes the bound.
    package private(set) var holdsBound = false
    /// What is reserved of each that takes the bound.
    private var bound: Int64 = 0
    /// What is reserved of each that goes by what was learned.
    package private(set) var learned: Int64 = 0

    package init() {}

    package var isEmpty: Bool { self.count == 0 }
    var isFull: Bool { self.count >= Charge.limit }
    /// Whether an account goes by what was learned.
    package var learns: Bool { self.learnedBits != 0 }

    /// The accounts, as usage names them.
    package var charges: Span<UInt64> {
        @_lifetime(borrow self)
        get { self.accounts.span.extracting(0..<self.count) }
    }

    /// Begins to reserve of each account that is added.
    mutating func begin(bound: Int64, learned: Int64) {
        assert(self.count == 0, "a reservation was not settled")
        self.bound = bound
        self.learned = learned
        self.learnedBits = 0
        self.holdsBound = false
        self.count = 0
    }

    /// What is reserved, or is to be, of an account.
    func amount(isLearned: Bool) -> Int64 { isLearned ? self.learned : self.bound }

    /// Adds an account of which the amount was reserved; false when there are too many.
    mutating func add(_ slot: UInt32, account: UInt64, isLearned: Bool, isHard: Bool) -> Bool {
        guard !self.isFull else { return false }
        self.slots[self.count] = slot
        self.accounts[self.count] = account
        if isHard && !isLearned { self.holdsBound = true }
        if isLearned { self.learnedBits |= 1 &<< UInt16(self.count) }
        self.count += 1
        return true
    }

    /// The slot of an account, in the order in which they were added.
    package func slot(_ index: Int) -> UInt32 { self.slots[index] }

    /// What is reserved of an account, by its place among the charges.
    package func reserved(_ index: Int) -> Int64 { self.amount(isLearned: self.isLearned(index)) }

    /// Whether an account goes by what was learned.
    func isLearned(_ index: Int) -> Bool { self.learnedBits &>> UInt16(index) & 1 == 1 }

    /// `more` was reserved of each account that goes by what was learned.
    mutating func grew(by more: Int64) { self.learned += more }

    /// Ends it: what the request cost is posted to each account, the rest is free again.
    package mutating func settle(_ cost: NanoUSD, in table: LeaseTable) {
        for index in 0..<self.count {
            let amount = self.amount(isLearned: self.isLearned(index))
            _ = table.withSlot(self.slots[index]) { $0.settle(reserved: amount, cost: cost.amount) }
        }
        self.count = 0
        self.learnedBits = 0
        self.bound = 0
        self.learned = 0
    }

    deinit { assert(self.count == 0, "a reservation was not settled") }
}
