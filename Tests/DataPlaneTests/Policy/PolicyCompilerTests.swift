import Crypto
import DataPlane
import Shared
import Testing

@Suite struct PolicyCompilerTests {
    /// The chunk that a changed document is refused for; nil when it compiles.
    private func refusal(_ change: (inout PolicyFixture) throws -> Void) throws -> String? {
        var fixture = try PolicyFixture("policy compiler")
        try change(&fixture)
        do {
            _ = try fixture.compile()
            return nil
        } catch {
            let error = try #require(error as? SnapshotError)
            #expect(error.code == .invalid)
            return error.chunk
        }
    }

    @Test func `a whole document compiles`() throws {
        let fixture = try PolicyFixture("whole document")
        let index = try fixture.compile()
        #expect(try self.refusal { _ in } == nil)
        #expect(index.keys.map(\.state) == [.active])
        #expect(index.models[0].name == Array("m\"1".utf8))
        #expect(index.models[0].prices.map(\.effective.microseconds) == [5, 10])
        #expect(index.models[0].price(at: Timestamp(microseconds: 4)) == nil)
        #expect(index.models[0].price(at: Timestamp(microseconds: 5))?.effective.microseconds == 5)
        #expect(index.models[0].price(at: Timestamp(microseconds: 11))?.effective.microseconds == 10)
        #expect(index.credentials[0].field.reveal() == Array("authorization: Bearer \(PolicyFixture.secret)\r\n".utf8))
        #expect(index.routes[0].targets.count == 1)
    }

    @Test func `a restriction that refers to something missing is refused`() throws {
        #expect(try self.refusal { $0.document.nodes[2].parent = $0.id() } == "nodes")
        #expect(try self.refusal { $0.document.keys[0].project = $0.id() } == "keys")
        #expect(try self.refusal { $0.document.keys[0].policy = $0.id() } == "keys")
        #expect(try self.refusal { $0.document.policies = [] } == "keys")
        #expect(try self.refusal { $0.document.owners = [] } == "keys")
        #expect(try self.refusal { $0.document.routes[0].node = $0.id() } == "routes")
    }

    private func budget(_ fixture: inout PolicyFixture, _ subject: BudgetSubject, _ number: UInt32) -> BudgetRow {
        BudgetRow(id: fixture.id(), number: number, subject: subject, period: .month, amount: NanoUSD(5))
    }

    @Test func `a request pays into the budgets of its line from the top down, then of its owner, then of its key`()
        throws
    {
        var fixture = try PolicyFixture("budget paths")
        let nodes = fixture.document.nodes.map(\.id)
        let key = fixture.document.keys[0]
        let other = fixture.id() as NodeID
        fixture.document.nodes.append(NodeRow(id: other, kind: .unit, parent: nodes[0], status: .active))
        let subjects: [BudgetSubject] = [
            .key(key.key), .node(nodes[2]), .node(other), .owner(try #require(key.owner)), .node(nodes[0]),
            .node(nodes[1]), .node(nodes[2]), .node(fixture.id()), .key(fixture.id()),
        ]
        for (index, subject) in subjects.enumerated() {
            fixture.document.budgets.append(self.budget(&fixture, subject, UInt32(index + 1)))
        }
        // Narrowed to what is not there, to the model's provider, and to the model.
        fixture.document.budgets[6].models = [fixture.id()]
        fixture.document.budgets[5].providers = [fixture.document.providers[0].id]
        fixture.document.budgets[4].models = [fixture.document.models[0].id]
        let index = try fixture.compile()
        func numbers(_ range: Range<Int32>) -> [UInt32] {
            range.map { index.budgets[Int(index.budgetPaths[Int($0)])].number }
        }
        let entry = index.keys[0]
        #expect(numbers(index.nodes[Int(entry.node)].budgets) == [5, 6, 2, 7])
        #expect(numbers(entry.budgets) == [4, 1])
        let path = BudgetPath(index, key: 0, model: 0)
        let covered = (0..<path.count).map { path.budget($0) }.map { $0 < 0 ? 0 : index.budgets[$0].number }
        #expect(covered == [5, 6, 2, 0, 4, 1])
        #expect(index.budgets.first { $0.number == 6 }?.level == .unit)
    }

    @Test func `a line of more budgets than a request can carry is refused`() throws {
        for (count, expected) in [(8, nil), (9, "budgets")] {
            let said = try self.refusal { fixture in
                let project = fixture.project
                for number in 0..<count {
                    fixture.document.budgets.append(self.budget(&fixture, .node(project), UInt32(number + 1)))
                }
            }
            #expect(said == expected)
        }
    }

    @Test func `a cycle, a tree that is too deep and a row that occurs twice are refused`() throws {
        #expect(try self.refusal { $0.document.nodes[1].parent = $0.document.nodes[2].id } == "nodes")
        #expect(try self.refusal { $0.document.nodes[1].parent = $0.document.nodes[1].id } == "nodes")
        for (depth, expected) in [(6, nil), (PolicyIndex.depthLimit - 3, nil), (PolicyIndex.depthLimit - 2, "nodes")] {
            let said = try self.refusal { fixture in
                var parent = fixture.document.nodes[1].id
                for _ in 0..<depth {
                    let node = NodeRow(id: fixture.id(), kind: .unit, parent: parent, status: .active)
                    fixture.document.nodes.append(node)
                    parent = node.id
                }
                fixture.document.nodes[2].parent = parent
            }
            #expect(said == expected, "\(depth) units more")
        }
        #expect(try self.refusal { $0.document.nodes.append($0.document.nodes[0]) } == "nodes")
        #expect(try self.refusal { $0.document.policies.append($0.document.policies[0]) } == "policies")
    }

    @Test func `two routes of one node with one alias are refused, of two nodes not`() throws {
        func add(_ node: NodeID?, _ fixture: inout PolicyFixture) {
            var route = fixture.document.routes[0]
            route.id = fixture.id()
            route.node = node
            fixture.document.routes.append(route)
        }
        #expect(try self.refusal { add($0.organization, &$0) } == "routes")
        #expect(try self.refusal { add($0.project, &$0) } == nil)
        #expect(try self.refusal { add(nil, &$0) } == nil)
        #expect(
            try self.refusal {
                add(nil, &$0)
                add(nil, &$0)
            } == "routes")
        #expect(
            try self.refusal {
                add($0.organization, &$0)
                $0.document.routes[1].status = .disabled
            } == nil)
    }

    @Test func `an adjustment counts for its organization and all below it, and the nearest does`() throws {
        var fixture = try PolicyFixture("adjustments")
        let (provider, model) = (fixture.document.providers[0].id, fixture.document.models[0].id)
        let stranger = NodeRow(id: fixture.id(), kind: .organization, parent: nil, status: .active)
        let below = NodeRow(id: fixture.id(), kind: .project, parent: stranger.id, status: .active)
        fixture.document.nodes += [stranger, below]
        let organization = fixture.organization
        var factors: [AdjustmentID: Int64] = [:]
        func adjust(
            _ organization: NodeID, _ factor: Int64, at: Int64 = 0, provider: ProviderID? = nil, model: ModelID? = nil
        ) {
            let id: AdjustmentID = fixture.id()
            factors[id] = factor
            fixture.document.adjustments.append(
                PriceAdjustment(
                    id: id, organization: organization, provider: provider, model: model,
                    factor: PriceFactor(partsPerMillion: factor) ?? .one, effective: Timestamp(microseconds: at)))
        }
        adjust(organization, 10)
        adjust(organization, 11, at: 5)
        adjust(organization, 20, at: 7, provider: provider)
        adjust(organization, 30, at: 9, model: model)
        adjust(organization, 40, model: fixture.id())
        adjust(stranger.id, 50)
        let index = try fixture.compile()
        func factor(_ node: Int, _ at: Int64) -> Int64? {
            index.adjustment(at: Handle(node), model: 0, Timestamp(microseconds: at)).flatMap { factors[$0.id] }
        }
        for node in 0...2 { #expect([0, 4, 5, 7, 8, 9].map { factor(node, $0) } == [10, 10, 11, 20, 20, 30]) }
        for node in 3...4 { #expect([-1, 0, 9].map { factor(node, $0) } == [nil, 50, 50]) }
        #expect(
            try self.refusal {
                $0.document.adjustments = [
                    PriceAdjustment(
                        id: $0.id(), organization: $0.id(), provider: nil, model: nil, factor: .one,
                        effective: Timestamp(microseconds: 0))
                ]
            } == "adjustments")
    }

    @Test func `a credential that does not open, or holds what no header can, is refused`() throws {
        #expect(try self.refusal { $0.document.credentials[0].sealed[20] ^= 1 } == "credentials")
        #expect(try self.refusal { $0.document.credentials[0].sealed = [] } == "credentials")
        #expect(try self.refusal { $0.document.credentials[0].version = 2 } == "credentials")
        #expect(try self.refusal { $0.document.credentials[0].keyEpoch = 2 } == "credentials")
        #expect(try self.refusal { $0.document.credentials[0].id = $0.id() } == "credentials")
        for secret in ["", "two words", "line\r\nx: y", "é", "\u{7F}"] {
            let said = try self.refusal { fixture in
                let provider = fixture.document.providers[0].id
                fixture.document.credentials.append(try fixture.credential(of: provider, secret: secret))
            }
            #expect(said == "credentials")
        }
        let fixture = try PolicyFixture("another key")
        #expect(throws: SnapshotError.self) { try fixture.compile(key: SymmetricKey(size: .bits256)) }
        // One that is not used need not open.
        #expect(
            try self.refusal {
                $0.document.credentials[0].sealed = []
                $0.document.credentials[0].status = .disabled
            } == nil)
    }

    @Test func `a credential is not given to another provider`() throws {
        let said = try self.refusal { fixture in
            var other = fixture.document.providers[0]
            other.id = fixture.id()
            other.baseURL = "https://elsewhere.example.com"
            fixture.document.providers.append(other)
            fixture.document.models[0].provider = other.id
        }
        #expect(said == "routes")
    }

    @Test func `a base URL that is none is refused, except the mock's`() throws {
        #expect(try self.refusal { $0.document.providers[0].baseURL = "api.example.com" } == "providers")
        #expect(try self.refusal { $0.document.providers[0].baseURL = "" } == "providers")
        #expect(
            try self.refusal {
                $0.document.providers[0].baseURL = ""
                $0.document.providers[0].kind = .mock
            } == nil)
    }

    @Test func `what is disabled or missing beside a route is not used, and the route stays`() throws {
        let changes: [(inout PolicyFixture) -> Void] = [
            { $0.document.providers[0].status = .disabled }, { $0.document.models[0].status = .disabled },
            { $0.document.credentials[0].status = .revoked }, { $0.document.providers = [] },
            { $0.document.models = [] }, { $0.document.credentials = [] },
        ]
        for change in changes {
            var fixture = try PolicyFixture("disabled targets")
            change(&fixture)
            let index = try fixture.compile()
            #expect(index.routes.map(\.targets.count) == [0])
            #expect(index.route(named: "fast", at: fixture.project) == fixture.document.routes[0].id)
        }
    }

    @Test func `a key's state names what stops it, its own status first`() throws {
        func state(_ change: (inout PolicyFixture) -> Void) throws -> KeyState? {
            var fixture = try PolicyFixture("key states")
            change(&fixture)
            return try fixture.compile().keys.first?.state
        }
        #expect(try state { $0.document.keys[0].status = .disabled } == .disabled)
        #expect(try state { $0.document.keys[0].status = .revoked } == .revoked)
        for status in [RowStatus.disabled, .revoked] {
            #expect(try state { $0.document.owners[0].status = status } == .ownerDisabled)
            for node in 0..<3 {
                #expect(try state { $0.document.nodes[node].status = status } == .scopeDisabled)
            }
        }
        #expect(
            try state {
                $0.document.keys[0].status = .revoked
                $0.document.nodes[0].status = .disabled
            } == .revoked)
    }

    @Test func `a provider's secret does not occur in any byte that is published`() throws {
        let fixture = try PolicyFixture("canary")
        let chunks = try #require(fixture.document.chunks(keyBits: 8))
        var keyring = Keyring(deployment: fixture.deployment, group: fixture.group, epoch: 1)
        let gateway = Curve25519.KeyAgreement.PrivateKey()
        try keyring.seal(
            fixture.key, to: GatewayID(UUIDValue(high: 1, low: 1)),
            publicKey: Array(gateway.publicKey.rawRepresentation))
        var published = chunks.map(\.blob) + [fixture.manifest(chunks.map(\.reference)).wireBytes, keyring.wireBytes]
        for chunk in chunks { published.append(try #require(Gzip.inflate(chunk.blob, size: chunk.reference.rawSize))) }
        let groupKey = fixture.key.withUnsafeBytes { Array($0) }
        for secret in [
            Array(PolicyFixture.secret.utf8), Array(Base64URL.encode(PolicyFixture.secret.utf8).utf8), groupKey,
        ] {
            for bytes in published {
                #expect(!bytes.indices.contains { bytes[$0...].starts(with: secret) })
            }
        }
        // And an index does not print it.
        var dumped = ""
        dump(try fixture.compile(), to: &dumped)
        #expect(!dumped.contains(PolicyFixture.secret))
    }
}
