import DataPlane
import Shared
import TestKit
import Testing

/// What requests count for by their tags, without a connection.
@Suite struct TagSubjectTests {
    /// A compiled document, and a loop's table of sets.
    private final class Setting {
        let files = SpoolFixture()
        let stream: SpoolStream
        let table: TagTable
        let policy: PolicyIndex
        let leases = LeaseTable()

        init(_ fixture: PolicyFixture, values: TagValues = TagValues()) throws {
            self.stream = try SpoolStream.create(SpoolFixture.streamID(), in: self.files.path)
            self.table = TagTable(self.stream.tags, values: values)
            self.policy = try PolicyCompiler.compile(
                fixture.document, manifest: fixture.manifest(), manifestSHA256: [1],
                keyEncryptionKey: fixture.key, leases: self.leases)
        }

        /// What a request of the first key with such a field counts for, and its set of tags.
        func tagged(_ field: String) throws -> (handles: TaggedHandles, set: String) {
            let bytes = Array(field.utf8)
            var tagged = TaggedHandles()
            let key = self.policy.keys[0]
            let number = try RequestTags.number(
                bytes.span, 0..<bytes.count, node: key.node, key: key.policy, policy: self.policy, self.table, &tagged)
            return (tagged, self.table.set(number)?.text ?? "")
        }

        /// The numbers of the budgets that the request pays into, in the order of refusals.
        func budgets(_ field: String, model: Handle = 0) throws -> [UInt32] {
            let path = BudgetPath(self.policy, key: 0, model: model, tags: try self.tagged(field).handles.budgets)
            var reservation = Reservation()
            let verdict = Admission.reserve(
                CostEstimate(bound: NanoUSD(5)), of: path, in: self.leases,
                now: Timestamp(microseconds: 1_000_000_000_000_000), uptime: 5,
                away: true, &reservation)
            guard case .admitted = verdict else {
                Issue.record("\(verdict)")
                return []
            }
            var numbers: [UInt32] = []
            for index in 0..<reservation.count {
                if let charge = Charge(value: reservation.charges[index]) { numbers.append(charge.budget) }
            }
            reservation.settle(.zero, in: self.leases)
            return numbers
        }

        /// The rate limit that refuses the request while nobody can be asked; nil for none.
        func refusing(_ field: String) throws -> RateLimitRefusal? {
            let path = RateLimitPath(self.policy, key: 0, model: 0, tags: try self.tagged(field).handles.rateLimits)
            var reservation = RateReservation()
            let verdict = RateLimiting.reserve(
                RateDemand(inputBound: 1, usualInput: 1, outputBound: 1), of: path, in: self.leases.rates, uptime: 5,
                away: true, &reservation)
            reservation.settle(.none, in: self.leases.rates)
            guard case .refused(let error) = verdict, case .rateLimit(let refusal) = error.subject else { return nil }
            return refusal
        }
    }

    private static func tag(_ name: String, _ value: String) throws -> SubjectTag {
        try #require(SubjectTag(name: name, value: value))
    }

    /// Soft budgets of some subjects, numbered from 1 on.
    private static func add(_ subjects: [BudgetSubject], to fixture: inout PolicyFixture) {
        for subject in subjects {
            let number = UInt32(fixture.document.budgets.count + 1)
            fixture.document.budgets.append(
                BudgetRow(
                    id: fixture.id(), number: number, subject: subject, period: .month, amount: NanoUSD(5),
                    isHard: false))
        }
    }

    private static func fixture(_ purpose: StaticString, declared: [String], own: [String: String] = [:]) throws
        -> PolicyFixture
    {
        var fixture = try PolicyFixture(purpose)
        fixture.document.nodes[2].tags = declared.map { TagDeclaration(name: $0, isRequired: true) }
        fixture.document.policies[0].tags = TagSet(own)
        return fixture
    }

    @Test func `budgets of tags stand right after those of their node, by ascending name`() throws {
        var fixture = try Self.fixture("tag order", declared: ["customer", "team"])
        let (organization, unit, project) = (fixture.organization, fixture.document.nodes[1].id, fixture.project)
        let owner = try #require(fixture.document.keys[0].owner)
        Self.add(
            [
                .key(fixture.document.keys[0].key), .owner(owner), .tag(project, try Self.tag("team", "red")),
                .tag(project, try Self.tag("customer", "acme")), .node(project),
                .tag(unit, try Self.tag("customer", "acme")), .tag(organization, try Self.tag("team", "red")),
                .node(organization), .tag(organization, try Self.tag("team", "blue")),
            ], to: &fixture)
        let setting = try Setting(fixture)
        #expect(try setting.budgets("customer=acme,team=red") == [8, 7, 6, 5, 4, 3, 2, 1])
        #expect(try setting.budgets("team=red, customer=other") == [8, 7, 5, 3, 2, 1])
        #expect(try setting.budgets("customer=acme,team=blue") == [8, 9, 6, 5, 4, 2, 1])
        // Neither the beginning of a value nor another name's.
        #expect(try setting.budgets("customer=acm,team=acme") == [8, 5, 2, 1])
        #expect(setting.policy.budgets.filter { $0.level == .tag }.map(\.number).sorted() == [3, 4, 6, 7, 9])
    }

    @Test func `the key's own value counts, and the field's does not`() throws {
        var fixture = try Self.fixture("own tags", declared: ["customer"], own: ["customer": "acme"])
        Self.add(
            [
                .tag(fixture.project, try Self.tag("customer", "acme")),
                .tag(fixture.project, try Self.tag("customer", "globex")),
            ], to: &fixture)
        let setting = try Setting(fixture)
        #expect(try setting.budgets("") == [1])
        #expect(try setting.budgets("customer=globex") == [1])
    }

    @Test func `a value that is counted as other one pays into its budget all the same`() throws {
        var fixture = try Self.fixture("other values", declared: ["customer"])
        Self.add([.tag(fixture.organization, try Self.tag("customer", "acme"))], to: &fixture)
        let setting = try Setting(fixture, values: TagValues(limit: 2))
        #expect(try setting.tagged("customer=a").set == "customer=a")
        #expect(try setting.tagged("customer=b").set == "customer=b")
        #expect(try setting.tagged("customer=acme").set == "customer=(other)")
        #expect(try setting.budgets("customer=acme") == [1])
        // What only is counted as such does not.
        #expect(try setting.budgets("customer=c").isEmpty)
        #expect(throws: GatewayError.self) { try setting.budgets("customer=(other)") }
    }

    @Test func `budgets of tags are narrowed like others`() throws {
        var fixture = try Self.fixture("narrowed tags", declared: ["customer"])
        let tag = try Self.tag("customer", "acme")
        Self.add([.tag(fixture.project, tag), .tag(fixture.project, tag)], to: &fixture)
        fixture.document.budgets[0].models = [fixture.id()]
        let setting = try Setting(fixture)
        #expect(try setting.budgets("customer=acme") == [2])
    }

    @Test func `rate limits of tags refuse in their place`() throws {
        var fixture = try Self.fixture("tag limits", declared: ["customer"])
        let tag = try Self.tag("customer", "acme")
        let subjects: [BudgetSubject] = [
            .node(fixture.organization), .tag(fixture.organization, tag), .node(fixture.project),
            .tag(fixture.project, tag), .key(fixture.document.keys[0].key),
        ]
        for first in 0..<subjects.count {
            // Those above let everything through while nobody can be asked.
            fixture.document.rateLimits = []
            for index in subjects.indices.reversed() {
                fixture.document.rateLimits.append(
                    RateLimitRow(
                        id: fixture.id(), number: UInt32(index + 1), subject: subjects[index], meter: .requests,
                        rate: BucketRate(amount: 5, per: .minute, burst: 5) ?? .least,
                        away: index < first ? .open : .deny))
            }
            let setting = try Setting(fixture)
            let ids = fixture.document.rateLimits.map { ($0.number, $0.id) }
            func number(_ field: String) throws -> UInt32? {
                let refusal = try setting.refusing(field)
                return ids.first { $0.1 == refusal?.limit }?.0
            }
            #expect(try number("customer=acme") == UInt32(first + 1))
            #expect(try number("customer=globex") == [1, 3, 3, 5, 5][first])
            let level = try setting.refusing("customer=acme")?.level
            #expect((level == .tag) == (first == 1 || first == 3))
        }
    }

    @Test func `what is more than one request can carry is refused, what no request carries is not`() throws {
        func isRefused(_ subjects: (PolicyFixture) throws -> [BudgetSubject]) throws -> Bool {
            var fixture = try Self.fixture("tag bounds", declared: ["a", "b"])
            Self.add(try subjects(fixture), to: &fixture)
            do {
                _ = try Setting(fixture)
                return false
            } catch let error as SnapshotError {
                #expect(error.code == .invalid && error.chunk == "budgets")
                return true
            }
        }
        let (a, b) = (try Self.tag("a", "1"), try Self.tag("b", "1"))
        // Two values of one name are never of one request.
        let others = try (2..<40).map { try Self.tag("a", "\($0)") }
        for (own, node, expected) in [(2, 4, false), (2, 5, true), (3, 0, true)] {
            let refused = try isRefused { fixture in
                Array(repeating: BudgetSubject.tag(fixture.project, a), count: own)
                    + Array(repeating: .tag(fixture.organization, b), count: 2)
                    + Array(repeating: .node(fixture.organization), count: node)
                    + others.map { .tag(fixture.project, $0) }
            }
            #expect(refused == expected, "\(own) and 2 of tags, \(node) of a node")
        }
    }

    @Test func `whatever is bounded, a request pays into what a plain reading gives`() throws {
        var random = SeededRandom("tag subjects")
        let names = ["a", "b", "c"]
        var compiled = 0
        var paid = 0
        for _ in 0..<300 {
            let declared = names.filter { _ in Int.random(in: 0..<4, using: &random) > 0 }
            var own: [String: String] = [:]
            for name in declared where Int.random(in: 0..<4, using: &random) == 0 {
                own[name] = "\(Int.random(in: 0..<3, using: &random))"
            }
            var fixture = try Self.fixture("a document", declared: declared, own: own)
            let nodes = fixture.document.nodes.map(\.id)
            var subjects: [BudgetSubject] = []
            for _ in 0..<Int.random(in: 0...9, using: &random) {
                let node = nodes[Int.random(in: 0..<3, using: &random)]
                let value = "\(Int.random(in: 0..<3, using: &random))"
                let tag = try Self.tag(names[Int.random(in: 0..<3, using: &random)], value)
                subjects.append(Bool.random(using: &random) ? .node(node) : .tag(node, tag))
            }
            Self.add(subjects, to: &fixture)
            guard let setting = try? Setting(fixture) else { continue }
            compiled += 1
            for _ in 0..<5 {
                var tags = own
                for name in declared where own[name] == nil {
                    tags[name] = "\(Int.random(in: 0..<4, using: &random))"
                }
                let field = declared.map { "\($0)=\(own[$0] == nil ? tags[$0] ?? "" : "9")" }.joined(separator: ",")
                let expected = nodes.flatMap { node in
                    let plain = subjects.indices.filter { subjects[$0] == .node(node) }
                    let tagged = names.flatMap { name in
                        subjects.indices.filter { index in
                            guard case .tag(node, let tag) = subjects[index] else { return false }
                            return tag.name == name && tags[name] == tag.value
                        }
                    }
                    return plain + tagged
                }
                #expect(try setting.budgets(field) == expected.map { UInt32($0 + 1) }, "\(field) of \(subjects)")
                paid += expected.count
            }
        }
        #expect(compiled > 100 && paid > 500, "\(compiled), \(paid)")
    }
}
