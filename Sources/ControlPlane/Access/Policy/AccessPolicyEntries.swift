/// What is said at one scope, sorted by whom it is for.
///
/// The last few are as they came and are merged when there are too many of them: adding costs no move of all that is
/// there, and building a large list is not quadratic.
struct AccessEntries: Sendable {
    struct Entry: Sendable {
        let who: AccessWho
        /// A role's handle, or a deny rule's.
        let what: Int32
        /// The handle of the binding or deny rule that says it.
        let source: Int32
        /// Microseconds; `Int64.max` for as long as it is there.
        let expires: Int64
    }

    private var entries: ContiguousArray<Entry> = []
    /// How many are sorted; the rest comes after them.
    private var sorted = 0

    /// Most that are not sorted.
    private static let tailLimit = 32

    var isEmpty: Bool { self.entries.isEmpty }
    var all: ContiguousArray<Entry> { self.entries }

    mutating func insert(_ entry: Entry) {
        let isNext = self.sorted == self.entries.count && !(self.entries.last.map { entry.who < $0.who } ?? false)
        self.entries.append(entry)
        if isNext {
            self.sorted += 1
        } else if self.entries.count - self.sorted > Self.tailLimit {
            self.merge()
        }
    }

    /// Takes out what a binding or deny rule says.
    mutating func remove(source: Int32, of who: AccessWho) {
        var position = self.entries.withUnsafeBufferPointer { Self.first(of: who, in: $0[..<self.sorted]) }
        while position < self.sorted, self.entries[position].who == who {
            if self.entries[position].source == source {
                self.entries.remove(at: position)
                self.sorted -= 1
                return
            }
            position += 1
        }
        for position in self.sorted..<self.entries.count where self.entries[position].source == source {
            self.entries.remove(at: position)
            return
        }
    }

    private mutating func merge() {
        var tail = ContiguousArray(self.entries[self.sorted...])
        tail.sort { $0.who < $1.who }
        var left = self.sorted - 1
        var right = tail.count - 1
        var target = self.entries.count - 1
        while right >= 0 {
            if left >= 0, tail[right].who < self.entries[left].who {
                self.entries[target] = self.entries[left]
                left -= 1
            } else {
                self.entries[target] = tail[right]
                right -= 1
            }
            target -= 1
        }
        self.sorted = self.entries.count
    }

    /// Where the entries of a subject begin among sorted ones.
    private static func first(of who: AccessWho, in entries: Slice<UnsafeBufferPointer<Entry>>) -> Int {
        var low = entries.startIndex
        var high = entries.endIndex
        while low < high {
            let middle = low + (high - low) / 2
            if entries[middle].who < who { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// What is said of a subject, of its groups, and of everybody, until `body` says that it has heard enough.
    @inline(__always)
    func each(_ who: AccessWho, in groups: AccessGroups, _ body: (Entry) -> Bool) {
        if self.entries.isEmpty { return }
        self.entries.withUnsafeBufferPointer { entries in
            let sorted = entries[..<self.sorted]
            for position in self.sorted..<entries.count {
                let entry = entries[position]
                let isMeant = entry.who.isGroup ? groups.contains(entry.who) : entry.who == who || entry.who.isEverybody
                if isMeant, !body(entry) { return }
            }
            if !who.isGroup, !Self.run(of: who, in: sorted, body) { return }
            if sorted.last?.who.isEverybody == true, !Self.run(of: .everybody, in: sorted, body) { return }
            guard groups.count > 0 else { return }
            let end = Self.first(of: .firstActor, in: sorted)
            // A look at each is worth a sixteenth of a search for one.
            if end <= 16 * groups.count {
                for position in 0..<end where groups.contains(entries[position].who) {
                    guard body(entries[position]) else { return }
                }
            } else {
                groups.each { Self.run(of: AccessWho(group: $0), in: sorted[..<end], body) }
            }
        }
    }

    /// False when `body` has heard enough.
    @inline(__always)
    private static func run(
        of who: AccessWho, in entries: Slice<UnsafeBufferPointer<Entry>>, _ body: (Entry) -> Bool
    ) -> Bool {
        var position = Self.first(of: who, in: entries)
        while position < entries.endIndex, entries[position].who == who {
            guard body(entries[position]) else { return false }
            position += 1
        }
        return true
    }
}
