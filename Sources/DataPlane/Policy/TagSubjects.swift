import Shared

/// Which budgets and rate limits requests count for by their tags.
///
/// A request looks each of its tags up that something of its line is bounded by: at most as often as its project has
/// lookups, without an allocation.
package struct TagSubjects: Sendable {
    /// A name of a node that has values here, to be looked up by requests of one project.
    struct Lookup: Sendable {
        /// The tag's position among those that the project declares.
        let tag: Int32
        /// The node and the name, as one number.
        let group: Int32
        /// How many budgets of nodes stand before those of the node's tags, and how many rate limits.
        let budgetPlace: UInt8
        let rateLimitPlace: UInt8
    }

    /// A value of a node and a name.
    struct Entry: Sendable {
        let group: Int32
        let value: [UInt8]
        /// Where its budgets stand in the index's `budgetPaths`, its rate limits in `rateLimitPaths`.
        let budgets: Range<Int32>
        let rateLimits: Range<Int32>
    }

    /// Each project's in one run, the topmost node first, by ascending name.
    let lookups: [Lookup]
    private let entries: [Entry]
    private let table: HandleTable

    init(lookups: [Lookup] = [], entries: [Entry] = []) {
        self.lookups = lookups
        self.entries = entries
        self.table = HandleTable(hashes: entries.map { Self.hash($0.group, $0.value.span) })
    }

    /// What a value of a group stands for; nil when nothing is bounded by it.
    func find(_ group: Int32, _ value: Span<UInt8>) -> (budgets: Range<Int32>, rateLimits: Range<Int32>)? {
        let handle = self.table.find(Self.hash(group, value)) { handle in
            let entry = self.entries[Int(handle)]
            guard entry.group == group, entry.value.count == value.count else { return false }
            for index in value.indices where entry.value[index] != value[index] { return false }
            return true
        }
        guard handle >= 0 else { return nil }
        let entry = self.entries[Int(handle)]
        return (entry.budgets, entry.rateLimits)
    }

    private static func hash(_ group: Int32, _ value: Span<UInt8>) -> UInt64 {
        (AliasHash.of(value) ^ UInt64(truncatingIfNeeded: group)) &* 0x9E37_79B9_7F4A_7C15
    }
}

/// The handles that a request's tags bring into a path, in order: each stands after so many of its line.
package struct TagHandles: Sendable {
    /// A snapshot with more for one request is refused.
    package static let limit = SubjectTag.limitOfRequest

    private var handles = InlineArray<4, Handle>(repeating: -1)
    private var places = InlineArray<4, UInt8>(repeating: 0)
    private var length: UInt8 = 0

    package init() {}

    var isEmpty: Bool { self.length == 0 }
    var count: Int { Int(self.length) }

    /// Adds a run of `paths`; the topmost node's comes first.
    mutating func add(_ run: Range<Int32>, of paths: [Handle], after place: UInt8) {
        for index in run where self.count < Self.limit {
            self.handles[self.count] = paths[Int(index)]
            self.places[self.count] = place
            self.length += 1
        }
    }

    /// The handle at a position of the line with these in it; -1 when it is another one's, and then `position` is what it
    /// is without these.
    func take(_ position: inout Int) -> Handle {
        var before = 0
        for index in 0..<self.count {
            let own = Int(self.places[index]) + index
            if own == position { return self.handles[index] }
            if own < position { before += 1 }
        }
        position -= before
        return -1
    }
}

/// What one request counts for by its tags.
package struct TaggedHandles: Sendable {
    package var budgets = TagHandles()
    package var rateLimits = TagHandles()

    package init() {}

    var isEmpty: Bool { self.budgets.isEmpty && self.rateLimits.isEmpty }
}

/// The tags that something is bounded by, put together while a snapshot is compiled.
struct TagPaths {
    private(set) var lookups: [TagSubjects.Lookup] = []
    private var entries: [TagSubjects.Entry] = []
    private var groups: [NodeID: [(name: String, group: Int32)]] = [:]

    init() {}

    init(_ nodes: [NodeRow], _ budgets: inout SubjectPaths, _ rateLimits: inout SubjectPaths) {
        var count: Int32 = 0
        for node in nodes {
            let tags = Set(budgets.tags(of: node.id)).union(rateLimits.tags(of: node.id)).sorted()
            for tag in tags {
                if self.groups[node.id]?.last?.name != tag.name {
                    self.groups[node.id, default: []].append((tag.name, count))
                    count += 1
                }
                self.entries.append(
                    TagSubjects.Entry(
                        group: count - 1, value: Array(tag.value.utf8), budgets: budgets.path(ofTag: tag, at: node.id),
                        rateLimits: rateLimits.path(ofTag: tag, at: node.id)))
            }
        }
    }

    /// Where requests of a project look.
    ///
    /// - Parameter line: the organization first, the project last.
    mutating func lookups(
        of project: NodeRow, line: [NodeID], _ budgets: SubjectPaths, _ rateLimits: SubjectPaths
    ) -> Range<Int32> {
        let start = Int32(self.lookups.count)
        var budgetPlace = 0
        var rateLimitPlace = 0
        for node in line {
            budgetPlace += budgets.count(of: node)
            rateLimitPlace += rateLimits.count(of: node)
            for (name, group) in self.groups[node] ?? [] {
                guard let tag = project.tags.firstIndex(where: { $0.name == name }) else { continue }
                // A line holds less than 256: its path was made.
                self.lookups.append(
                    TagSubjects.Lookup(
                        tag: Int32(tag), group: group, budgetPlace: UInt8(clamping: budgetPlace),
                        rateLimitPlace: UInt8(clamping: rateLimitPlace)))
            }
        }
        return start..<Int32(self.lookups.count)
    }

    var subjects: TagSubjects { TagSubjects(lookups: self.lookups, entries: self.entries) }
}
