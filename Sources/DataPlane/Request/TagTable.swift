package import Shared

/// The sets of tags that one loop has seen, as small numbers: those of its usage stream.
///
/// A set that was seen before is found without an allocation; a new one is appended to the stream's file before its
/// number is given out. What is in the table stays for the life of the process, so it is bounded: by the room of the file,
/// by the values of each name, and by a project's share, which is as much as is left for the others.
package final class TagTable {
    private struct Entry {
        let hash: Int
        let project: NodeID
        let set: TagSet
    }

    private let file: SpoolTags
    private let values: TagValues
    /// Sets of clients' choosing, and how many there may be besides to count the rest under.
    private let roomCount: Int
    private let spareCount: Int
    private var entries: [Entry] = []
    private var slots = [Int32](repeating: 0, count: 64)
    private var projectCounts: [NodeID: Int] = [:]
    /// The set that is looked for, in its text form; kept for its storage.
    private var text: [UInt8] = []
    /// Requests whose values were counted as `(other)`.
    package private(set) var others = 0

    /// - Parameter room: sets of clients' choosing; an eighth more is kept for sets with `(other)`.
    package init(_ file: SpoolTags, values: TagValues, room: Int = SpoolTags.countLimit / 9 * 8) {
        self.file = file
        self.values = values
        self.roomCount = room
        self.spareCount = max(1, room / 8)
        self.text.reserveCapacity(TagText.setLimit)
    }

    package var count: Int { self.entries.count }

    /// The set of a number, from 1 on.
    package func set(_ number: Int) -> TagSet? {
        number >= 1 && number <= self.entries.count ? self.entries[number - 1].set : nil
    }

    // MARK: The set of a request

    /// Begins the set of a request.
    func begin() { self.text.removeAll(keepingCapacity: true) }

    /// Adds a tag; names come in ascending order.
    func add(_ name: Span<UInt8>, _ value: Span<UInt8>) {
        if !self.text.isEmpty { self.text.append(0x2C) }
        for index in name.indices { self.text.append(name[index]) }
        self.text.append(0x3D)
        for index in value.indices { self.text.append(value[index]) }
    }

    /// The number of the set that was added up, 0 for none; nil when there is no room to write it down.
    ///
    /// - Parameter isClients: whether a name's value is the client's, and not the key's: called for new sets only.
    func finish(project: NodeID, isClients: (Span<UInt8>) -> Bool) -> Int? {
        guard !self.text.isEmpty else { return 0 }
        if let known = self.find(project) { return known }
        return self.intern(project, isClients)
    }

    private func find(_ project: NodeID) -> Int? {
        let hash = self.hash(project)
        let mask = self.slots.count - 1
        var slot = hash & mask
        while self.slots[slot] > 0 {
            let number = Int(self.slots[slot])
            if self.entries[number - 1].hash == hash, self.entries[number - 1].project == project,
                self.entries[number - 1].set.utf8 == self.text
            {
                return number
            }
            slot = (slot + 1) & mask
        }
        return nil
    }

    /// Seeded by the process: nobody can choose sets that meet in one place.
    private func hash(_ project: NodeID) -> Int {
        var hasher = Hasher()
        hasher.combine(project)
        self.text.withUnsafeBytes { hasher.combine(bytes: $0) }
        return hasher.finalize()
    }

    private func intern(_ project: NodeID, _ isClients: (Span<UInt8>) -> Bool) -> Int? {
        guard let set = TagSet(utf8: self.text) else { return nil }
        let hasRoom = self.projectCounts[project, default: 0] < self.roomCount - self.entries.count
        var isChanged = false
        self.begin()
        for pair in set.ranges {
            let (name, value) = (Array(set.utf8[pair.name]), Array(set.utf8[pair.value]))
            let isKept = !isClients(name.span) || hasRoom && self.values.admits(value, of: name, project: project)
            let counted = isKept ? value : Array(TagText.other.utf8)
            self.add(name.span, counted.span)
            isChanged = isChanged || !isKept
        }
        guard isChanged else { return self.append(set, project) }
        self.others += 1
        if let known = self.find(project) { return known }
        return TagSet(utf8: self.text).flatMap { self.append($0, project) }
    }

    private func append(_ set: TagSet, _ project: NodeID) -> Int? {
        guard self.entries.count < self.roomCount + self.spareCount, let number = self.file.append(set),
            number == self.entries.count + 1
        else { return nil }
        self.entries.append(Entry(hash: self.hash(project), project: project, set: set))
        self.projectCounts[project, default: 0] += 1
        if self.entries.count * 2 > self.slots.count {
            self.slots = [Int32](repeating: 0, count: self.slots.count * 2)
            for index in self.entries.indices { self.place(index + 1) }
        } else {
            self.place(number)
        }
        return number
    }

    private func place(_ number: Int) {
        let mask = self.slots.count - 1
        var slot = self.entries[number - 1].hash & mask
        while self.slots[slot] > 0 { slot = (slot + 1) & mask }
        self.slots[slot] = Int32(truncatingIfNeeded: number)
    }
}
