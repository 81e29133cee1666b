import ControlPlane
import DataPlane
import Shared
import Synchronization

/// What clients ask for, how far streams have come, and what requests cost in the end.
extension LeaseSimulation {
    mutating func request(_ index: Int) {
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
    mutating func work() -> SimulatedWork {
        let bodyBytes = Int64(500 + self.random.below(100_000))
        let most = Int64(500 + self.random.below(300_000))
        let isFull = self.random.chance(5)
        return SimulatedWork(
            bodyBytes: bodyBytes, prompt: isFull ? bodyBytes : bodyBytes / Int64(2 + self.random.below(5)), most: most,
            output: isFull ? most : 1 + Int64(self.random.below(Int(most))) / Int64(1 + self.random.below(30)),
            hidden: self.random.chance(3) ? 2 : 0, streams: self.random.chance(2))
    }

    /// Streams go on: what they have reserved grows with their text, and those that get no more are cut.
    mutating func stream(_ index: Int) {
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
    mutating func exceed(_ index: Int, _ request: SimulatedGateway.Request, _ cost: Int64) {
        for (charge, amount) in request.reservation.excess(of: cost) where amount > 0 {
            self.excess[charge, default: 0] += amount
            self.gateways[index].excess[charge, default: 0] += amount
        }
    }

    /// What was just reserved is backed by money that the gateway has.
    mutating func checkBacked(_ index: Int, _ reservation: SimulatedReservation) {
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
    mutating func wallClock() -> Timestamp {
        Timestamp(microseconds: self.now + Int64(self.random.below(600_001)) - 300_000)
    }

    /// What a replica of the control plane takes the time for: two are off by as much as they may be.
    mutating func replicaClock() -> Timestamp {
        let off = Int(RollingWindow.clockMargin * 500_000)
        return Timestamp(microseconds: self.now + Int64(self.random.below(2 * off + 1) - off))
    }

    mutating func finish(_ index: Int) {
        let stream = self.gateways[index].streams.count - 1
        let over = self.gateways[index].requests.filter { $0.ends <= self.now || $0.cutAt != nil }
        self.gateways[index].requests.removeAll { $0.ends <= self.now || $0.cutAt != nil }
        for request in over { self.settle(index, stream, request) }
    }

    mutating func settle(_ index: Int, _ stream: Int, _ request: SimulatedGateway.Request) {
        let cost = request.work.prompt + (request.cutAt ?? request.work.output)
        self.exceed(index, request, cost)
        self.close(index, stream, request.entry, cost: cost)
        if request.cutAt == nil { self.gateways[index].learned.note(request.work, self.key) }
        request.reservation.settle(cost, self.gateways[index].table)
    }

    mutating func close(_ index: Int, _ stream: Int, _ entry: Int, cost: Int64) {
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
}
