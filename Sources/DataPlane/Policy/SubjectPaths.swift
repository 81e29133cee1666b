import Shared

/// Which budgets, or which rate limits, the requests of a node or a key count for, put together while a snapshot is
/// compiled.
struct SubjectPaths {
    /// Runs of handles.
    private(set) var paths: [Handle] = []
    private let chunk: ChunkType
    private let limit: Int
    private var ofNode: [NodeID: [Handle]] = [:]
    private var ofKey: [VirtualKeyID: [Handle]] = [:]
    private var ofOwner: [UUIDValue: [Handle]] = [:]
    private var ofTag: [NodeID: [SubjectTag: [Handle]]] = [:]
    /// Of each node, how many a value of each name has at most, and the sum of that: no request has a name twice.
    private var mostOfName: [NodeID: [String: Int]] = [:]
    private var mostOfTags: [NodeID: Int] = [:]
    /// Paths that were made: most nodes and keys share one.
    private var known: [[Handle]: Range<Int32>] = [[]: 0..<0]

    /// - Parameter limit: handles of one request, at most: one half of its project's line and the tags there, the other
    ///   of its key and its owner.
    init(_ chunk: ChunkType, limit: Int) {
        self.chunk = chunk
        self.limit = limit
    }

    mutating func add(_ handle: Handle, to subject: BudgetSubject) {
        switch subject {
        case .node(let id): self.ofNode[id, default: []].append(handle)
        case .key(let id): self.ofKey[id, default: []].append(handle)
        case .owner(let id): self.ofOwner[id, default: []].append(handle)
        case .tag(let id, let tag):
            self.ofTag[id, default: [:]][tag, default: []].append(handle)
            let count = self.ofTag[id]?[tag]?.count ?? 0
            if count > self.mostOfName[id]?[tag.name] ?? 0 {
                self.mostOfName[id, default: [:]][tag.name] = count
                self.mostOfTags[id, default: 0] += 1
            }
        }
    }

    /// How many a node has itself, whatever the tags of a request.
    func count(of node: NodeID) -> Int { self.ofNode[node]?.count ?? 0 }

    func tags(of node: NodeID) -> Dictionary<SubjectTag, [Handle]>.Keys { (self.ofTag[node] ?? [:]).keys }

    /// What requests below a node with a tag count for beyond its path.
    mutating func path(ofTag tag: SubjectTag, at node: NodeID) -> Range<Int32> {
        self.append(self.ofTag[node]?[tag] ?? [])
    }

    /// The path of a node.
    ///
    /// - Parameter line: the organization first, the node last.
    mutating func path(ofLine line: [NodeID]) throws(SnapshotError) -> Range<Int32> {
        let tagged = line.reduce(0) { $0 + (self.mostOfTags[$1] ?? 0) }
        guard tagged <= TagHandles.limit else { throw self.tooMany }
        return try self.path(line.flatMap { self.ofNode[$0] ?? [] }, limit: self.limit / 2 - tagged)
    }

    /// What a key's requests count for beyond its project's path.
    mutating func path(ofKey key: VirtualKeyID, owner: UUIDValue?) throws(SnapshotError) -> Range<Int32> {
        let own = (owner.flatMap { self.ofOwner[$0] } ?? []) + (self.ofKey[key] ?? [])
        return try self.path(own, limit: self.limit - self.limit / 2)
    }

    private mutating func path(_ handles: [Handle], limit: Int) throws(SnapshotError) -> Range<Int32> {
        guard handles.count <= limit else { throw self.tooMany }
        return self.append(handles)
    }

    private var tooMany: SnapshotError {
        SnapshotError(.invalid, chunk: self.chunk.name, "one request would count for too many")
    }

    private mutating func append(_ handles: [Handle]) -> Range<Int32> {
        if let range = self.known[handles] { return range }
        let range = Int32(self.paths.count)..<Int32(self.paths.count + handles.count)
        self.paths += handles
        self.known[handles] = range
        return range
    }
}

/// What one request counts for, in order: what is of its line and of the tags there, then what is of its key and its owner.
struct SubjectRun: Sendable {
    // Runs of handles.
    private let line: Range<Int32>
    private let own: Range<Int32>
    /// Those of its tags, between those of the line.
    private let tags: TagHandles
    let count: Int

    init(line: Range<Int32>, own: Range<Int32>, tags: TagHandles) {
        self.line = line
        self.own = own
        self.tags = tags
        // Not `Range.count`: that of integers of 32 bits is not specialized.
        self.count = Int(line.upperBound - line.lowerBound) + Int(own.upperBound - own.lowerBound) + tags.count
    }

    /// The handle at a position below `count`.
    func handle(_ position: Int, in paths: [Handle]) -> Int {
        var position = position
        if !self.tags.isEmpty {
            let handle = Int(self.tags.take(&position))
            if handle >= 0 { return handle }
        }
        let index = Int(self.line.lowerBound) + position
        let beyond = index - Int(self.line.upperBound)
        return Int(paths[beyond < 0 ? index : Int(self.own.lowerBound) + beyond])
    }
}

/// What is known of models where budgets and rate limits are narrowed to some.
struct Narrowing {
    let providers: [ProviderID: Handle]
    let models: [ModelEntry]
    let modelHandles: [ModelID: Handle]
    /// Sorted handles of models, each set once.
    private(set) var sets: [[Handle]] = []
    private var known: [[Handle]: Handle] = [:]

    init(providers: [ProviderID: Handle], models: [ModelEntry], modelHandles: [ModelID: Handle]) {
        self.providers = providers
        self.models = models
        self.modelHandles = modelHandles
    }

    /// What there is here of models that something is narrowed to, by its place in `sets`: an empty one when it is narrowed
    /// to others only, -1 when it is not narrowed.
    mutating func models(_ names: [ModelID], of providers: [ProviderID]) -> Handle {
        guard !providers.isEmpty || !names.isEmpty else { return -1 }
        var handles = Set(names.compactMap { self.modelHandles[$0] })
        let wanted = Set(providers.compactMap { self.providers[$0] })
        for (handle, model) in self.models.enumerated() where wanted.contains(model.provider) {
            handles.insert(Handle(handle))
        }
        let sorted = handles.sorted()
        if let known = self.known[sorted] { return known }
        let set = Handle(self.sets.count)
        self.sets.append(sorted)
        self.known[sorted] = set
        return set
    }
}

extension BudgetLevel {
    static func levels(of nodes: [NodeRow]) -> [NodeID: BudgetLevel] {
        var levels: [NodeID: BudgetLevel] = [:]
        for row in nodes {
            levels[row.id] =
                switch row.kind {
                case .organization: .organization
                case .unit: .unit
                case .project: .project
                }
        }
        return levels
    }

    /// Nil for a node that was deleted: there is nobody whose use could be bounded.
    static func level(of subject: BudgetSubject, _ levels: [NodeID: BudgetLevel]) -> BudgetLevel? {
        switch subject {
        case .node(let id): levels[id]
        case .tag(let id, _): levels[id] == nil ? nil : .tag
        case .key: .key
        case .owner: .owner
        }
    }
}
