import ControlPlane
import Crypto
import DataPlane
import Postgres
import Shared
import Synchronization

/// One gateway as far as money goes: the product's lease table, book and admission, and clients that spend.
final class LeaseGateway: Sendable {
    struct Figures: Sendable {
        var renewals: [Duration] = []
        var opening: [Duration] = []
        var accounts = 0
        var admitted = 0
        var waited = 0
        var refused = 0
        var stored = 0
        var batches: [Duration] = []
        var failures = 0
        var cost: Int64 = 0
        /// What looks at what is due took, without what is sent.
        var looking = Duration.zero
        var looks = 0

        mutating func add(_ other: Figures) {
            self.renewals += other.renewals
            self.opening += other.opening
            self.accounts += other.accounts
            self.admitted += other.admitted
            self.waited += other.waited
            self.refused += other.refused
            self.stored += other.stored
            self.batches += other.batches
            self.failures += other.failures
            self.cost += other.cost
            self.looking += other.looking
            self.looks += other.looks
        }
    }

    let number: Int
    let world: LeaseWorld
    private let table = LeaseTable()
    private let policy: PolicyIndex
    /// Numbers of the keys, by their handles in the policy.
    private let keys: [Int]
    private let records = Mutex<[UsageRecord]>([])
    private let state = Mutex(Figures())
    private let held = Atomic<Int>(0)
    private let isMeasured = Atomic<Bool>(false)
    private let isOver = Atomic<Bool>(false)
    private static let hasFailed = Atomic<Bool>(false)
    let stream: UsageStreamID = TimeSource.system.newID()

    var id: GatewayID { GatewayID(LeaseWorld.id(.gateway, self.number)) }

    /// Accounts that it holds money of.
    var accountsHeld: Int { self.held.load(ordering: .relaxed) }
    var accountsWanted: Int { self.keys.count + LeaseWorld.nodes }
    var figures: Figures { self.state.withLock { $0 } }

    /// - Parameter numbers: of the budgets of the nodes and of its keys.
    init(_ number: Int, keys: [Int], numbers: [UUIDValue: UInt32], world: LeaseWorld) throws {
        self.number = number
        self.keys = keys
        self.world = world
        self.policy = try Self.compile(keys, numbers, self.table)
    }

    /// The snapshot of a deployment with the given keys.
    static func compile(_ keys: [Int], _ numbers: [UUIDValue: UInt32], _ table: LeaseTable) throws -> PolicyIndex {
        var document = SnapshotDocument()
        func node(_ kind: LeaseWorld.Kind, _ number: Int) -> NodeID { NodeID(LeaseWorld.id(kind, number)) }
        func budget(_ subject: BudgetSubject, _ id: UUIDValue, _ amount: Int64) {
            document.budgets.append(
                BudgetRow(
                    id: BudgetID(id), number: numbers[id] ?? UInt32(truncatingIfNeeded: document.budgets.count + 1),
                    subject: subject, period: .month, amount: NanoUSD(amount)))
        }
        for number in 0..<LeaseWorld.organizations {
            document.nodes.append(
                NodeRow(id: node(.organization, number), kind: .organization, parent: nil, status: .active))
        }
        for number in 0..<LeaseWorld.units {
            let parent = node(.organization, number % LeaseWorld.organizations)
            document.nodes.append(NodeRow(id: node(.unit, number), kind: .unit, parent: parent, status: .active))
        }
        for number in 0..<LeaseWorld.projects {
            let parent = node(.unit, number % LeaseWorld.units)
            document.nodes.append(NodeRow(id: node(.project, number), kind: .project, parent: parent, status: .active))
        }
        for row in document.nodes { budget(.node(row.id), row.id.value, 1_000_000_000_000_000) }
        for (handle, key) in keys.enumerated() {
            let id = VirtualKeyID(LeaseWorld.id(.key, key))
            // Spread as hashes are, and in the order of the keys.
            let spread = UInt64(handle) * (.max / UInt64(keys.count)) + 0x1234_5678
            var digest: [UInt8] = []
            for _ in 0..<4 { withUnsafeBytes(of: spread.bigEndian) { digest += $0 } }
            document.keys.append(
                KeyRow(
                    digest: digest, key: id, project: node(.project, key % LeaseWorld.projects), owner: nil,
                    policy: nil,
                    expires: nil, status: .active))
            budget(.key(id), id.value, 100_000_000_000)
        }
        let manifest = Manifest(
            deployment: TimeSource.system.newID(), group: TimeSource.system.newID(),
            version: SnapshotVersion(epoch: 1, version: 1), created: Timestamp(microseconds: 0), previous: [],
            keyringEpoch: 1, limits: .init(), chunks: [])
        return try PolicyCompiler.compile(
            document, manifest: manifest, manifestSHA256: [1], keyEncryptionKey: SymmetricKey(size: .bits256),
            leases: table)
    }

    func measure() {
        self.state.withLock { $0 = Figures() }
        self.isMeasured.store(true, ordering: .relaxed)
    }

    func stop() { self.isOver.store(true, ordering: .relaxed) }

    private var isRunning: Bool { !self.isOver.load(ordering: .relaxed) }

    /// Until `stop`.
    ///
    /// - Parameter rate: requests a second.
    func run(rate: Int) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.spend(rate) }
            group.addTask { await self.keep() }
            group.addTask { await self.ship() }
        }
    }

    // MARK: Clients

    /// Requests whose bound is 0.004 USD, and which cost 0.001; few keys make most of them.
    private func spend(_ rate: Int) async {
        var random = SystemRandomNumberGenerator()
        var next = 0
        var debt = 0.0
        var last = ContinuousClock.now
        while self.isRunning {
            try? await Task.sleep(for: .milliseconds(20))
            let now = ContinuousClock.now
            debt = min(debt + (now - last).seconds * Double(rate), Double(rate))
            last = now
            while debt >= 1 {
                debt -= 1
                // Each key once, so that it is held; then by chance.
                let fraction = Double.random(in: 0..<1, using: &random)
                let key = next < self.keys.count ? next : Int(fraction * fraction * Double(self.keys.count))
                next += 1
                self.request(key)
            }
        }
    }

    private func request(_ key: Int) {
        var reservation = Reservation()
        let verdict = Admission.reserve(
            CostEstimate(bound: NanoUSD(4_000_000)), of: BudgetPath(self.policy, key: Handle(key), model: 0),
            in: self.table,
            now: TimeSource.system.now(), uptime: TimeSource.system.uptime(), away: false, &reservation)
        switch verdict {
        case .admitted: break
        case .wait:
            self.state.withLock { $0.waited += 1 }
            return
        case .refused:
            self.state.withLock { $0.refused += 1 }
            return
        }
        let number = self.keys[key]
        var record = UsageRecord(
            request: TimeSource.system.newID(), key: VirtualKeyID(LeaseWorld.id(.key, number)),
            project: NodeID(LeaseWorld.id(.project, number % LeaseWorld.projects)))
        record.started = TimeSource.system.now()
        (record.status, record.attempts) = (200, 1)
        (record.counters.input, record.counters.output, record.counters.requests) = (1000, 300, 1)
        record.cost = NanoUSD(1_000_000)
        for index in 0..<reservation.count {
            if let charge = Charge(value: reservation.charges[index]) { record.charges.append(charge) }
        }
        reservation.settle(record.cost, in: self.table)
        self.state.withLock { $0.admitted += 1 }
        self.records.withLock { $0.append(record) }
    }

    private func failed(_ error: any Error) {
        self.state.withLock { $0.failures += 1 }
        // The first of all: the others are counted.
        guard !Self.hasFailed.exchange(true, ordering: .relaxed) else { return }
        StandardError.print("gateway \(self.number): \(error)")
    }

    // MARK: Talking to the control plane

    private var caller: GatewayCaller {
        GatewayCaller(
            id: self.id, group: self.world.group, process: 1, issued: TimeSource.system.now(),
            standing: ProcessStanding(own: nil, newest: nil))
    }

    /// What the lease keeper does: a look each 50 milliseconds, and whatever is due in one transaction of the endpoint.
    private func keep() async {
        var book = LeaseBook(table: self.table, gateway: self.id)
        while self.isRunning {
            try? await Task.sleep(for: .milliseconds(50))
            let began = ContinuousClock.now
            let sentAt = TimeSource.system.uptime()
            book.collect(uptime: sentAt)
            book.end(book.ending(now: TimeSource.system.now()))
            let request = book.request(uptime: sentAt)
            let looked = ContinuousClock.now - began
            self.state.withLock { state in
                state.looking += looked
                state.looks += 1
            }
            guard let request else { continue }
            let isOpening = request.asks.contains { $0.granted == 0 }
            let start = ContinuousClock.now
            do {
                let bytes = request.wireBytes
                let taken = try LeaseRequest(wire: bytes)
                let caller = self.caller
                var reply = try await self.world.renewals.renew(
                    LeaseWord(request: taken, caller: caller, isFenced: false))
                reply.request = Array(SHA256.hash(data: bytes))
                let took = ContinuousClock.now - start
                book.apply(
                    try LeaseReply(wire: reply.wireBytes), to: request, sentAt: sentAt,
                    uptime: TimeSource.system.uptime())
                self.state.withLock { state in
                    if isOpening { state.opening.append(took) } else { state.renewals.append(took) }
                    state.accounts += request.asks.count
                }
                self.held.store(book.count, ordering: .relaxed)
            } catch {
                self.failed(error)
                try? await Task.sleep(for: .seconds(1))
            }
        }
    }

    /// What delivery does: what there is, each second, or at once what fills a batch of 2000.
    private func ship() async {
        var next = 1
        while true {
            let isLast = !self.isRunning
            let records = self.records.withLock { records -> [UsageRecord] in
                let taken = Array(records.prefix(UsageBatch.recordsLimit))
                records.removeFirst(taken.count)
                return taken
            }
            if records.isEmpty {
                if isLast { return }
                try? await Task.sleep(for: .milliseconds(200))
                continue
            }
            let bytes = UsageBatch(gateway: self.id, stream: self.stream, process: 1, from: next, records: records)
                .wireBytes
            let start = ContinuousClock.now
            do {
                let batch = try UsageBatch(wire: bytes)
                let caller = self.caller
                let result = try await self.world.database.transaction(retrySerialization: 3) { tx in
                    try UsageIngest.ingest(&tx, batch, from: caller, now: TimeSource.system.now())
                }
                next += records.count
                let took = ContinuousClock.now - start
                let isMeasured = !isLast || !self.isMeasured.load(ordering: .relaxed)
                self.state.withLock { state in
                    state.cost += records.reduce(0) { $0 + $1.cost.amount * Int64($1.charges.count) }
                    guard isMeasured else { return }
                    state.stored += result.stored
                    state.batches.append(took)
                }
            } catch {
                self.records.withLock { $0 = records + $0 }
                self.failed(error)
                if isLast { return }
            }
            if !isLast, records.count < UsageBatch.recordsLimit { try? await Task.sleep(for: .seconds(1)) }
        }
    }
}

extension Duration {
    var seconds: Double {
        let parts = self.components
        return Double(parts.seconds) + Double(parts.attoseconds) / 1e18
    }
}
