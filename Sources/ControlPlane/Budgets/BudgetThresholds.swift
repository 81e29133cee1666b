package import Shared

/// The parts of what may be spent in a window at which an event is raised, in percent; ascending.
package struct BudgetThresholds: Sendable, Hashable {
    package let percents: [Int64]

    package static let standard = BudgetThresholds(stored: [50, 80, 100])
    package static let limit = 8
    /// A soft budget may be overspent: ten times its limit is the last that is told.
    package static let range: ClosedRange<Int64> = 1...1000

    /// Those that were checked when they were stored.
    package init(stored percents: [Int64]) { self.percents = percents }

    /// Of an array that `schema` accepts; throws at the first that is not above the one before.
    init(_ body: JSONValue) throws(ControlError) {
        let percents = (body.array ?? []).compactMap(\.integer)
        for (index, pair) in zip(percents, percents.dropFirst()).enumerated() where pair.0 >= pair.1 {
            throw .invalid("It must be more than the one before.", at: "/thresholds/\(index + 1)")
        }
        self.percents = percents
    }

    /// Those that are reached when so much of a limit is spent.
    package func reached(spent: NanoUSD, limit: NanoUSD) -> [Int64] {
        // In 128 bits: neither product fits into 64.
        let spent = UInt64(max(0, spent.amount)).multipliedFullWidth(by: 100)
        let limit = UInt64(max(1, limit.amount))
        return self.percents.filter { percent in
            let needed = limit.multipliedFullWidth(by: UInt64(max(1, percent)))
            return (spent.high, spent.low) >= (needed.high, needed.low)
        }
    }

    var json: JSONValue { .array(self.percents.map { .integer($0) }) }

    static let schema = Schema.array(of: .integer(Self.range), count: 0...Self.limit).described(
        "Percentages of a window's limit at which an event is raised, ascending; 50, 80 and 100 when absent, none when empty."
    )
}
