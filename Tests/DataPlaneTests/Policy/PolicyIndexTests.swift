import DataPlane
import Shared
import Testing

@Suite struct PolicyIndexTests {
    private static let aliases = (0..<12).map { "model-\($0)" } + ["a", "", "é"].filter { !$0.isEmpty }

    /// A random tree with random routes, policies, owners and keys.
    private static func fill(_ fixture: inout PolicyFixture) {
        func status(_ fixture: inout PolicyFixture) -> RowStatus {
            fixture.below(5) == 0 ? [.disabled, .revoked][fixture.below(2)] : .active
        }
        var depths = [0, 1, 2]
        for _ in 0..<fixture.below(60) {
            let parent = fixture.below(depths.count + 1)
            if parent == depths.count {
                fixture.document.nodes.append(
                    NodeRow(id: fixture.id(), kind: .organization, parent: nil, status: status(&fixture)))
                depths.append(0)
            } else if depths[parent] < 9 {
                fixture.document.nodes.append(
                    NodeRow(
                        id: fixture.id(), kind: .unit, parent: fixture.document.nodes[parent].id,
                        status: status(&fixture)))
                depths.append(depths[parent] + 1)
            }
        }
        let target = fixture.document.routes[0].targets
        var taken: Set<String> = ["fast|\(fixture.organization)"]
        for _ in 0..<fixture.below(60) {
            let place = fixture.below(fixture.document.nodes.count + 1)
            let node = place == fixture.document.nodes.count ? nil : fixture.document.nodes[place].id
            let alias = Self.aliases[fixture.below(Self.aliases.count)]
            guard taken.insert("\(alias)|\(node.map { "\($0)" } ?? "")").inserted else { continue }
            fixture.document.routes.append(
                RouteRow(id: fixture.id(), node: node, alias: alias, targets: target, status: status(&fixture)))
        }
        for _ in 0..<fixture.below(10) {
            var models: [String]?
            if fixture.below(3) > 0 {
                models = (0..<fixture.below(6)).map { _ in Self.aliases[fixture.below(Self.aliases.count)] } + ["none"]
            }
            fixture.document.policies.append(PolicyRow(id: fixture.id(), models: models, networks: []))
        }
        for _ in 0..<fixture.below(10) {
            fixture.document.owners.append(
                OwnerRow(id: PolicyFixture.uuid(&fixture.random), status: status(&fixture)))
        }
        for _ in 0..<(20 + fixture.below(200)) {
            var row = fixture.keyRow(project: fixture.document.nodes[fixture.below(fixture.document.nodes.count)].id)
            row.status = status(&fixture)
            if fixture.below(2) == 0 {
                row.owner = fixture.document.owners[fixture.below(fixture.document.owners.count)].id
            }
            if fixture.below(2) == 0 {
                row.policy = fixture.document.policies[fixture.below(fixture.document.policies.count)].id
            }
            if fixture.below(2) == 0 { row.expires = Timestamp(microseconds: Int64(fixture.below(1000))) }
            fixture.document.keys.append(row)
        }
    }

    /// The nodes from one upwards.
    private static func path(_ document: SnapshotDocument, _ node: NodeID) -> [NodeRow] {
        var path: [NodeRow] = []
        var current: NodeID? = node
        while let id = current, let row = document.nodes.first(where: { $0.id == id }) {
            path.append(row)
            current = row.parent
        }
        return path
    }

    private static func state(_ document: SnapshotDocument, _ key: KeyRow) -> KeyState {
        if key.status == .disabled { return .disabled }
        if key.status == .revoked { return .revoked }
        if let owner = key.owner, document.owners.first(where: { $0.id == owner })?.status != .active {
            return .ownerDisabled
        }
        return Self.path(document, key.project).allSatisfy { $0.status == .active } ? .active : .scopeDisabled
    }

    private static func route(_ document: SnapshotDocument, _ alias: String, _ node: NodeID) -> RouteID? {
        let routes = document.routes.filter { $0.alias == alias && $0.status == .active }
        for level in Self.path(document, node) {
            if let route = routes.first(where: { $0.node == level.id }) { return route.id }
        }
        return routes.first { $0.node == nil }?.id
    }

    @Test func `random documents are answered as by looking through all rows`() throws {
        for _ in 0..<40 {
            var fixture = try PolicyFixture("random policies")
            Self.fill(&fixture)
            let document = fixture.document
            let index = try fixture.compile()
            #expect(index.keys.count == document.keys.count)
            for row in document.keys {
                let handle = index.key(Digest256(row.digest))
                let entry = try #require(handle >= 0 ? index.keys[Int(handle)] : nil)
                #expect(entry.key == row.key && entry.project == row.project && entry.owner == row.owner)
                #expect(entry.state == Self.state(document, row))
                #expect(entry.expires == row.expires?.microseconds ?? .max)
                for alias in Self.aliases + ["fast", "none"] {
                    let bytes = Array(alias.utf8)
                    let found = index.alias(bytes.span)
                    let exists = document.routes.contains { $0.alias == alias && $0.status == .active }
                    #expect((found >= 0) == exists)
                    guard found >= 0 else { continue }
                    let models = row.policy.flatMap { id in document.policies.first { $0.id == id }?.models }
                    #expect(index.allows(policy: entry.policy, alias: found) == models?.contains(alias) ?? true)
                }
            }
            for node in document.nodes {
                for alias in Self.aliases + ["fast", "none"] {
                    #expect(index.route(named: alias, at: node.id) == Self.route(document, alias, node.id))
                }
            }
            for _ in 0..<200 { #expect(index.key(Digest256(fixture.digest())) == -1) }
        }
    }

    @Test func `an address is allowed by any network of the policy, and by none without`() throws {
        var fixture = try PolicyFixture("networks")
        let networks = try ["10.0.0.0/8", "2001:db8::/32"].map { try #require(NetworkRange($0)) }
        fixture.document.policies[0].networks = networks
        let index = try fixture.compile()
        for (text, allowed) in [("10.9.9.9", true), ("2001:db8::1", true), ("11.0.0.1", false), ("::1", false)] {
            let address = try #require(IPAddress(text))
            #expect(index.allows(policy: 0, from: address) == allowed)
            #expect(index.allows(policy: -1, from: address))
        }
    }

    @Test func `an index that knows nobody finds nobody`() throws {
        var fixture = try PolicyFixture("empty index")
        let name = Array("fast".utf8)
        #expect(PolicyIndex.empty.isEmpty)
        #expect(PolicyIndex.empty.key(Digest256(fixture.digest())) == -1)
        #expect(PolicyIndex.empty.alias(name.span) == -1)
        #expect(PolicyIndex.empty.route(alias: -1, at: -1) == -1)
    }
}

@Suite struct HandleTableTests {
    @Test func `every handle is found among hashes that collide, and no other`() throws {
        var fixture = try PolicyFixture("handle table")
        for round in 0..<60 {
            let count = fixture.below(300)
            // A few hashes, or many that fall into a few slots, or all different.
            let hashes = (0..<count).map { index -> UInt64 in
                switch round % 3 {
                case 0: UInt64(fixture.below(4))
                case 1: fixture.random.next() & 0xFFFF_FFFF_0000_FFFF
                default: UInt64(index) << 40 | UInt64(index)
                }
            }
            let table = HandleTable(hashes: hashes)
            for handle in 0..<count {
                #expect(table.find(hashes[handle]) { $0 == Handle(handle) } == Handle(handle))
            }
            for hash in Set(hashes) {
                var offered: Set<Handle> = []
                let found = table.find(hash) {
                    offered.insert($0)
                    return false
                }
                #expect(found == -1)
                #expect(offered == Set(hashes.indices.filter { hashes[$0] == hash }.map { Handle($0) }))
            }
            for _ in 0..<50 {
                let other: UInt64 = fixture.random.next() | 0x8000_0000_0000_0000
                #expect(hashes.contains(other) || table.find(other) { _ in true } == -1)
            }
        }
    }
}
