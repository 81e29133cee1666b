import ControlPlane
import Shared

/// The control plane's side of leases as a value: what the database holds, and the product's rule over it.
///
/// `LeaseStoreTests` holds it equal to what the SQL does.
struct SimulatedBank {
    struct Holder: Hashable, Comparable {
        let gateway: GatewayID
        let process: UInt64

        static func < (left: Self, right: Self) -> Bool {
            (left.gateway, left.process) < (right.gateway, right.process)
        }
    }

    struct Lease {
        var state = LeaseState()
        var renewedAt: Timestamp
    }

    /// What had been settled by an instant.
    struct Checkpoint: Equatable {
        var takenAt: Timestamp
        var settled: Int64
    }

    struct Account {
        var limit: Int64
        var isHard: Bool
        var leases: [Holder: Lease] = [:]
        var frozenUntil: Timestamp?
        var sharers = LeaseSharers()
        /// Of a rolling budget, by their steps.
        var checkpoints: [Int64: Checkpoint] = [:]

        /// What had left the window by an instant, all told.
        func passed(_ window: RollingWindow, at now: Timestamp) -> Int64 {
            self.newest(by: window.cutoff(at: now), window).flatMap { self.checkpoints[$0]?.settled } ?? 0
        }

        private func newest(by instant: Timestamp, _ window: RollingWindow) -> Int64? {
            let last = window.step(of: instant)
            return self.checkpoints.filter { $0.key <= last && $0.value.takenAt <= instant }.map(\.key).max()
        }

        mutating func check(_ window: RollingWindow, at now: Timestamp) {
            let step = window.step(of: now)
            self.checkpoints = self.checkpoints.filter { $0.key <= step }
            if let known = self.checkpoints[step] {
                self.checkpoints[step] = Checkpoint(takenAt: max(known.takenAt, now), settled: self.settled)
                return
            }
            self.checkpoints[step] = Checkpoint(takenAt: now, settled: self.settled)
            let oldest = self.newest(by: window.keptSince(at: now), window) ?? .min
            self.checkpoints = self.checkpoints.filter { $0.key >= oldest }
        }

        var held: Int64 { self.leases.values.reduce(0) { $0 + $1.state.held } }
        var settled: Int64 { self.leases.values.reduce(0) { $0 + $1.state.settled } }

        /// Gateways besides one that renewed lately.
        func others(than gateway: GatewayID, now: Timestamp) -> Int {
            let since = now.adding(seconds: -LeaseRules.sharingSeconds)
            return Set(
                self.leases.filter {
                    $0.key.gateway != gateway && $0.value.state.phase == .open && $0.value.renewedAt > since
                }.map(\.key.gateway)
            ).count
        }
    }

    private(set) var accounts: [Charge: Account] = [:]
    /// The last number that is stored of each stream.
    private(set) var watermarks: [UInt64: Int] = [:]
    /// Limits by the number of the budget.
    var budgets: [UInt32: (limit: Int64, isHard: Bool)] = [:]
    /// The windows of those budgets that roll.
    var rolling: [UInt32: RollingWindow] = [:]
    var frozenUntil: Timestamp?
    /// Accounts whose money changed since they were last looked at.
    private var unseen: Set<Charge> = []

    mutating func renew(_ request: LeaseRequest, process: UInt64, now: Timestamp) -> LeaseReply {
        let caller = Holder(gateway: request.gateway, process: process)
        for account in self.accounts.keys {
            for (holder, lease) in self.accounts[account]?.leases ?? [:]
            where holder.gateway == request.gateway && holder.process != process
                && request.settled.contains(holder.process) && lease.state.phase != .closed
            {
                self.accounts[account]?.leases[holder]?.state.close()
            }
        }
        var reply = LeaseReply(request: [], grants: [])
        for ask in request.asks {
            guard let budget = self.budgets[ask.account.budget] else {
                var grant = LeaseGrant(account: ask.account)
                grant.granted = ask.granted
                grant.isUnknown = true
                reply.grants.append(grant)
                continue
            }
            var account = self.accounts[ask.account] ?? Account(limit: budget.limit, isHard: budget.isHard)
            account.limit = budget.limit
            if let window = self.rolling[ask.account.budget] { account.limit += account.passed(window, at: now) }
            var lease = account.leases[caller] ?? Lease(renewedAt: now)
            account.sharers.renew(lease.state, renewedAt: lease.renewedAt, now: now)
            if account.sharers.isDue(now: now) {
                account.sharers.counted(others: account.others(than: caller.gateway, now: now), now: now)
            }
            let frozen = [account.frozenUntil, self.frozenUntil].contains { $0.map { now < $0 } ?? false }
            let (grant, showsLoss) = LeaseRules.renew(
                &lease.state, ask, sequence: request.sequence,
                of: LeaseAccount(
                    limit: account.limit, held: account.held, gateways: account.sharers.count,
                    isFrozen: frozen || !account.isHard))
            if showsLoss { account.frozenUntil = now.adding(seconds: LeaseRules.freezeSeconds) }
            lease.renewedAt = max(lease.renewedAt, now)
            account.leases[caller] = lease
            self.accounts[ask.account] = account
            reply.grants.append(grant)
        }
        var unsettled: Set<UInt64> = []
        for account in self.accounts.values {
            for (holder, lease) in account.leases
            where holder.gateway == request.gateway && holder.process != process && lease.state.phase != .closed {
                unsettled.insert(holder.process)
            }
        }
        reply.unsettled = unsettled.sorted()
        return reply
    }

    /// Takes records that begin right after what is stored; returns the last number that is.
    mutating func ingest(
        _ records: [(charges: [Charge], cost: Int64)], from: Int, stream: UInt64, gateway: GatewayID, process: UInt64,
        now: Timestamp
    ) -> Int {
        let last = self.watermarks[stream] ?? 0
        guard from == last + 1 else { return last }
        let holder = Holder(gateway: gateway, process: process)
        for record in records {
            for charge in Set(record.charges) {
                guard let budget = self.budgets[charge.budget] else { continue }
                var account = self.accounts[charge] ?? Account(limit: budget.limit, isHard: budget.isHard)
                var lease = account.leases[holder] ?? Lease(renewedAt: now)
                lease.state.settled += record.cost
                account.leases[holder] = lease
                self.accounts[charge] = account
                if record.cost != 0 { self.unseen.insert(charge) }
            }
        }
        self.watermarks[stream] = last + records.count
        return last + records.count
    }

    /// Takes the checkpoints of accounts whose money changed.
    mutating func look(now: Timestamp) {
        for charge in self.unseen {
            if let window = self.rolling[charge.budget] { self.accounts[charge]?.check(window, at: now) }
        }
        self.unseen = []
    }

    /// Marks leases of processes that say nothing any more.
    mutating func suspend(now: Timestamp) {
        let before = now.adding(seconds: -LeaseRules.reclaimSeconds)
        for account in self.accounts.keys {
            for (holder, lease) in self.accounts[account]?.leases ?? [:]
            where lease.state.phase == .open && lease.renewedAt < before {
                self.accounts[account]?.leases[holder]?.state.phase = .suspense
            }
        }
    }
}
