/// Which statements a connection has prepared, bounded, the least recently used forgotten first.
///
/// A statement is its text and its parameter types. A NULL parameter has no type and fits any, so that an optional
/// parameter does not double the statements.
struct StatementCache {
    private struct Entry {
        let name: String
        let types: [UInt32]
        var lastUse: Int
    }

    private let capacity: Int
    private var entries: [String: [Entry]] = [:]
    private var uses = 0
    private var namesGiven = 0
    private(set) var count = 0

    init(capacity: Int) { self.capacity = max(1, capacity) }

    /// The name of a prepared statement that fits.
    mutating func find(_ text: String, types: [UInt32]) -> String? {
        guard let index = self.entries[text]?.firstIndex(where: { Self.fits(types, $0.types) }) else { return nil }
        self.uses += 1
        self.entries[text]?[index].lastUse = self.uses
        return self.entries[text]?[index].name
    }

    /// A name no statement of this connection has had.
    mutating func nextName() -> String {
        self.namesGiven += 1
        return "gs\(self.namesGiven)"
    }

    mutating func insert(_ text: String, types: [UInt32], name: String) {
        self.uses += 1
        self.count += 1
        self.entries[text, default: []].append(Entry(name: name, types: types, lastUse: self.uses))
    }

    /// Forgets the least recently used statement when there is no room for another, and returns its name.
    mutating func makeRoom() -> String? {
        guard self.count >= self.capacity else { return nil }
        var oldest: (text: String, entry: Entry)?
        for (text, variants) in self.entries {
            for entry in variants where entry.lastUse < oldest?.entry.lastUse ?? .max { oldest = (text, entry) }
        }
        guard let oldest else { return nil }
        self.entries[oldest.text]?.removeAll { $0.name == oldest.entry.name }
        if self.entries[oldest.text]?.isEmpty == true { self.entries[oldest.text] = nil }
        self.count -= 1
        return oldest.entry.name
    }

    mutating func removeAll() {
        self.entries = [:]
        self.count = 0
    }

    private static func fits(_ given: [UInt32], _ prepared: [UInt32]) -> Bool {
        given.count == prepared.count && zip(given, prepared).allSatisfy { $0 == 0 || $0 == $1 }
    }
}
