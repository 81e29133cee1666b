import DataPlane
import Shared
import Synchronization

/// A control plane that does nothing but grant money of budgets and units of rate limits, up to what a test says.
final class TestBank: Sendable {
    private struct State {
        var book: LeaseBook
        var limits: [UInt32: Int64] = [:]
        var granted: [Charge: Int64] = [:]
        var asks: [Charge: LeaseAsk] = [:]
        var rates: RateLimitBook
        var units: [UInt32: Int64] = [:]
        var granules: [UInt32: Int64] = [:]
        var loops: RequestLoops?
        var isSilent = false
        var uptime: UInt64 = 1
    }

    let table = LeaseTable()
    private let state: Mutex<State>

    /// - Parameters:
    ///   - limits: what there is of each budget, by its number from 1 on.
    ///   - units: what there is of each rate limit, likewise; none flow in.
    init(_ limits: [UInt32: Int64] = [:], units: [UInt32: Int64] = [:]) {
        var state = State(
            book: LeaseBook(table: self.table, gateway: TimeSource.system.newID()),
            rates: RateLimitBook(table: self.table.rates))
        state.limits = limits
        state.units = units
        self.state = Mutex(state)
    }

    func serve(_ loops: RequestLoops) { self.state.withLock { $0.loops = loops } }

    /// Says nothing from now on, or again something.
    func setSilent(_ isSilent: Bool) { self.state.withLock { $0.isSilent = isSilent } }

    func setLimit(_ limit: Int64, of budget: UInt32) { self.state.withLock { $0.limits[budget] = limit } }

    func setUnits(_ units: Int64, of limit: UInt32) { self.state.withLock { $0.units[limit] = units } }

    func askSoon() {
        Task {
            guard let loops = self.renew() else { return }
            await loops.resumeParked()
        }
    }

    /// What the gateway says of an account now.
    func lastAsk(of budget: UInt32) -> LeaseAsk? {
        self.state.withLock { $0.uptime += LeaseBook.renewal }
        _ = self.renew()
        return self.state.withLock { $0.asks.first { $0.key.budget == budget }?.value }
    }

    /// One renewal; nil while it is silent.
    private func renew() -> RequestLoops? {
        self.state.withLock { state -> RequestLoops? in
            guard !state.isSilent else { return nil }
            let uptime = TimeSource.system.uptime() + state.uptime
            state.book.collect(uptime: uptime)
            state.rates.collect(uptime: uptime)
            let shares = state.rates.asks(uptime: uptime)
            guard let request = state.book.request(uptime: uptime, shares: shares) else { return state.loops }
            var reply = LeaseReply(request: [], grants: [])
            for ask in shares {
                let held = state.granules[ask.limit, default: 0] - ask.returned + ask.borrowed
                let rest = max(0, (state.units[ask.limit] ?? 0) * BucketRate.granules - held)
                state.granules[ask.limit, default: 0] += min(rest, ask.need)
                var grant = ShareGrant(limit: ask.limit)
                grant.granted = state.granules[ask.limit] ?? 0
                grant.left = max(0, rest - ask.need)
                reply.shares.append(grant)
            }
            for ask in request.asks {
                state.asks[ask.account] = ask
                let held = (state.granted[ask.account] ?? 0) - ask.returned
                let rest = max(0, (state.limits[ask.account.budget] ?? 0) - held)
                let more = min(rest, ask.need)
                state.granted[ask.account, default: 0] += more
                var grant = LeaseGrant(account: ask.account)
                grant.granted = state.granted[ask.account] ?? 0
                grant.left = rest - more
                reply.grants.append(grant)
            }
            state.book.apply(reply, to: request, sentAt: uptime, uptime: TimeSource.system.uptime())
            state.rates.apply(reply.shares, to: shares, sentAt: uptime, uptime: TimeSource.system.uptime())
            return state.loops
        }
    }
}
