import NIOCore
import Shared

/// Everything that belongs to one event loop: no other thread touches it, so nothing in it is locked.
final class LoopState {
    let eventLoop: any EventLoop
    let policy: PolicyCell
    let journal: UsageJournal
    let tags: TagTable
    let pool: UpstreamPool
    /// Money of budgets, shared with the other loops.
    let leases: LeaseTable
    /// How many tokens requests had lately.
    var learned = LearnedUse()
    /// Has the control plane asked for money, soon.
    let askForMoney: @Sendable () -> Void
    /// Requests that wait for money.
    private var parked: [DownstreamHandler] = []
    private var looksSoon = false
    let time: TimeSource
    let waits: Waits
    var counters = LoopCounters()
    var lag: LoopLag
    var requestIDs = RequestIDSource()
    private(set) var date: HTTPDate
    private var dateSecond: Int64
    private var random: UInt64
    /// Bytes of request bodies held, and how many may be.
    var bodyBytes = 0
    let bodyBytesLimit: Int
    /// Client connections, to end idle ones when draining.
    private var connections: [ObjectIdentifier: DownstreamHandler] = [:]
    let connectionsLimit: Int
    private(set) var isDraining = false

    init(
        eventLoop: any EventLoop, policy: PolicyCell, journal: UsageJournal, tags: TagTable, pool: UpstreamPool,
        leases: LeaseTable, askForMoney: @escaping @Sendable () -> Void, time: TimeSource,
        waits: Waits, bodyBytesLimit: Int, connectionsLimit: Int
    ) {
        self.eventLoop = eventLoop
        self.policy = policy
        self.journal = journal
        self.tags = tags
        self.pool = pool
        self.leases = leases
        self.askForMoney = askForMoney
        self.time = time
        self.waits = waits
        self.bodyBytesLimit = bodyBytesLimit
        self.connectionsLimit = connectionsLimit
        self.dateSecond = time.now().seconds
        self.date = HTTPDate(second: self.dateSecond)
        self.random = .random(in: 1 ... .max)
        self.lag = LoopLag(uptime: time.uptime())
    }

    /// The wall clock; keeps the text of the date field at the same second.
    func now() -> Timestamp {
        let now = self.time.now()
        if now.seconds != self.dateSecond {
            self.dateSecond = now.seconds
            self.date.update(second: now.seconds)
        }
        return now
    }

    /// xorshift64: for choices by weight, never for secrets.
    func nextRandom() -> UInt64 {
        self.random ^= self.random &<< 13
        self.random ^= self.random &>> 7
        self.random ^= self.random &<< 17
        return self.random
    }

    // MARK: Waiting for money

    /// Requests of one loop that wait for money at once, at most.
    static let parkedLimit = 4096

    var parkedCount: Int { self.parked.count }

    /// Has a request wait for the next word about money; false when too many do.
    ///
    /// - Parameter asks: the control plane has to be asked, else it is requests under way that may not need what they have.
    func park(_ handler: DownstreamHandler, asks: Bool) -> Bool {
        guard self.parked.count < Self.parkedLimit else { return false }
        self.parked.append(handler)
        if asks { self.askForMoney() }
        return true
    }

    /// Money of a finished request is free again: those that wait look, after what is under way now.
    func moneyIsFree() {
        guard !self.parked.isEmpty, !self.looksSoon else { return }
        self.looksSoon = true
        self.eventLoop.assumeIsolated().execute { self.resumeParked() }
    }

    /// There is word of money: those that waited for it look again.
    func resumeParked() {
        self.looksSoon = false
        let waiting = self.parked
        self.parked.removeAll(keepingCapacity: true)
        for handler in waiting { handler.lookForMoneyAgain() }
    }

    // MARK: Connections

    var connectionCount: Int { self.connections.count }

    /// False when there are too many.
    func add(_ handler: DownstreamHandler) -> Bool {
        guard self.connections.count < self.connectionsLimit, !self.isDraining else { return false }
        self.connections[ObjectIdentifier(handler)] = handler
        return true
    }

    func remove(_ handler: DownstreamHandler) { self.connections[ObjectIdentifier(handler)] = nil }

    /// Ends idle connections now, and each other one with its current answer.
    func drain() {
        self.isDraining = true
        for handler in self.connections.values { handler.drain() }
    }

    /// Ends everything that is left.
    func closeAll() {
        for handler in self.connections.values { handler.abort() }
        self.pool.closeAll()
    }
}

/// The configured times as event loops count them.
struct Waits: Sendable {
    let header: TimeAmount
    let body: TimeAmount
    let idle: TimeAmount
    let connect: TimeAmount
    let firstByte: TimeAmount
    let write: TimeAmount

    init(_ timeouts: GatewayConfig.Timeouts) {
        self.header = TimeAmount(timeouts.header)
        self.body = TimeAmount(timeouts.body)
        self.idle = TimeAmount(timeouts.idle)
        self.connect = TimeAmount(timeouts.connect)
        self.firstByte = TimeAmount(timeouts.firstByte)
        self.write = TimeAmount(timeouts.write)
    }
}
