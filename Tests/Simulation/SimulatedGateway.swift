import DataPlane
import Shared
import Synchronization
import TestKit

/// One gateway: the product's lease table, book and admission, a spool that survives a kill, and what is under way.
///
/// What it is told and when is the simulation's.
struct SimulatedGateway {
    struct Request {
        var reservation: SimulatedReservation
        let entry: Int
        let work: SimulatedWork
        let began: Int64
        let ends: Int64
        var growth: StreamGrowth
        /// What its answer had produced when it was cut; nil while it goes on.
        var cutAt: Int64?
    }

    /// One process's stream as it is on the disk.
    struct Stream {
        let number: UInt64
        let process: UInt64
        /// With what each request is recorded if the process ends before it does.
        var entries: [(charges: [Charge], open: Int64, cost: Int64?)] = []
        /// Closed entries in the order in which they were closed.
        var closed: [(charges: [Charge], cost: Int64)] = []
        var acknowledged = 0
    }

    let id: GatewayID
    /// How fast its clocks run.
    let rate: Double
    var table = LeaseTable()
    var learned = SimulatedLearning()
    var book: LeaseBook
    var process: UInt64
    var policy: PolicyIndex
    var streams: [Stream] = []
    var requests: [Request] = []
    /// What requests of the process cost beyond what they had reserved.
    var excess: [Charge: Int64] = [:]
    var isDown = false
    var pausedUntil: Int64 = 0
    var partitionedUntil: Int64 = 0
    /// The renewal that is under way: nothing else is sent before it ends.
    var pending: (request: LeaseRequest, sentAt: UInt64, expires: Int64)?
    var retryAt: Int64 = 0

    /// Nanoseconds of its boot clock at a true time in microseconds.
    func uptime(_ now: Int64) -> UInt64 { UInt64(Double(now) * 1000 * self.rate) + 1 }
}

/// What a request is truly like, in tokens; each costs one nano-USD.
struct SimulatedWork {
    let bodyBytes: Int64
    let prompt: Int64
    /// What its answer may have.
    let most: Int64
    let output: Int64
    /// Tokens that are not seen in its text, of each that is.
    let hidden: Int64
    let streams: Bool

    /// Every token is at least one byte.
    var bound: CostBound { CostBound(prompt: self.bodyBytes, output: self.most) }

    static func cost(_ bound: CostBound) -> Int64 { bound.prompt + bound.output }

    /// Bytes of text that were seen when so many tokens were produced: three of each.
    func text(_ produced: Int64) -> Int64 { produced / (1 + self.hidden) * 3 }
}

/// What a gateway learned, in a class, because values in arrays cannot be noncopyable.
final class SimulatedLearning {
    private var value = LearnedUse()
    private let model: ModelID

    init() { self.model = ModelID(UUIDValue(high: 1, low: 1)) }

    func growth(_ work: SimulatedWork, _ key: VirtualKeyID) -> StreamGrowth {
        let figures = self.value.figures(key, self.model)
        return StreamGrowth(
            reserved: figures.expected(within: work.bound, bodyBytes: work.bodyBytes), most: work.most,
            perKiB: Int64(figures.outputPerKiB))
    }

    func note(_ work: SimulatedWork, _ key: VirtualKeyID) {
        self.value.note(
            .init(
                output: work.output, input: work.prompt, bodyBytes: work.bodyBytes,
                textBytes: work.streams ? work.text(work.output) : 0),
            key, self.model)
    }
}

/// A reservation in a class, because values in arrays cannot be noncopyable.
final class SimulatedReservation {
    private var value = Reservation()

    func reserve(
        _ cost: CostEstimate, _ path: BudgetPath, _ table: LeaseTable, now: Timestamp, uptime: UInt64, away: Bool
    ) -> Admission.Verdict {
        Admission.reserve(
            cost, of: path, in: table, now: now, uptime: uptime, away: away, &self.value)
    }

    var charges: [Charge] {
        var charges: [Charge] = []
        for index in 0..<self.value.count {
            if let charge = Charge(value: self.value.charges[index]) { charges.append(charge) }
        }
        return charges
    }

    /// Raises what is reserved where it is learned; false when there is not so much.
    func grow(
        to learned: NanoUSD, _ path: BudgetPath, _ table: LeaseTable, uptime: UInt64, away: Bool
    ) -> Bool {
        Admission.grow(to: learned, of: path, in: table, uptime: uptime, away: away, &self.value) == nil
    }

    var learns: Bool { self.value.learns }
    var holdsBound: Bool { self.value.holdsBound }

    /// What is free of each hard account; less than nothing when more is reserved or spent than there is.
    func free(_ table: LeaseTable) -> [(charge: Charge, amount: Int64)] {
        var result: [(Charge, Int64)] = []
        for (index, charge) in self.charges.enumerated() {
            _ = table.withSlot(self.value.slot(index)) { slot in
                if slot.isHard.load(ordering: .relaxed) == 1 { result.append((charge, slot.free)) }
            }
        }
        return result
    }

    /// What of a cost is beyond what was reserved, of each account.
    func excess(of cost: Int64) -> [(charge: Charge, amount: Int64)] {
        self.charges.enumerated().map { ($0.element, max(0, cost - self.value.reserved($0.offset))) }
    }

    func settle(_ cost: Int64, _ table: LeaseTable) { self.value.settle(NanoUSD(cost), in: table) }
}
