import ControlPlane
import DataPlane
import Shared
import Synchronization

/// What gateways and the control plane say to each other, over a network that loses and delays it.
extension LeaseSimulation {
    mutating func keep(_ index: Int) {
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

    mutating func ship(_ index: Int) {
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

    mutating func send(_ index: Int, _ event: Event) {
        guard self.now >= self.gateways[index].partitionedUntil, self.now < self.quietUntil || !self.random.chance(15)
        else { return }
        let isSlow = self.now >= self.quietUntil && self.random.chance(10)
        self.post(event, after: Int64(self.random.below(isSlow ? 12_000_000 : 60_000)))
    }

    mutating func post(_ event: Event, after delay: Int64) {
        self.order += 1
        self.events.append((self.now + delay, self.order, event))
    }

    mutating func deliver() {
        while let next = self.events.indices.filter({ self.events[$0].time <= self.now })
            .min(by: { (self.events[$0].time, self.events[$0].order) < (self.events[$1].time, self.events[$1].order) })
        {
            self.receive(self.events.remove(at: next).event)
        }
    }

    mutating func receive(_ event: Event) {
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
}
