import ControlPlane
import DataPlane
import Shared
import Synchronization

/// What must hold after each step, and at the end, when everything works again.
extension LeaseSimulation {
    mutating func check(_ place: String) throws {
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
    func allowance(_ charge: Charge) -> Int64 {
        (self.allowances[charge.budget] ?? 0) * Int64(self.knownProcesses.count)
    }

    /// What was spent in the windows of rolling budgets that end now.
    mutating func checkWindows(_ place: String) throws {
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
    mutating func heal() throws {
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
