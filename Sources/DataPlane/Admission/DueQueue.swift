import Shared

/// Accounts by the time at which something is due of them: the earliest first.
///
/// A binary heap: it takes 16 bytes for an account, and steps that grow with the logarithm of how many there are.
struct DueQueue<Time: Comparable & Sendable>: Sendable {
    private var entries: [(time: Time, charge: Charge)] = []

    var count: Int { self.entries.count }

    mutating func insert(_ charge: Charge, at time: Time) {
        var index = self.entries.count
        self.entries.append((time, charge))
        while index > 0 {
            let parent = (index - 1) / 2
            guard time < self.entries[parent].time else { return }
            self.entries.swapAt(index, parent)
            index = parent
        }
    }

    /// Takes the earliest one, when that is not after an instant.
    mutating func takeFirst(until instant: Time) -> (time: Time, charge: Charge)? {
        guard let first = self.entries.first, first.time <= instant else { return nil }
        let last = self.entries.removeLast()
        guard !self.entries.isEmpty else { return first }
        self.entries[0] = last
        var index = 0
        while true {
            var child = 2 * index + 1
            guard child < self.entries.count else { return first }
            if child + 1 < self.entries.count, self.entries[child + 1].time < self.entries[child].time { child += 1 }
            guard self.entries[child].time < self.entries[index].time else { return first }
            self.entries.swapAt(index, child)
            index = child
        }
    }
}
