import ControlPlane
import Crypto
import DataPlane
import Shared

/// One history of gateways that share rate limits while everything fails that can: one clock, one seed.
///
/// Real are the table, the book, the admission and the rule of sharing; simulated are the database, the network and the
/// clients. Held against a bucket that fills at the whole rate and that every request of every gateway is taken from: it
/// never lacks a unit. Requests at the same time never are more than there may be.
struct ShareSimulation {
    struct Violation: Error, CustomStringConvertible {
        let description: String
    }

    private struct Gateway {
        let id: GatewayID
        /// How fast its clock runs.
        let speed: Double
        var process: UInt64
        var table: LeaseTable
        var book: RateLimitBook
        var policy: PolicyIndex
        var requests: [(reservation: SimulatedRates, ends: Int64, use: RateUse)] = []
        var pending: (asks: [ShareAsk], sequence: Int64, sentAt: UInt64, expires: Int64)?
        var sequence: Int64 = 0
        var isAway = false
        var isDown = false
        var cutOffUntil: Int64 = 0
        /// What earlier processes of it had goes with the next renewal.
        var ended: [UInt64] = []

        func uptime(_ now: Int64) -> UInt64 { UInt64(Double(now) * 1000 * self.speed) + 1 }
    }

    private struct Share {
        var state = ShareState()
        var renewedAt: Timestamp
    }

    private enum Event {
        case asks(gateway: Int, process: UInt64, [ShareAsk], sequence: Int64, ended: [UInt64])
        case grants(gateway: Int, process: UInt64, [ShareGrant], sequence: Int64)
    }

    private var random: SimulationRandom
    private var now: Int64 = 1_700_000_000_000_000
    private var gateways: [Gateway] = []
    private var events: [(time: Int64, order: Int, event: Event)] = []
    private var order = 0
    private var nextProcess: UInt64 = 1
    private var controlDownUntil: Int64 = 0
    /// Nothing fails any more.
    private var isHealed = false
    /// Minutes instead of seconds pass, and one gateway at a time asks for all there is: what flowed in while nobody
    /// asked counts more than what was there.
    private let isLong: Bool
    private var active = 0
    private var activeUntil: Int64 = 0
    private let document: SnapshotDocument
    private let rates: [UInt32: BucketRate]
    private var pools: [UInt32: SharePool] = [:]
    private var shares: [UInt32: [UInt64: Share]] = [:]
    /// What a single bucket at the whole rate would have, in units times `whole`: it loses nothing by rounding.
    private var reference: Int128
    private var referenceAt: Int64
    private(set) var admitted = 0
    private(set) var refused = 0
    private(set) var faults = 0

    private static let rateNumber: UInt32 = 1
    private static let placesNumber: UInt32 = 2

    init(seed: UInt64) throws {
        var random = SimulationRandom(seed: seed)
        let organization: NodeID = random.id()
        let project: NodeID = random.id()
        let key: VirtualKeyID = random.id()
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
        self.isLong = seed % 4 == 1
        let amount = Int64(1 << random.below(self.isLong ? 7 : 12))
        let period: RateLimitPeriod = self.isLong ? .minute : random.pick([.second, .minute, .minute, .hour])
        let burst = max(1, random.chance(2) ? amount : amount / 4 + 1)
        guard let rate = BucketRate(amount: amount, per: period, burst: burst),
            let places = BucketRate(amount: self.isLong ? 1000 : Int64(1 + random.below(12)), per: nil, burst: 1)
        else { throw Violation(description: "no rate") }
        self.rates = [Self.rateNumber: rate, Self.placesNumber: places]
        document.rateLimits = [
            RateLimitRow(
                id: random.id(), number: Self.rateNumber, subject: .node(project), meter: .requests, rate: rate,
                away: .deny),
            RateLimitRow(
                id: random.id(), number: Self.placesNumber, subject: .key(key), meter: .concurrentRequests,
                rate: places,
                away: .deny),
        ]
        self.document = document
        self.reference = Int128(burst) * Self.whole(rate)
        self.referenceAt = self.now
        self.random = random
        for _ in 0..<(1 + self.random.below(4)) {
            let table = LeaseTable()
            self.gateways.append(
                Gateway(
                    id: self.random.id(), speed: 0.99 + Double(self.random.below(2001)) / 100_000, process: 0,
                    table: table, book: RateLimitBook(table: table.rates), policy: .empty))
        }
        for index in self.gateways.indices { try self.start(index) }
    }

    private static func whole(_ rate: BucketRate) -> Int128 { Int128(rate.period?.seconds ?? 1) * 1_000_000 }

    private mutating func start(_ index: Int) throws {
        let table = LeaseTable()
        self.gateways[index].table = table
        self.gateways[index].book = RateLimitBook(table: table.rates)
        self.gateways[index].process = self.nextProcess
        self.gateways[index].pending = nil
        self.gateways[index].isDown = false
        self.gateways[index].isAway = false
        self.gateways[index].sequence = 0
        self.nextProcess += 1
        let manifest = Manifest(
            deployment: self.random.id(), group: self.random.id(), version: SnapshotVersion(epoch: 1, version: 1),
            created: Timestamp(microseconds: 0), previous: [], keyringEpoch: 1, limits: .init(), chunks: [])
        self.gateways[index].policy = try PolicyCompiler.compile(
            self.document, manifest: manifest, manifestSHA256: [1], keyEncryptionKey: SymmetricKey(size: .bits256),
            leases: table)
    }

    // MARK: Running

    mutating func run() throws {
        for _ in 0..<(200 + self.random.below(400)) {
            let step = self.isLong ? 3_000_000 : self.random.chance(30) ? 60_000_000 : 300_000
            self.now += Int64(self.random.below(step) + 1)
            if self.isLong, self.activeUntil < self.now {
                // Or nobody.
                self.active = self.random.below(self.gateways.count + 1)
                self.activeUntil = self.now + Int64(self.random.below(240_000_000))
            }
            try self.fail()
            self.deliver()
            for index in self.gateways.indices where !self.gateways[index].isDown {
                self.finish(index)
                let isIdle = self.isLong && self.active != index
                for _ in 0..<self.random.below(8) where !isIdle { try self.request(index) }
                self.keep(index)
            }
            try self.check()
        }
        try self.heal()
    }

    private mutating func fail() throws {
        guard self.random.chance(12) else { return }
        let index = self.random.below(self.gateways.count)
        self.faults += 1
        switch self.random.below(5) {
        case 0:
            self.end(index)
            self.gateways[index].isDown = true
        case 1 where self.gateways[index].isDown: try self.start(index)
        case 2: self.gateways[index].cutOffUntil = self.now + Int64(self.random.below(300_000_000))
        case 3: self.controlDownUntil = self.now + Int64(self.random.below(40_000_000))
        default: self.faults -= 1
        }
    }

    /// Killed: what it had under way is over.
    private mutating func end(_ index: Int) {
        guard !self.gateways[index].isDown else { return }
        for request in self.gateways[index].requests {
            request.reservation.settle(.none, self.gateways[index].table.rates)
        }
        self.gateways[index].requests = []
        self.gateways[index].ended.append(self.gateways[index].process)
    }

    /// Ends every reservation, so that none is lost where the history ends early.
    mutating func abandon() { for index in self.gateways.indices { self.end(index) } }

    private mutating func finish(_ index: Int) {
        let now = self.now
        for request in self.gateways[index].requests where request.ends <= now {
            request.reservation.settle(request.use, self.gateways[index].table.rates)
        }
        self.gateways[index].requests.removeAll { $0.ends <= now }
    }

    private mutating func request(_ index: Int) throws {
        let reservation = SimulatedRates()
        let gateway = self.gateways[index]
        let verdict = reservation.reserve(
            RateLimitPath(gateway.policy, key: 0, model: -1), gateway.table.rates, uptime: gateway.uptime(self.now),
            away: gateway.isAway)
        guard case .admitted = verdict else {
            self.refused += 1
            return
        }
        self.admitted += 1
        self.gateways[index].requests.append(
            (reservation, self.now + Int64(self.random.below(5_000_000)), RateUse(requests: 1)))
        try self.take()
    }

    /// Takes a request from the bucket that all share in truth.
    private mutating func take() throws {
        guard let rate = self.rates[Self.rateNumber] else { return }
        let whole = Self.whole(rate)
        // A gateway's clock that runs 1 % fast lets 1 % more in.
        let flowed = Int128(self.now - self.referenceAt) * Int128(rate.amount) * 101 / 100
        self.reference = min(Int128(rate.burst) * whole, self.reference + flowed) - whole
        self.referenceAt = self.now
        guard self.reference >= -whole else {
            throw Violation(description: "a request more than \(rate) lets through, at \(self.now)")
        }
    }

    private func check() throws {
        guard let places = self.rates[Self.placesNumber] else { return }
        let open = self.gateways.reduce(0) { $0 + $1.requests.count }
        guard open <= places.amount else {
            throw Violation(description: "\(open) requests at the same time, \(places.amount) may be")
        }
        for (number, shares) in self.shares {
            let live = shares.values.filter {
                $0.renewedAt.microseconds > self.now - ShareRules.silentSeconds * 1_000_000
            }
            let sum = live.reduce(0) { $0 + $1.state.share }
            guard sum <= BucketRate.parts else {
                throw Violation(description: "\(sum) parts of limit \(number) are given away")
            }
        }
    }

    // MARK: Asking

    private mutating func keep(_ index: Int) {
        let uptime = self.gateways[index].uptime(self.now)
        self.gateways[index].book.collect(uptime: uptime)
        if let pending = self.gateways[index].pending {
            guard pending.expires <= self.now else { return }
            self.gateways[index].pending = nil
            self.gateways[index].isAway = true
        }
        let asks = self.gateways[index].book.asks(uptime: uptime)
        guard !asks.isEmpty || !self.gateways[index].ended.isEmpty else { return }
        self.gateways[index].sequence += 1
        let gateway = self.gateways[index]
        self.gateways[index].pending = (asks, gateway.sequence, uptime, self.now + 10_000_000)
        self.send(
            .asks(gateway: index, process: gateway.process, asks, sequence: gateway.sequence, ended: gateway.ended),
            isCut: gateway.cutOffUntil > self.now)
    }

    private mutating func send(_ event: Event, isCut: Bool) {
        guard !self.isHealed else {
            self.order += 1
            self.events.append((self.now + 500, self.order, event))
            return
        }
        guard !isCut, !self.random.chance(15) else { return }
        for _ in 0..<(self.random.chance(20) ? 2 : 1) {
            self.order += 1
            let delay = self.random.chance(10) ? self.random.below(20_000_000) : self.random.below(50_000)
            self.events.append((self.now + Int64(delay), self.order, event))
        }
    }

    private mutating func deliver() {
        while let next = self.events.filter({ $0.time <= self.now }).min(by: {
            ($0.time, $0.order) < ($1.time, $1.order)
        }) {
            self.events.removeAll { $0.order == next.order }
            switch next.event {
            case .asks(let index, let process, let asks, let sequence, let ended):
                guard self.controlDownUntil <= self.now else { continue }
                for limit in self.shares.keys { self.close(ended, of: limit) }
                let grants = asks.compactMap { self.renew($0, process: process, sequence: sequence) }
                self.send(
                    .grants(gateway: index, process: process, grants, sequence: sequence),
                    isCut: self.gateways[index].cutOffUntil > self.now)
            case .grants(let index, let process, let grants, let sequence):
                guard !self.gateways[index].isDown, self.gateways[index].process == process,
                    let pending = self.gateways[index].pending, pending.sequence == sequence
                else { continue }
                self.gateways[index].pending = nil
                self.gateways[index].isAway = false
                self.gateways[index].ended = []
                self.gateways[index].book.apply(
                    grants, to: pending.asks, sentAt: pending.sentAt, uptime: self.gateways[index].uptime(self.now))
            }
        }
    }

    private mutating func close(_ ended: [UInt64], of limit: UInt32) {
        guard let rate = self.rates[limit], var pool = self.pools[limit],
            ended.contains(where: { self.shares[limit]?[$0] != nil })
        else { return }
        ShareRules.settle(
            &pool, of: rate, others: self.others(of: limit, but: nil), now: Timestamp(microseconds: self.now))
        self.pools[limit] = pool
        for process in ended { self.shares[limit]?[process] = nil }
    }

    private func others(of limit: UInt32, but process: UInt64?) -> ShareOthers {
        let now = Timestamp(microseconds: self.now)
        let heard = now.adding(seconds: -ShareRules.silentSeconds)
        let lately = now.adding(seconds: -ShareRules.sharingSeconds)
        var others = ShareOthers()
        for (other, known) in self.shares[limit] ?? [:] {
            if known.renewedAt <= heard {
                guard known.state.share > 0 else { continue }
                let since = known.renewedAt.adding(seconds: ShareRules.silentSeconds)
                others.silentSince = max(others.silentSince ?? since, since)
            } else if other != process {
                others.shares += known.state.share
                others.fresh += known.state.fresh
                others.held += known.state.granted - known.state.returned
                if known.renewedAt > lately, known.state.want > 0 { others.wants.append(known.state.want) }
            }
        }
        return others
    }

    /// What the database and the rule do with an ask.
    private mutating func renew(_ ask: ShareAsk, process: UInt64, sequence: Int64) -> ShareGrant? {
        guard let rate = self.rates[ask.limit] else { return nil }
        let now = Timestamp(microseconds: self.now)
        var pool = self.pools[ask.limit] ?? SharePool(granules: rate.capacity, filledAt: now)
        var share = self.shares[ask.limit]?[process] ?? Share(renewedAt: now)
        share.state.isSilent = share.renewedAt <= now.adding(seconds: -ShareRules.silentSeconds)
        let others = self.others(of: ask.limit, but: process)
        let grant = ShareRules.renew(
            &share.state, &pool, ask, sequence: sequence, of: rate, others: others, isFrozen: false, now: now)
        share.renewedAt = now
        self.pools[ask.limit] = pool
        self.shares[ask.limit, default: [:]][process] = share
        return grant
    }

    // MARK: The end

    /// Everything works again: one gateway alone gets the whole rate, and nothing is kept when nobody asks any more.
    private mutating func heal() throws {
        self.controlDownUntil = 0
        self.isHealed = true
        for index in self.gateways.indices {
            self.gateways[index].cutOffUntil = 0
            if self.gateways[index].isDown { try self.start(index) }
        }
        guard let rate = self.rates[Self.rateNumber] else { return }
        // Until nobody is asked for any more what others had.
        for _ in 0..<400 {
            self.now += 500_000
            self.deliver()
            for index in self.gateways.indices {
                self.finish(index)
                self.keep(index)
            }
        }
        for (number, shares) in self.shares {
            let left = shares.values.filter { $0.renewedAt.microseconds > self.now - 30_000_000 }
            guard left.allSatisfy({ $0.state.share == 0 }) else {
                throw Violation(description: "shares of limit \(number) are kept: \(left)")
            }
        }
        guard let places = self.rates[Self.placesNumber] else { return }
        // What killed processes had is lost, and flows in anew.
        self.now += Int64(Int128(rate.burst) * Self.whole(rate) / Int128(rate.amount))
        self.advance(30_000_000)
        var served = 0
        let begin = self.now
        // Twice what would be let through, evenly, one after the other.
        let gap = max(1, Int64(Self.whole(rate)) / rate.amount / 2)
        let count = Int(min(rate.burst + 40, 400))
        for _ in 0..<count {
            // Each asks again for a moment, as a waiting request does.
            for _ in 0..<6 {
                let before = self.admitted
                try self.request(0)
                if self.admitted > before {
                    served += 1
                    break
                }
                self.advance(min(gap, 100_000))
            }
            self.advance(gap)
            try self.check()
        }
        let flowed = Int128(self.now - begin) * Int128(rate.amount) / Self.whole(rate)
        let possible = min(Int128(count), Int128(rate.burst) + flowed)
        // It may take a few asks until all of it is here; what flows meanwhile is not lost but for the burst.
        // Where the bucket holds one or two, what flows while it is full is lost.
        let part: Int128 = rate.burst > 2 ? 8 : 5
        guard Int128(served) * 10 >= possible * part - 40, served > 0 else {
            throw Violation(
                description: "alone, \(served) of \(possible) requests were served at \(rate), \(places.amount) at once"
            )
        }
        self.abandon()
    }

    /// Lets time pass as it does for a keeper: it looks ever so often, and requests end.
    private mutating func advance(_ time: Int64) {
        let end = self.now + time
        while self.now < end {
            self.now = min(end, self.now + 5_000_000)
            self.deliver()
            for index in self.gateways.indices {
                for request in self.gateways[index].requests {
                    request.reservation.settle(request.use, self.gateways[index].table.rates)
                }
                self.gateways[index].requests = []
                self.keep(index)
            }
            self.now += 1000
            self.deliver()
        }
    }
}

/// A reservation in a class, because values in arrays cannot be noncopyable.
final class SimulatedRates {
    private var value = RateReservation()

    func reserve(_ path: RateLimitPath, _ table: RateLimitTable, uptime: UInt64, away: Bool) -> Admission.Verdict {
        RateLimiting.reserve(
            RateDemand(inputBound: 1, usualInput: 1, outputBound: 1), of: path, in: table, uptime: uptime, away: away,
            &self.value)
    }

    func settle(_ use: RateUse, _ table: RateLimitTable) { self.value.settle(use, in: table) }
}
