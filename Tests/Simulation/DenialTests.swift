import Crypto
import DataPlane
import Shared
import Testing

/// How often work is refused that the budget would have paid for, by what is reserved of it.
@Suite struct DenialTests {
    /// Coding agents have large prompts that grow with a conversation, and are answered with some hundred tokens.
    ///
    /// They allow 32,000. 16 agents at three gateways have a budget of 20 dollars, at 2.50 and 10 dollars a million tokens.
    /// All 200 requests cost some four fifths of it, so each one that is refused would have been paid for.
    @Test func `agents are served as long as there is money for what they do`() throws {
        var denied: [String: Int] = [:]
        for mode in AgentWorkload.Mode.allCases {
            var workload = try AgentWorkload(mode, seed: 7)
            let outcome = workload.run()
            denied[mode.name] = outcome.denied
            print(
                "\(mode.name): \(outcome.served) requests served, \(outcome.shortened) of them with a lower bound, "
                    + "\(outcome.denied) refused while the budget would have paid; \(outcome.spentPermille) of 1000 of the "
                    + "budget spent, \(outcome.cut) streams cut")
            #expect(outcome.served + outcome.denied == AgentWorkload.turns)
            #expect(outcome.spent <= outcome.limit)
        }
        let bound = try #require(denied["bound"]), lowered = try #require(denied["bound, lowered"])
        let learned = try #require(denied["learned"])
        #expect(bound > 0 && lowered <= bound)
        #expect(learned == 0)
    }
}

/// Agents that spend one budget through gateways with a network that works.
struct AgentWorkload {
    enum Mode: CaseIterable {
        case bound, boundLowered, learned

        var name: String {
            switch self {
            case .bound: "bound"
            case .boundLowered: "bound, lowered"
            case .learned: "learned"
            }
        }
    }

    struct Outcome {
        var served = 0
        var shortened = 0
        var denied = 0
        var cut = 0
        var spent: Int64 = 0
        var limit: Int64 = 1

        var spentPermille: Int64 { self.spent * 1000 / self.limit }
    }

    private struct Agent {
        let gateway: Int
        /// When it asks next; never while it is answered.
        var next: Int64
        var context: Int64
    }

    private struct Running {
        let agent: Int
        let work: SimulatedWork
        let reservation: SimulatedReservation
        let began: Int64
        let ends: Int64
        var growth: StreamGrowth
    }

    private static let limit: Int64 = 20_000_000_000
    private static let promptRate: Int64 = 2500
    private static let outputRate: Int64 = 10_000

    private let mode: Mode
    private var random: SimulationRandom
    private var now: Int64 = 1_700_000_000_000_000
    private var bank = SimulatedBank()
    private var gateways: [SimulatedGateway] = []
    private var agents: [Agent] = []
    private var running: [Running] = []
    private let key: VirtualKeyID
    private var outcome = Outcome(limit: AgentWorkload.limit)

    init(_ mode: Mode, seed: UInt64) throws {
        self.mode = mode
        var random = SimulationRandom(seed: seed)
        let organization: NodeID = random.id()
        let project: NodeID = random.id()
        self.key = random.id()
        var document = SnapshotDocument()
        document.nodes = [
            NodeRow(id: organization, kind: .organization, parent: nil, status: .active),
            NodeRow(id: project, kind: .project, parent: organization, status: .active),
        ]
        document.keys = [
            KeyRow(
                digest: Array(repeating: 7, count: 32), key: self.key, project: project, owner: nil, policy: nil,
                expires: nil, status: .active)
        ]
        document.budgets = [
            BudgetRow(
                id: random.id(), number: 1, subject: .node(project), period: .total, amount: NanoUSD(Self.limit),
                estimate: mode == .learned ? .learned : .bound, lowersOutput: mode == .boundLowered)
        ]
        self.bank.budgets[1] = (Self.limit, true)
        for _ in 0..<3 {
            let id: GatewayID = random.id()
            let table = LeaseTable()
            let manifest = Manifest(
                deployment: random.id(), group: random.id(), version: SnapshotVersion(epoch: 1, version: 1),
                created: Timestamp(microseconds: 0), previous: [], keyringEpoch: 1, limits: .init(), chunks: [])
            var gateway = SimulatedGateway(
                id: id, rate: 1, table: table, book: LeaseBook(table: table, gateway: id), process: 1,
                policy: try PolicyCompiler.compile(
                    document, manifest: manifest, manifestSHA256: [1], keyEncryptionKey: SymmetricKey(size: .bits256),
                    leases: table))
            gateway.streams = [.init(number: UInt64(self.gateways.count + 1), process: 1)]
            self.gateways.append(gateway)
        }
        for index in 0..<16 {
            self.agents.append(
                Agent(gateway: index % 3, next: self.now + Int64(random.below(20_000_000)), context: 20_000))
        }
        self.random = random
    }

    private static func cost(_ bound: CostBound) -> Int64 {
        bound.prompt * Self.promptRate + bound.output * Self.outputRate
    }

    static let turns = 200

    /// Until so many requests were served or refused.
    mutating func run() -> Outcome {
        while self.outcome.served + self.outcome.denied < Self.turns || !self.running.isEmpty {
            self.now += 100_000
            self.finish()
            for index in self.agents.indices where self.agents[index].next <= self.now {
                if self.outcome.served + self.outcome.denied < Self.turns { self.ask(index) }
            }
            for index in self.gateways.indices { self.renew(index) }
        }
        return self.outcome
    }

    private mutating func ask(_ agent: Int) {
        let gateway = self.gateways[self.agents[agent].gateway]
        let bytes = self.agents[agent].context * 4
        // Nine of ten answers are a tool call or a short text; one is a file.
        let output = Int64(self.random.chance(10) ? 1000 + self.random.below(4000) : 50 + self.random.below(600))
        var work = SimulatedWork(
            bodyBytes: bytes, prompt: self.agents[agent].context, most: 32_000, output: output, hidden: 0,
            streams: true)
        let reservation = SimulatedReservation()
        var growth = gateway.learned.growth(work, self.key)
        var verdict = self.wait(work, growth, reservation, agent)
        if case .refused = verdict, let most = self.fitting(work, growth, gateway) {
            work = SimulatedWork(
                bodyBytes: bytes, prompt: work.prompt, most: most, output: min(output, most), hidden: 0, streams: true)
            growth = gateway.learned.growth(work, self.key)
            verdict = self.wait(work, growth, reservation, agent)
            if case .admitted = verdict { self.outcome.shortened += 1 }
        }
        guard case .admitted = verdict else {
            self.outcome.denied += 1
            self.agents[agent].next = self.now + 5_000_000
            return
        }
        self.outcome.served += 1
        // Half a second to the first token, then 80 a second.
        let ends = self.now + 500_000 + work.output * 12_500
        self.running.append(
            Running(
                agent: agent, work: work, reservation: reservation, began: self.now + 500_000, ends: ends,
                growth: reservation.learns ? growth : .none))
        self.agents[agent].next = .max
    }

    /// What waits for money asks for it, and looks again within half a second.
    private mutating func wait(
        _ work: SimulatedWork, _ growth: StreamGrowth, _ reservation: SimulatedReservation, _ agent: Int
    ) -> Admission.Verdict {
        let gateway = self.gateways[self.agents[agent].gateway]
        var verdict = self.reserve(work, growth, reservation, gateway)
        for attempt in 0..<2 {
            guard case .wait = verdict else { break }
            self.now += 250_000
            self.renew(self.agents[agent].gateway)
            verdict = self.reserve(work, growth, reservation, gateway, away: attempt == 1)
        }
        return verdict
    }

    private mutating func reserve(
        _ work: SimulatedWork, _ growth: StreamGrowth, _ reservation: SimulatedReservation,
        _ gateway: SimulatedGateway, away: Bool = false
    ) -> Admission.Verdict {
        reservation.reserve(
            CostEstimate(bound: NanoUSD(Self.cost(work.bound)), learned: NanoUSD(Self.cost(growth.reserved))),
            BudgetPath(gateway.policy, key: 0, model: 0), gateway.table, now: Timestamp(microseconds: self.now),
            uptime: gateway.uptime(self.now), away: away)
    }

    /// What of the answer there is money for, as the gateway's request path finds it out.
    private func fitting(_ work: SimulatedWork, _ growth: StreamGrowth, _ gateway: SimulatedGateway) -> Int64? {
        let cost = CostEstimate(
            bound: NanoUSD(Self.cost(work.bound)), learned: NanoUSD(Self.cost(growth.reserved)))
        guard
            let room = Admission.room(
                for: cost, of: BudgetPath(gateway.policy, key: 0, model: 0), in: gateway.table,
                now: Timestamp(microseconds: self.now))
        else { return nil }
        let output = (room.bound - work.bound.prompt * Self.promptRate) / Self.outputRate
        return output >= 256 ? min(output, work.most) : nil
    }

    private mutating func finish() {
        var going: [Running] = []
        for var request in self.running {
            let produced = min(
                request.work.output,
                max(0, request.work.output * (self.now - request.began) / (request.ends - request.began)))
            let gateway = self.gateways[self.agents[request.agent].gateway]
            let text = request.work.text(produced)
            if text >= request.growth.nextLook {
                let next = request.growth.next(text)
                if request.reservation.grow(
                    to: NanoUSD(Self.cost(next)), BudgetPath(gateway.policy, key: 0, model: 0), gateway.table,
                    uptime: gateway.uptime(self.now), away: false)
                {
                    request.growth.grow(to: next)
                } else if request.growth.stay(at: text) {
                    self.outcome.cut += 1
                    self.settle(request, produced: produced)
                    continue
                }
            }
            if request.ends <= self.now {
                gateway.learned.note(request.work, self.key)
                self.settle(request, produced: request.work.output)
            } else {
                going.append(request)
            }
        }
        self.running = going
    }

    private mutating func settle(_ request: Running, produced: Int64) {
        let cost = request.work.prompt * Self.promptRate + produced * Self.outputRate
        let index = self.agents[request.agent].gateway
        self.outcome.spent += cost
        self.gateways[index].streams[0].closed.append((request.reservation.charges, cost))
        request.reservation.settle(cost, self.gateways[index].table)
        // It reads what it was told, and goes on with more context, or begins anew.
        self.agents[request.agent].context =
            self.agents[request.agent].context > 120_000 ? 20_000 : self.agents[request.agent].context + produced + 1500
        self.agents[request.agent].next = self.now + Int64(1_000_000 + self.random.below(6_000_000))
    }

    private mutating func renew(_ index: Int) {
        let uptime = self.gateways[index].uptime(self.now)
        let now = Timestamp(microseconds: self.now)
        self.gateways[index].book.collect(uptime: uptime)
        if let request = self.gateways[index].book.request(uptime: uptime, settled: []) {
            let reply = self.bank.renew(request, process: 1, now: now)
            self.gateways[index].book.apply(reply, to: request, sentAt: uptime, uptime: uptime)
        }
        let stream = self.gateways[index].streams[0]
        guard stream.acknowledged < stream.closed.count else { return }
        self.gateways[index].streams[0].acknowledged = self.bank.ingest(
            Array(stream.closed[stream.acknowledged...]), from: stream.acknowledged + 1, stream: stream.number,
            gateway: self.gateways[index].id, process: 1, now: now)
    }
}
