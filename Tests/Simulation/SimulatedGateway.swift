import DataPlane
import Shared
import TestKit

/// One gateway: the product's lease table, book and admission, a spool that survives a kill, and what is under way.
///
/// What it is told and when is the simulation's.
struct SimulatedGateway {
    struct Request {
        var reservation: SimulatedReservation
        let entry: Int
        let cost: Int64
        let ends: Int64
    }

    /// One process's stream as it is on the disk.
    struct Stream {
        let number: UInt64
        let process: UInt64
        var entries: [(charges: [Charge], bound: Int64, cost: Int64?)] = []
        /// Closed entries in the order in which they were closed.
        var closed: [(charges: [Charge], cost: Int64)] = []
        var acknowledged = 0
    }

    let id: GatewayID
    /// How fast its clocks run.
    let rate: Double
    var table = LeaseTable()
    var book: LeaseBook
    var process: UInt64
    var policy: PolicyIndex
    var streams: [Stream] = []
    var requests: [Request] = []
    var isDown = false
    var pausedUntil: Int64 = 0
    var partitionedUntil: Int64 = 0
    /// The renewal that is under way: nothing else is sent before it ends.
    var pending: (request: LeaseRequest, sentAt: UInt64, expires: Int64)?
    var retryAt: Int64 = 0

    /// Nanoseconds of its boot clock at a true time in microseconds.
    func uptime(_ now: Int64) -> UInt64 { UInt64(Double(now) * 1000 * self.rate) + 1 }
}

/// A reservation in a class, because values in arrays cannot be noncopyable.
final class SimulatedReservation {
    private var value = Reservation()

    func reserve(
        _ amount: NanoUSD, _ path: BudgetPath, _ table: LeaseTable, now: Timestamp, uptime: UInt64, away: Bool
    ) -> Admission.Verdict {
        Admission.reserve(
            amount, of: path, in: table, now: now, uptime: uptime, away: away, &self.value)
    }

    var charges: [Charge] {
        var charges: [Charge] = []
        for index in 0..<self.value.count {
            if let charge = Charge(value: self.value.charges[index]) { charges.append(charge) }
        }
        return charges
    }

    func settle(_ cost: Int64, _ table: LeaseTable) { self.value.settle(NanoUSD(cost), in: table) }
}
