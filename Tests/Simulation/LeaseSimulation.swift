import ControlPlane
import Crypto
import DataPlane
import Shared
import Synchronization

/// One history of gateways that spend from the same hard budgets while everything fails that can: one clock, one seed.
///
/// Real are the lease table, the book, the admission, the rule that grants; simulated are the database (`SimulatedBank`),
/// the spool, the network and the clients.
struct LeaseSimulation {
    /// What went wrong.
    struct Violation: Error, CustomStringConvertible {
        let description: String
    }

    enum Event {
        case renewal(gateway: Int, process: UInt64, LeaseRequest)
        case reply(gateway: Int, process: UInt64, LeaseReply, sequence: Int64)
        case usage(
            gateway: Int, stream: UInt64, process: UInt64, from: Int, records: [(charges: [Charge], cost: Int64)])
        case acknowledgement(gateway: Int, stream: UInt64, last: Int)
    }

    var random: SimulationRandom
    var now: Int64 = 1_700_000_000_000_000
    var bank = SimulatedBank()
    /// What the database had some time ago: what a fail-over may go back to.
    var backups: [(time: Int64, bank: SimulatedBank)] = []
    var gateways: [SimulatedGateway] = []
    var events: [(time: Int64, order: Int, event: Event)] = []
    var order = 0
    var controlDownUntil: Int64 = 0
    /// Until then every gateway can say what it holds: the promise of a fail-over that lost commits asks for that.
    var quietUntil: Int64 = 0
    var nextProcess: UInt64 = 1
    var nextStream: UInt64 = 1
    let document: SnapshotDocument
    let periods: [BudgetPeriod]
    /// What was spent of rolling budgets within their windows, oldest first, and its sum.
    var recent: [Charge: [(time: Int64, cost: Int64)]] = [:]
    var recentSum: [Charge: Int64] = [:]
    /// The most that had left the windows of accounts when money was granted.
    var passed: [Charge: Int64] = [:]
    let withFailover: Bool
    /// What was truly spent of each account, and the highest limit that its budget had.
    var spent: [Charge: Int64] = [:]
    var highest: [UInt32: Int64] = [:]
    /// What requests cost beyond what they had reserved, of budgets that go by what was learned: those may be overspent by it.
    var excess: [Charge: Int64] = [:]
    /// What each process may spend of budgets beyond its lease while nobody answers, and how many were answered.
    var allowances: [UInt32: Int64] = [:]
    var knownProcesses: Set<UInt64> = []
    let key: VirtualKeyID
    var admitted = 0
    var refused = 0
    var refusedThatFitted = 0
    var faults = 0
    var cut = 0
    /// How often something was reserved of an allowance.
    var allowed = 0
    /// More than its amount was spent of a hard rolling budget, in several windows.
    var rolled = false
    var unbacked: String?
    var grown = 0
    /// The most that a budget was overspent by, in thousandths of what its requests may have cost beyond their reservations.
    var overspent: Int64 = 0

    init(seed: UInt64) throws {
        var random = SimulationRandom(seed: seed)
        self.withFailover = random.chance(4)
        let organization: NodeID = random.id()
        let project: NodeID = random.id()
        let key: VirtualKeyID = random.id()
        self.key = key
        var document = SnapshotDocument()
        document.nodes = [
            NodeRow(id: organization, kind: .organization, parent: nil, status: .active),
            NodeRow(id: project, kind: .project, parent: organization, status: .active),
        ]
        document.keys = [
            KeyRow(
                digest: Array(repeating: 7, count: 32), key: key, project: project, owner: nil, policy: nil,
                expires: nil, status: .active)
        ]
        var periods: [BudgetPeriod] = []
        let subjects: [BudgetSubject] = [.node(organization), .node(project), .key(key)]
        for (index, subject) in subjects.enumerated() where index == 1 || random.chance(2) {
            let isRolling = random.chance(3)
            let length: BudgetPeriod = random.pick([.minute, .hour, .minute, .minute])
            let period: BudgetPeriod = isRolling ? .total : random.pick([.minute, .hour, .total, .total])
            let number = UInt32(periods.count + 1)
            // From a few requests to a few thousand; where the window rolls to some dozens, so that it is full now and then.
            let limit = Int64(1_000_000) * Int64(1 << random.below(isRolling ? 4 : 11))
            let isHard = index == 1 || random.chance(2)
            let estimate: BudgetEstimate = random.chance(2) ? .bound : .learned
            if random.chance(3) { self.allowances[number] = limit / Int64(1 + random.below(20)) }
            document.budgets.append(
                BudgetRow(
                    id: random.id(), number: number, subject: subject, period: period,
                    rolling: isRolling ? length : nil, amount: NanoUSD(limit), isHard: isHard,
                    awayAllowance: NanoUSD(self.allowances[number] ?? 0), estimate: estimate))
            if isRolling { self.bank.rolling[number] = RollingWindow(length) }
            self.bank.budgets[number] = (limit, isHard)
            self.highest[number] = limit
            periods.append(period)
        }
        self.document = document
        self.periods = periods
        for _ in 0..<(1 + random.below(4)) {
            let id: GatewayID = random.id()
            let table = LeaseTable()
            self.gateways.append(
                SimulatedGateway(
                    id: id, rate: 0.99 + Double(random.below(2001)) / 100_000, table: table,
                    book: LeaseBook(table: table, gateway: id), process: 0, policy: .empty))
        }
        self.random = random
        for index in self.gateways.indices { try self.start(index) }
    }

    mutating func start(_ index: Int) throws {
        let table = LeaseTable()
        self.gateways[index].table = table
        self.gateways[index].book = LeaseBook(table: table, gateway: self.gateways[index].id)
        self.gateways[index].learned = SimulatedLearning()
        self.gateways[index].excess = [:]
        self.gateways[index].process = self.nextProcess
        self.gateways[index].pending = nil
        self.gateways[index].isDown = false
        self.gateways[index].streams.append(.init(number: self.nextStream, process: self.nextProcess))
        self.nextProcess += 1
        self.nextStream += 1
        let manifest = Manifest(
            deployment: self.random.id(), group: self.random.id(), version: SnapshotVersion(epoch: 1, version: 1),
            created: Timestamp(microseconds: 0), previous: [], keyringEpoch: 1, limits: .init(), chunks: [])
        self.gateways[index].policy = try PolicyCompiler.compile(
            self.document, manifest: manifest, manifestSHA256: [1], keyEncryptionKey: SymmetricKey(size: .bits256),
            leases: table)
    }

    // MARK: Running

    mutating func run() throws {
        let steps = 150 + self.random.below(450)
        for step in 0..<steps {
            // Mostly moments, sometimes long silence.
            self.now += Int64(
                self.random.below(self.now >= self.quietUntil && self.random.chance(40) ? 90_000_000 : 400_000) + 1)
            try self.fail()
            try self.turn()
            try self.check("step \(step)")
        }
        try self.heal()
    }

    mutating func turn() throws {
        self.deliver()
        for index in self.gateways.indices where !self.gateways[index].isDown {
            self.finish(index)
            if self.gateways[index].pausedUntil > self.now { continue }
            self.stream(index)
            for _ in 0..<self.random.below(6) { self.request(index) }
            self.keep(index)
            self.ship(index)
        }
        if self.now >= self.controlDownUntil, self.random.chance(3) { self.bank.look(now: self.replicaClock()) }
        if self.random.chance(50) { self.bank.suspend(now: Timestamp(microseconds: self.now)) }
        if self.withFailover, self.random.chance(8) { self.backups.append((self.now, self.bank)) }
        self.backups.removeAll { $0.time < self.now - 5_000_000 }
    }

    mutating func fail() throws {
        guard self.random.chance(12), self.now >= self.quietUntil else { return }
        self.faults += 1
        let index = self.random.below(self.gateways.count)
        switch self.random.below(8) {
        case 0, 1: self.crash(index)
        case 2: self.gateways[index].pausedUntil = self.now + Int64(self.random.below(40_000_000))
        case 3:
            // A fail-over that lost commits is bound to what gateways can say of them: none is cut off then.
            if !self.withFailover {
                self.gateways[index].partitionedUntil = self.now + Int64(self.random.below(200_000_000))
            }
        case 4:
            self.controlDownUntil =
                self.now + Int64(self.random.below(self.random.chance(4) ? 4_000_000_000 : 20_000_000))
        case 5: if self.withFailover { self.failOver() }
        case 6:
            // An administrator changes an amount, up or down.
            let number = UInt32(1 + self.random.below(self.periods.count))
            guard let budget = self.bank.budgets[number] else { return }
            let limit = max(1, budget.limit / 2 + Int64(self.random.below(Int(budget.limit))))
            self.bank.budgets[number]?.limit = limit
            self.highest[number] = max(self.highest[number] ?? 0, limit)
            for backup in self.backups.indices { self.backups[backup].bank.budgets[number]?.limit = limit }
        default:
            // A network that loses, doubles and turns around what is under way.
            if !self.events.isEmpty { self.events.remove(at: self.random.below(self.events.count)) }
            if !self.events.isEmpty {
                let copy = self.events[self.random.below(self.events.count)].event
                self.post(copy, after: Int64(self.random.below(30_000_000)))
            }
        }
    }

    /// kill -9: what is in memory is gone, what is on the disk is not.
    mutating func crash(_ index: Int) {
        guard !self.gateways[index].isDown else { return }
        let last = self.gateways[index].streams.count - 1
        for request in self.gateways[index].requests {
            // What the spool says of them: it counts from now on.
            let cost = self.gateways[index].streams[last].entries[request.entry].open
            self.exceed(index, request, cost)
            self.close(index, last, request.entry, cost: cost)
            request.reservation.settle(0, self.gateways[index].table)
        }
        self.gateways[index].requests = []
        self.gateways[index].isDown = true
        self.gateways[index].pending = nil
    }

    /// The database goes on from what it was some moments ago; gateways keep what they were told.
    mutating func failOver() {
        guard let backup = self.backups.first, self.gateways.allSatisfy({ !$0.isDown && $0.pausedUntil <= self.now })
        else { return }
        self.quietUntil = self.now + LeaseRules.freezeSeconds * 1_000_000
        self.controlDownUntil = 0
        self.bank = backup.bank
        self.backups = []
        self.bank.frozenUntil = Timestamp(microseconds: self.now).adding(seconds: LeaseRules.freezeSeconds)
        // What it says from here on is of another history: gateways resend what it does not have.
        for index in self.gateways.indices {
            for stream in self.gateways[index].streams.indices { self.gateways[index].streams[stream].acknowledged = 0 }
        }
    }
}
