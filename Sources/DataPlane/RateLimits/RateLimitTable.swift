package import Shared
import Synchronization

/// All rate limits that policies of this process ever named: one table for all loops, without a lock on the request path.
///
/// A limit has its slot for as long as the process lives, so what it used is never forgotten with a new policy.
package final class RateLimitTable: @unchecked Sendable {
    package typealias Index = UInt32

    private static let chunkBits: UInt32 = 8
    private static let chunkSize = 1 << 8
    private static let chunkLimit = 1 << 14

    // Unchecked: a chunk is written once, under the lock of `index(of:)`, before an index into it is handed to anybody.
    // Those that are not made yet are the first one.
    private let chunks: UnsafeMutablePointer<UnsafeMutablePointer<RateLimitSlot>>
    private let first: UnsafeMutablePointer<RateLimitSlot>
    private let known = Mutex<[UInt32: Index]>([:])
    /// The stack of slots that are used and that the keeper has not taken yet.
    private let freshHead = Atomic<UInt32>(0)

    package init() {
        self.chunks = .allocate(capacity: Self.chunkLimit)
        self.first = Self.makeChunk()
        self.chunks.initialize(repeating: self.first, count: Self.chunkLimit)
    }

    deinit {
        for index in 0..<Self.chunkLimit where index == 0 || self.chunks[index] != self.first {
            self.chunks[index].deinitialize(count: Self.chunkSize)
            self.chunks[index].deallocate()
        }
        self.chunks.deallocate()
    }

    private static func makeChunk() -> UnsafeMutablePointer<RateLimitSlot> {
        let made = UnsafeMutablePointer<RateLimitSlot>.allocate(capacity: Self.chunkSize)
        for position in 0..<Self.chunkSize { (made + position).initialize(to: RateLimitSlot()) }
        return made
    }

    /// The slot of a limit, at the rate that a new policy gives it: the same one for as long as the process lives; nil
    /// when there is no room for more.
    ///
    /// - Parameter isShared: several keys use it.
    package func index(of limit: UInt32, rate: BucketRate, isShared: Bool) -> Index? {
        self.known.withLock { known in
            if let index = known[limit] {
                self.withSlot(index) { $0.set(rate) }
                return index
            }
            // 0 is none: the end of the stack.
            let index = Index(known.count + 1)
            let chunk = Int(index >> Self.chunkBits)
            guard chunk < Self.chunkLimit else { return nil }
            if chunk > 0, self.chunks[chunk] == self.first { self.chunks[chunk] = Self.makeChunk() }
            known[limit] = index
            if isShared {
                let fair = UnsafeMutablePointer<FairUse>.allocate(capacity: 1)
                fair.initialize(to: FairUse())
                self.chunks[chunk][Int(index) & (Self.chunkSize - 1)].fair = fair
            }
            self.withSlot(index) {
                $0.set(rate)
                $0.number.store(limit, ordering: .releasing)
            }
            return index
        }
    }

    /// The slot of an index that `index(of:)` returned.
    @inline(__always)
    package func withSlot<Result>(_ index: Index, _ body: (borrowing RateLimitSlot) -> Result) -> Result {
        body(self.chunks[Int(index >> Self.chunkBits)][Int(index) & (Self.chunkSize - 1)])
    }

    /// Has the keeper know of a slot.
    func list(_ index: Index) {
        self.withSlot(index) { slot in
            guard !slot.isListed.load(ordering: .relaxed) else { return }
            self.push(index, slot)
        }
    }

    @inline(never)
    private func push(_ index: Index, _ slot: borrowing RateLimitSlot) {
        guard !slot.isListed.exchange(true, ordering: .acquiringAndReleasing) else { return }
        var head = self.freshHead.load(ordering: .relaxed)
        while true {
            slot.units.link.store(head, ordering: .relaxed)
            let (won, found) = self.freshHead.compareExchange(
                expected: head, desired: index, ordering: .acquiringAndReleasing)
            if won { return }
            head = found
        }
    }

    /// The slots that came into use since the last time; for one task.
    func takeFresh() -> [Index] {
        var result: [Index] = []
        var index = self.freshHead.exchange(0, ordering: .acquiringAndReleasing)
        while index != 0 {
            result.append(index)
            index = self.withSlot(index) { $0.units.link.load(ordering: .relaxed) }
        }
        return result
    }

    /// The keeper forgets a slot: its next use lists it again.
    func unlist(_ index: Index) { self.withSlot(index) { $0.isListed.store(false, ordering: .releasing) } }
}
