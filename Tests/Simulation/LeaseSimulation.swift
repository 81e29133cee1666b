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

    private enum Event {
        case renewal(gateway: Int, process: UInt64, LeaseRequest)
        case reply(gateway: Int, process: UInt64, LeaseReply, sequence: Int64)
        case usage(
            gateway: Int, stream: UInt64, process: UInt64, from: Int, records: [(charges: [Charge], cost: Int64)])
        case acknowledgement(gateway: Int, stream: UInt64, last: Int)
    }

    private var random: SimulationRandom
    private var now: Int64 = 1_700_000_000_000_000
    private var bank = SimulatedBank()
    /// What the database had some time ago: what a fail-over may go back to.
    private var backups: [(time: Int64, bank: SimulatedBank)] = []
    private var gateways: [SimulatedGateway] = []
    private var events: [(time: Int64, order: Int, event: Event)] = []
    private var order = 0
    private var controlDownUntil: Int64 = 0
    /// Until then every gateway can say what it holds: the promise of a fail-over that lost commits asks for that.
    private var quietUntil: Int64 = 0
    private var nextProcess: UInt64 = 1
    private var nextStream: UInt64 = 1
    private let document: SnapshotDocument
    private let periods: [BudgetPeriod]
    /// What was spent of rolling budgets within their windows, oldest first, and its sum.
    private var recent: [Charge: [(time: Int64, cost: Int64)]] = [:]
    private var recentSum: [Charge: Int64] = [:]
    /// The most that had left the windows of accounts when money was granted.
    private var passed: [Charge: Int64] = [:]
    private let withFailover: Bool
    /// What was truly spent of each account, and the highest limit that its budget had.
    private var spent: [Charge: Int64] = [:]
    private var highest: [UInt32: Int64] = [:]
    /// What requests cost beyond what they had reserved, of budgets that go by what was learned: those may be overspent by it.
    private var excess: [Charge: Int64] = [:]
    /// What each process may spend of budgets beyond its lease while nobody answers, and how many were answered.
    private var allowances: [UInt32: Int64] = [:]
    private var knownProcesses: Set<UInt64> = []
    private let key: VirtualKeyID
    private(set) var admitted = 0
    private(set) var refused = 0
    private(set) var refusedThatFitted = 0
    private(set) var faults = 0
    private(set) var cut = 0
    /// How often something was reserved of an allowance.
    private(set) var allowed = 0
    /// More than its amount was spent of a hard rolling budget, in several windows.
    private(set) var rolled = false
    private var unbacked: String?
    private(set) var grown = 0
    /// The most that a budget was overspent by, in thousandths of what its requests may have cost beyond their reservations.
    private(set) var overspent: Int64 = 0

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

    private mutating func start(_ index: Int) throws {
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

    private mutating func turn() throws {
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

    private mutating func fail() throws {
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
    private mutating func crash(_ index: Int) {
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
    private mutating func failOver() {
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

    // MARK: Requests

    private mutating func request(_ index: Int) {
        let work = self.work()
        let bound = SimulatedWork.cost(work.bound)
        let gateway = self.gateways[index]
        let growth = gateway.learned.growth(work, self.key)
        let reservation = SimulatedReservation()
        let verdict = reservation.reserve(
            CostEstimate(bound: NanoUSD(bound), learned: NanoUSD(SimulatedWork.cost(growth.reserved))),
            BudgetPath(gateway.policy, key: 0, model: 0), gateway.table,
            now: self.wallClock(), uptime: gateway.uptime(self.now),
            away: gateway.table.isAway.load(ordering: .relaxed))
        guard case .admitted = verdict else {
            self.refused += 1
            let left = self.periods.indices.map { position -> Int64 in
                let number = UInt32(position + 1)
                guard let budget = self.bank.budgets[number], budget.isHard else { return .max }
                let window = BudgetWindow.containing(
                    Timestamp(microseconds: self.now), self.periods[position], in: .utc)
                let charge = Charge(budget: number, startMinute: window.startMinute)
                let isRolling = self.bank.rolling[number] != nil
                return budget.limit - ((isRolling ? self.recentSum[charge] : self.spent[charge]) ?? 0)
            }
            if left.allSatisfy({ $0 >= bound }) { self.refusedThatFitted += 1 }
            return
        }
        self.admitted += 1
        self.checkBacked(index, reservation)
        let stream = self.gateways[index].streams.count - 1
        let open = reservation.holdsBound || !reservation.learns ? bound : SimulatedWork.cost(growth.reserved)
        self.gateways[index].streams[stream].entries.append((reservation.charges, open, nil))
        self.gateways[index].requests.append(
            .init(
                reservation: reservation, entry: self.gateways[index].streams[stream].entries.count - 1, work: work,
                began: self.now,
                ends: self.now + Int64(self.random.below(self.random.chance(10) ? 60_000_000 : 3_000_000)) + 1,
                growth: work.streams && reservation.learns ? growth : .none))
    }

    /// Mostly far less than the bound, sometimes all of it.
    private mutating func work() -> SimulatedWork {
        let bodyBytes = Int64(500 + self.random.below(100_000))
        let most = Int64(500 + self.random.below(300_000))
        let isFull = self.random.chance(5)
        return SimulatedWork(
            bodyBytes: bodyBytes, prompt: isFull ? bodyBytes : bodyBytes / Int64(2 + self.random.below(5)), most: most,
            output: isFull ? most : 1 + Int64(self.random.below(Int(most))) / Int64(1 + self.random.below(30)),
            hidden: self.random.chance(3) ? 2 : 0, streams: self.random.chance(2))
    }

    /// Streams go on: what they have reserved grows with their text, and those that get no more are cut.
    private mutating func stream(_ index: Int) {
        let gateway = self.gateways[index]
        let away = gateway.table.isAway.load(ordering: .relaxed)
        for position in gateway.requests.indices where gateway.requests[position].cutAt == nil {
            let request = gateway.requests[position]
            let produced = request.work.output * (self.now - request.began) / (request.ends - request.began)
            let text = request.work.text(min(request.work.output, produced))
            guard text >= request.growth.nextLook else { continue }
            let next = request.growth.next(text)
            if request.reservation.grow(
                to: NanoUSD(SimulatedWork.cost(next)), BudgetPath(gateway.policy, key: 0, model: 0), gateway.table,
                uptime: gateway.uptime(self.now), away: away)
            {
                self.grown += 1
                self.checkBacked(index, request.reservation)
                self.gateways[index].requests[position].growth.grow(to: next)
            } else if self.gateways[index].requests[position].growth.stay(at: text) {
                self.cut += 1
                self.gateways[index].requests[position].cutAt = min(request.work.output, produced)
            }
        }
    }

    /// What a request cost in truth beyond what it had reserved.
    private mutating func exceed(_ index: Int, _ request: SimulatedGateway.Request, _ cost: Int64) {
        for (charge, amount) in request.reservation.excess(of: cost) where amount > 0 {
            self.excess[charge, default: 0] += amount
            self.gateways[index].excess[charge, default: 0] += amount
        }
    }

    /// What was just reserved is backed by money that the gateway has.
    private mutating func checkBacked(_ index: Int, _ reservation: SimulatedReservation) {
        for (charge, free) in reservation.free(self.gateways[index].table) {
            let excess = self.gateways[index].excess[charge] ?? 0
            let isKnown = self.knownProcesses.contains(self.gateways[index].process)
            let allowance = isKnown ? self.allowances[charge.budget] ?? 0 : 0
            if free < -excess { self.allowed += 1 }
            if free < -excess - allowance {
                self.unbacked = "gateway \(index) has \(free) free of \(charge), its requests' excess is \(excess)"
            }
        }
    }

    /// What a gateway takes the time for: put right by fractions of a second, forth and back.
    private mutating func wallClock() -> Timestamp {
        Timestamp(microseconds: self.now + Int64(self.random.below(600_001)) - 300_000)
    }

    /// What a replica of the control plane takes the time for: two are off by as much as they may be.
    private mutating func replicaClock() -> Timestamp {
        let off = Int(RollingWindow.clockMargin * 500_000)
        return Timestamp(microseconds: self.now + Int64(self.random.below(2 * off + 1) - off))
    }

    private mutating func finish(_ index: Int) {
        let stream = self.gateways[index].streams.count - 1
        let over = self.gateways[index].requests.filter { $0.ends <= self.now || $0.cutAt != nil }
        self.gateways[index].requests.removeAll { $0.ends <= self.now || $0.cutAt != nil }
        for request in over { self.settle(index, stream, request) }
    }

    private mutating func settle(_ index: Int, _ stream: Int, _ request: SimulatedGateway.Request) {
        let cost = request.work.prompt + (request.cutAt ?? request.work.output)
        self.exceed(index, request, cost)
        self.close(index, stream, request.entry, cost: cost)
        if request.cutAt == nil { self.gateways[index].learned.note(request.work, self.key) }
        request.reservation.settle(cost, self.gateways[index].table)
    }

    private mutating func close(_ index: Int, _ stream: Int, _ entry: Int, cost: Int64) {
        self.gateways[index].streams[stream].entries[entry].cost = cost
        let charges = self.gateways[index].streams[stream].entries[entry].charges
        self.gateways[index].streams[stream].closed.append((charges, cost))
        for charge in charges {
            self.spent[charge, default: 0] += cost
            guard self.bank.rolling[charge.budget] != nil else { continue }
            self.recent[charge, default: []].append((self.now, cost))
            self.recentSum[charge, default: 0] += cost
        }
    }

    // MARK: Talking

    private mutating func keep(_ index: Int) {
        let uptime = self.gateways[index].uptime(self.now)
        if let pending = self.gateways[index].pending {
            guard self.now >= pending.expires else { return }
            self.gateways[index].pending = nil
            self.gateways[index].table.isAway.store(true, ordering: .relaxed)
            self.gateways[index].retryAt = self.now + Int64(self.random.below(2_000_000))
        }
        guard self.now >= self.gateways[index].retryAt else { return }
        self.gateways[index].book.collect(uptime: uptime)
        let ending = self.gateways[index].book.ending(now: self.wallClock())
        self.gateways[index].book.end(ending)
        let own = self.gateways[index].process
        let delivered = self.gateways[index].book.unsettled.filter { process in
            process != own
                && self.gateways[index].streams.contains { $0.process == process }
                && self.gateways[index].streams.allSatisfy {
                    $0.process != process || $0.acknowledged >= $0.closed.count
                }
        }
        guard let request = self.gateways[index].book.request(uptime: uptime, settled: delivered) else { return }
        self.gateways[index].pending = (request, uptime, self.now + 10_000_000)
        self.send(index, .renewal(gateway: index, process: own, request))
    }

    private mutating func ship(_ index: Int) {
        for stream in self.gateways[index].streams {
            let next = stream.acknowledged
            // Also when all was taken: a database that lost commits, after a late word of the one before, lacks some of it.
            guard self.random.chance(next < stream.closed.count ? 2 : 40) else { continue }
            self.send(
                index,
                .usage(
                    gateway: index, stream: stream.number, process: stream.process, from: next + 1,
                    records: Array(stream.closed[next..<min(stream.closed.count, next + 20)])))
        }
    }

    private mutating func send(_ index: Int, _ event: Event) {
        guard self.now >= self.gateways[index].partitionedUntil, self.now < self.quietUntil || !self.random.chance(15)
        else { return }
        let isSlow = self.now >= self.quietUntil && self.random.chance(10)
        self.post(event, after: Int64(self.random.below(isSlow ? 12_000_000 : 60_000)))
    }

    private mutating func post(_ event: Event, after delay: Int64) {
        self.order += 1
        self.events.append((self.now + delay, self.order, event))
    }

    private mutating func deliver() {
        while let next = self.events.indices.filter({ self.events[$0].time <= self.now })
            .min(by: { (self.events[$0].time, self.events[$0].order) < (self.events[$1].time, self.events[$1].order) })
        {
            self.receive(self.events.remove(at: next).event)
        }
    }

    private mutating func receive(_ event: Event) {
        let now = Timestamp(microseconds: self.now)
        switch event {
        case .renewal(let index, let process, let request):
            guard self.now >= self.controlDownUntil else { return }
            let replica = self.replicaClock()
            let reply = self.bank.renew(request, process: process, now: replica)
            for ask in request.asks {
                guard let window = self.bank.rolling[ask.account.budget],
                    let account = self.bank.accounts[ask.account]
                else { continue }
                self.passed[ask.account] = max(
                    self.passed[ask.account] ?? 0, account.passed(window, at: replica))
            }
            self.send(index, .reply(gateway: index, process: process, reply, sequence: request.sequence))
        case .reply(let index, let process, let reply, let sequence):
            guard !self.gateways[index].isDown, self.gateways[index].process == process,
                let pending = self.gateways[index].pending, pending.request.sequence == sequence
            else { return }
            self.gateways[index].pending = nil
            self.gateways[index].table.isAway.store(false, ordering: .relaxed)
            self.knownProcesses.insert(process)
            self.gateways[index].book.apply(
                reply, to: pending.request, sentAt: pending.sentAt, uptime: self.gateways[index].uptime(self.now))
        case .usage(let index, let stream, let process, let from, let records):
            guard self.now >= self.controlDownUntil else { return }
            let last = self.bank.ingest(
                records, from: from, stream: stream, gateway: self.gateways[index].id, process: process, now: now)
            self.send(index, .acknowledgement(gateway: index, stream: stream, last: last))
        case .acknowledgement(let index, let stream, let last):
            guard let position = self.gateways[index].streams.firstIndex(where: { $0.number == stream }) else { return }
            // The newest word counts, also when it is of less: a database may have lost some.
            self.gateways[index].streams[position].acknowledged = min(
                last, self.gateways[index].streams[position].closed.count)
        }
    }

    /// Lets go of everything, after a violation.
    mutating func abandon() {
        for index in self.gateways.indices {
            for request in self.gateways[index].requests { request.reservation.settle(0, self.gateways[index].table) }
            self.gateways[index].requests = []
        }
    }

    // MARK: What must hold

    private mutating func check(_ place: String) throws {
        if let unbacked { throw Violation(description: "\(place): \(unbacked)") }
        try self.checkWindows(place)
        for (charge, spent) in self.spent where self.bank.rolling[charge.budget] == nil {
            guard let budget = self.bank.budgets[charge.budget], budget.isHard else { continue }
            let limit = self.highest[charge.budget] ?? 0
            let excess = (self.excess[charge] ?? 0) + self.allowance(charge)
            guard spent <= limit + excess else {
                throw Violation(description: "\(place): \(charge) spent \(spent) of \(limit), excess \(excess)")
            }
            if spent > limit { self.overspent = max(self.overspent, (spent - limit) * 1000 / excess) }
        }
        // A database that lost commits does not know yet what was given back; what is spent is within the limit also then.
        guard self.now >= self.quietUntil else { return }
        for (charge, account) in self.bank.accounts where account.isHard {
            let limit =
                (self.highest[charge.budget] ?? 0) + (self.excess[charge] ?? 0) + self.allowance(charge)
                + (self.passed[charge] ?? 0)
            guard account.held <= limit else {
                throw Violation(
                    description:
                        "\(place): leases of \(charge) hold \(account.held) of \(limit), fail-over \(self.withFailover)"
                )
            }
        }
    }

    /// What all processes that were ever answered may have spent beyond what they were granted.
    private func allowance(_ charge: Charge) -> Int64 {
        (self.allowances[charge.budget] ?? 0) * Int64(self.knownProcesses.count)
    }

    /// What was spent in the windows of rolling budgets that end now.
    private mutating func checkWindows(_ place: String) throws {
        for (charge, spent) in self.recent {
            guard let window = self.bank.rolling[charge.budget] else { continue }
            let gone = spent.prefix { $0.time <= self.now - window.seconds * 1_000_000 }
            self.recent[charge]?.removeFirst(gone.count)
            self.recentSum[charge, default: 0] -= gone.reduce(0) { $0 + $1.cost }
            guard self.bank.budgets[charge.budget]?.isHard == true else { continue }
            let limit = self.highest[charge.budget] ?? 0
            let sum = self.recentSum[charge] ?? 0
            let excess = (self.excess[charge] ?? 0) + self.allowance(charge)
            guard sum <= limit + excess else {
                throw Violation(
                    description:
                        "\(place): \(charge) spent \(sum) of \(limit) in \(window.seconds) seconds, excess \(excess)")
            }
            if (self.spent[charge] ?? 0) > limit + excess { self.rolled = true }
        }
    }

    /// Everything works again: then all is delivered, nothing is held, and the ledger says what was spent.
    private mutating func heal() throws {
        self.controlDownUntil = 0
        for index in self.gateways.indices {
            self.gateways[index].partitionedUntil = 0
            self.gateways[index].pausedUntil = 0
            if self.gateways[index].isDown { try self.start(index) }
        }
        // Late copies of old messages arrive among the new ones.
        for _ in 0..<400 {
            self.now += 400_000
            self.deliver()
            for index in self.gateways.indices {
                self.finish(index)
                self.keep(index)
                self.ship(index)
            }
            self.bank.look(now: self.replicaClock())
            try self.checkWindows("healing")
        }
        for index in self.gateways.indices {
            let stream = self.gateways[index].streams.count - 1
            for request in self.gateways[index].requests { self.settle(index, stream, request) }
            self.gateways[index].requests = []
        }
        // Some end in order, some are killed; what comes after them says that all their usage was delivered.
        for round in 0..<2000 {
            self.now += 400_000
            self.deliver()
            for index in self.gateways.indices {
                if round == 500 && index % 2 == 0 { self.gateways[index].book.endAll() }
                if round == 1000 {
                    self.crash(index)
                    try self.start(index)
                }
                self.keep(index)
                self.ship(index)
            }
            self.bank.look(now: self.replicaClock())
            try self.checkWindows("healing")
        }
        try self.check("healed")
        let settled = self.bank.accounts.mapValues(\.settled)
        for (charge, spent) in self.spent where settled[charge] ?? 0 != spent {
            throw Violation(description: "healed: \(charge) spent \(spent), the ledger says \(settled[charge] ?? 0)")
        }
        for (charge, account) in self.bank.accounts {
            // Nothing was spent for minutes: all that ever was has left the window.
            if let window = self.bank.rolling[charge.budget], window.seconds == 60 {
                let passed = account.passed(window, at: Timestamp(microseconds: self.now))
                guard passed == account.settled else {
                    throw Violation(
                        description: "healed: of \(charge) \(passed) of \(account.settled) have left the window")
                }
            }
            for (holder, lease) in account.leases
            where lease.state.phase != .closed || lease.state.held != lease.state.settled {
                let current = self.gateways.contains { $0.process == holder.process }
                throw Violation(
                    description:
                        "healed: \(holder) (\(current ? "living" : "dead")) keeps \(lease.state) of \(charge), "
                        + "fail-over \(self.withFailover)")
            }
        }
    }
}

/// Random numbers of one seed.
struct SimulationRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { self.state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func below(_ bound: Int) -> Int { Int(self.next() % UInt64(max(1, bound))) }
    /// True once in so many times.
    mutating func chance(_ one: Int) -> Bool { self.below(one) == 0 }
    mutating func pick<Element>(_ elements: [Element]) -> Element { elements[self.below(elements.count)] }
    mutating func id<Kind: IdentifierKind>() -> Identifier<Kind> {
        Identifier(UUIDValue(high: self.next() | 1, low: self.next()))
    }
}
