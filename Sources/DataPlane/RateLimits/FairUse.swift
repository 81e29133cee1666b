import Shared
import Synchronization

/// Who uses a rate limit that several keys share, so that none of them can starve the others.
///
/// Keys fall into cells by their identifiers. While at least half of what there may be is there, everybody is served.
/// Below that only those are who have used less than an equal part of that half since it could have flowed in, of as many
/// as there are: what a greedy key can take is one half, its part of the other, and all that flows in while nobody else
/// wants it.
struct FairUse: ~Copyable {
    private static let cellCount = 64
    private static let stampShift: UInt64 = 40
    private static let unitsMask: UInt64 = 1 << 40 - 1

    /// The interval above, the units used in it below.
    private let cells = InlineArray<64, Atomic<UInt64>> { _ in Atomic<UInt64>(0) }

    /// The cell of a key.
    static func cell(of key: VirtualKeyID) -> Int { Int(key.value.low % UInt64(Self.cellCount)) }

    private static func stamp(_ interval: UInt64) -> UInt64 { interval << Self.stampShift }

    /// Units that a cell has used in an interval.
    func used(_ cell: Int, in interval: UInt64) -> Int64 {
        let value = self.cells[cell].load(ordering: .relaxed)
        guard value & ~Self.unitsMask == Self.stamp(interval) else { return 0 }
        return Int64(value & Self.unitsMask)
    }

    /// Cells that used something in an interval or the one before it, the one that asks included.
    func sharers(_ cell: Int, in interval: UInt64) -> Int64 {
        var count: Int64 = 0
        for index in 0..<Self.cellCount {
            let value = self.cells[index].load(ordering: .relaxed)
            let stamp = value & ~Self.unitsMask
            let isRecent = stamp == Self.stamp(interval) || stamp == Self.stamp(interval &- 1)
            if index == cell || (isRecent && value & Self.unitsMask > 0) { count += 1 }
        }
        return count
    }

    func add(_ units: Int64, _ cell: Int, in interval: UInt64) {
        var known = self.cells[cell].load(ordering: .relaxed)
        // A loop that loses that often goes without: it is a matter of parts, not of sums.
        for _ in 0..<8 {
            let before = known & ~Self.unitsMask == Self.stamp(interval) ? known & Self.unitsMask : 0
            let after = Self.stamp(interval) | min(Self.unitsMask, before + UInt64(max(0, units)))
            let (won, found) = self.cells[cell].compareExchange(expected: known, desired: after, ordering: .relaxed)
            if won { return }
            known = found
        }
    }

    /// A request of a cell is over, where requests at the same time are counted: in the interval 0.
    func leave(_ cell: Int) {
        var known = self.cells[cell].load(ordering: .relaxed)
        while known & Self.unitsMask > 0 {
            let (won, found) = self.cells[cell].compareExchange(
                expected: known, desired: known - 1, ordering: .relaxed)
            if won { return }
            known = found
        }
    }
}
