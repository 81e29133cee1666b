import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

/// The SQL of leases does what the simulation's bank does: histories of renewals, usage and dead processes are played to
/// both, and every answer and every row is the same.
@Suite(.timeLimit(.minutes(10))) struct LeaseStoreTests {
    private typealias World = LeaseStoreWorld

    private static let rolling = LeaseStoreWorld.rolling
    private static let start = LeaseStoreWorld.start

    @Test func `SQL and model answer the same`() async throws {
        var random = SeededRandom("lease store")
        for _ in 0..<3 {
            let seed = random.next()
            try await TestDatabase.withClone { owner in
                var config = owner.config
                config.setRole = "gatehouse_app"
                let served = Database(config: config, logger: owner.logger)
                var own = SeededRandom(seed: seed)
                try await self.play(try await World.make(owner, served, &own), &own)
                await served.shutdown()
            }
        }
    }

    private func play(_ world: World, _ random: inout SeededRandom) async throws {
        var bank = SimulatedBank()
        for budget in world.budgets { bank.budgets[budget.number] = (budget.limit, budget.isHard) }
        bank.rolling[world.budgets[3].number] = Self.rolling
        var now = Self.start
        var sequence: Int64 = 0
        for step in 0..<120 {
            now = now.adding(microseconds: Int64.random(in: 0...30_000_000, using: &random))
            let gateway = world.gateways.randomElement(using: &random) ?? world.gateways[0]
            let process = UInt64.random(in: 1...3, using: &random)
            let kind = Int.random(in: 0..<4, using: &random)
            if kind == 0 {
                try await self.renewTogether(world, now, &sequence, &bank, &random, "step \(step)")
            } else if kind == 1 {
                sequence += Int64.random(in: -1...2, using: &random)
                let request = world.request(gateway, max(0, sequence), now, bank, process, &random)
                let expected = bank.renew(request, process: process, now: now)
                let reply = try await self.renew(world, request, gateway, process, now)
                #expect(reply.grants == expected.grants, "step \(step): \(request)")
                #expect(Set(reply.unsettled) == Set(expected.unsettled), "step \(step)")
            } else {
                try await self.ingest(world, gateway, process, now, &bank, &random)
            }
            if step % 3 == 0 { try await self.keepHouse(world, now, &bank) }
            try await self.compare(world, bank, "step \(step)")
        }
    }

    /// Several gateways in one transaction get what they would get one after the other.
    private func renewTogether(
        _ world: World, _ now: Timestamp, _ sequence: inout Int64, _ bank: inout SimulatedBank,
        _ random: inout SeededRandom, _ place: String
    ) async throws {
        var words: [LeaseWord] = []
        for gateway in world.gateways.shuffled(using: &random).prefix(Int.random(in: 2...3, using: &random)) {
            sequence += 1
            let process = UInt64.random(in: 1...3, using: &random)
            let request = world.request(gateway, sequence, now, bank, process, &random)
            words.append(
                LeaseWord(request: request, caller: world.caller(gateway, process, now), isFenced: false))
        }
        // What processes that are over held is free before anybody is decided on.
        for word in words {
            let settled = LeaseRequest(gateway: word.caller.id, sequence: 0, asks: [], settled: word.request.settled)
            _ = bank.renew(settled, process: word.caller.process, now: now)
        }
        let said = words
        let replies = try await world.database.transaction(retrySerialization: 20) { tx in
            try LeaseRenewal.renew(&tx, said, waits: false, now: now)
        }
        for (word, reply) in zip(words, replies) {
            let expected = bank.renew(word.request, process: word.caller.process, now: now)
            #expect(reply?.grants == expected.grants, "\(place): \(word.request)")
            #expect(Set(reply?.unsettled ?? []) == Set(expected.unsettled), "\(place)")
        }
    }

    /// What the jobs and the watch of thresholds do now and then.
    private func keepHouse(
        _ world: World, _ now: Timestamp, _ bank: inout SimulatedBank, marks: Int64 = ThresholdWatch.marksLimit
    ) async throws {
        bank.suspend(now: now)
        bank.look(now: now)
        try await world.database.transaction { tx in
            _ = try LeaseStore.suspend(before: now.adding(seconds: -LeaseRules.reclaimSeconds), &tx)
            _ = try LeaseSums.foldNoted(&tx)
            _ = try ThresholdWatch.look(
                &tx, time: TimeSource(now: { now }, uptime: TimeSource.system.uptime), limit: marks)
        }
    }

    /// Renewals, usage, dead processes that are closed, the jobs and the watch, all at once on the same accounts: at every
    /// instant what is kept with the accounts is what their leases come to.
    @Test func `sums are those of the leases at every instant, whoever changes them at once`() async throws {
        var random = SeededRandom("lease sums")
        try await TestDatabase.withClone { owner in
            var config = owner.config
            config.setRole = "gatehouse_app"
            config.poolSize = 8
            let served = Database(config: config, logger: owner.logger)
            let world = try await World.make(owner, served, &random)
            let seeds = (0..<6).map { _ in random.next() }
            let noted = try await withThrowingTaskGroup(of: Void.self) { group in
                for seed in seeds { group.addTask { try await self.disturb(world, seed: seed) } }
                let looking = Task { try await self.look(world) }
                try await group.waitForAll()
                looking.cancel()
                return try await looking.value
            }
            #expect(try await self.differences(world).isEmpty)
            #expect(noted > 0, "nothing was ever noted: usage that arrives changed no lease")
            try await served.transaction { tx in
                while try LeaseSums.foldNoted(&tx) > 0 {}
                _ = try ThresholdWatch.look(&tx, time: .system)
            }
            #expect(try await self.differences(world).isEmpty)
            let (left, holds) = try await served.transaction(.readOnly) { tx in
                let row = try tx.query(
                    """
                    select (select count(*) from budget_held_change) + (select count(*) from budget_account_unseen) as left,
                        (select sum(held) from budget_account)
                            = (select sum(greatest(granted - returned, posted, settled)) from budget_lease)
                        and (select sum(settled) from budget_account_spent)
                            = (select sum(settled) from budget_lease) as holds
                    """)[0]
                return (try row.get("left", as: Int64.self), try row.get("holds", as: Bool.self))
            }
            #expect(left == 0 && holds)
            // A sum that nobody keeps is found, by name.
            let account: Int64 = try await owner.database.transaction { tx in
                _ = try tx.execute(
                    "update budget_account set held = held + 1 where id = (select min(id) from budget_account)")
                return try tx.query("select min(id) as id from budget_account")[0].get("id")
            }
            #expect(try await self.differences(world).map(\.account) == [account])
            await served.shutdown()
        }
    }

    private func disturb(_ world: World, seed: UInt64) async throws {
        var random = SeededRandom(seed: seed)
        let none = SimulatedBank()
        for step in 0..<60 {
            // A few windows of the short budgets.
            let now = Self.start.adding(microseconds: Int64(step / 20) * 60_000_000)
            let gateway = world.gateways.randomElement(using: &random) ?? world.gateways[0]
            let process = UInt64.random(in: 1...3, using: &random)
            switch Int.random(in: 0..<8, using: &random) {
            case 0..<4:
                let request = world.request(gateway, Int64(step), now, none, process, &random)
                _ = try await self.renew(world, request, gateway, process, now)
            case 4:
                let words = world.gateways.map { gateway in
                    let own = UInt64.random(in: 1...3, using: &random)
                    let request = world.request(gateway, Int64(step), now, none, own, &random)
                    return LeaseWord(request: request, caller: world.caller(gateway, own, now), isFenced: false)
                }
                _ = try await world.database.transaction(retrySerialization: 20) { tx in
                    try LeaseRenewal.renew(&tx, words, waits: false, now: now)
                }
            case 5..<7:
                var forgotten = SimulatedBank()
                try await self.ingest(world, gateway, process, now, &forgotten, &random)
            default:
                var forgotten = SimulatedBank()
                try await self.keepHouse(world, now, &forgotten, marks: 3)
            }
        }
    }

    /// Compares until it is cancelled.
    ///
    /// - Returns: how often something was noted beside the sums.
    private func look(_ world: World) async throws -> Int {
        var noted = 0
        do {
            while !Task.isCancelled {
                #expect(try await self.differences(world).isEmpty)
                noted += try await world.database.transaction(.readOnly) { tx in
                    try tx.queryOne("select 1 as n from budget_held_change limit 1") == nil ? 0 : 1
                }
            }
        } catch is CancellationError {
            // In the middle of a wait for a connection.
        }
        return noted
    }

    private func differences(_ world: World) async throws -> [AccountSums.Difference] {
        try await world.database.transaction(.repeatableReadOnly) { tx in
            let ids: [Int64] = try tx.query("select id from budget_account").map { try $0.get("id") }
            return try AccountSumsStore.differences(of: ids, &tx)
        }
    }

    private func renew(
        _ world: World, _ request: LeaseRequest, _ gateway: GatewayID, _ process: UInt64, _ now: Timestamp
    ) async throws -> LeaseReply {
        let caller = world.caller(gateway, process, now)
        return try await world.database.transaction(retrySerialization: 20) { tx in
            try LeaseRenewal.renew(&tx, request, from: caller, isFenced: false, now: now)
        }
    }

    private func ingest(
        _ world: World, _ gateway: GatewayID, _ process: UInt64, _ now: Timestamp, _ bank: inout SimulatedBank,
        _ random: inout SeededRandom
    ) async throws {
        var records: [UsageRecord] = []
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            let id = UUIDValue(high: random.next() | 1, low: random.next())
            var record = UsageRecord(request: RequestID(id), key: VirtualKeyID(id), project: world.project)
            record.started = now
            record.cost = NanoUSD(Int64.random(in: 0...300_000, using: &random))
            for (budget, period) in zip(world.budgets, LeaseStoreWorld.periods)
            where Bool.random(using: &random) {
                let window = BudgetWindow.containing(now, period, in: .utc)
                record.charges.append(Charge(budget: budget.number, startMinute: window.startMinute))
            }
            records.append(record)
        }
        // A stream of its own for each batch: numbers begin at 1.
        let stream = UsageStreamID(UUIDValue(high: random.next() | 1, low: random.next()))
        let batch = UsageBatch(gateway: gateway, stream: stream, process: process, from: 1, records: records)
        _ = bank.ingest(
            records.map { ($0.charges, $0.cost.amount) }, from: 1, stream: stream.value.low, gateway: gateway,
            process: process, now: now)
        let caller = world.caller(gateway, process, now)
        let (first, again) = try await world.database.transaction(retrySerialization: 20) { tx in
            (
                try UsageIngest.ingest(&tx, batch, from: caller, now: now),
                // A doubled delivery posts nothing.
                try UsageIngest.ingest(&tx, batch, from: caller, now: now)
            )
        }
        #expect(first.stored == records.count && again.stored == 0)
    }

    private func compare(_ world: World, _ bank: SimulatedBank, _ place: String) async throws {
        #expect(try await self.differences(world).isEmpty, "\(place)")
        let rows = try await world.database.transaction(.readOnly) { tx in
            try tx.query(
                """
                select b.number, a.start_minute, l.gateway_id, l.process, l.granted, l.returned, l.posted, l.reserved,
                    l.settled, l.state
                from budget_lease l join budget_account a on a.id = l.account_id join budget b on b.id = a.budget_id
                """
            ).map { row in
                var state = LeaseState()
                state.granted = try row.get("granted")
                state.returned = try row.get("returned")
                state.posted = try row.get("posted")
                state.reserved = try row.get("reserved")
                state.settled = try row.get("settled")
                state.phase = LeaseState.Phase(rawValue: try row.get("state")) ?? .open
                return (
                    Charge(
                        budget: UInt32(truncatingIfNeeded: try row.get("number", as: Int64.self)),
                        startMinute: UInt32(truncatingIfNeeded: try row.get("start_minute", as: Int64.self))),
                    SimulatedBank.Holder(
                        gateway: try row.get("gateway_id"),
                        process: UInt64(bitPattern: try row.get("process", as: Int64.self))), state
                )
            }
        }
        try await self.compareCheckpoints(world, bank, place)
        let expected = bank.accounts.values.reduce(0) { $0 + $1.leases.count }
        #expect(rows.count == expected, "\(place)")
        for (charge, holder, state) in rows {
            var model = bank.accounts[charge]?.leases[holder]?.state
            model?.sequence = 0
            #expect(model == state, "\(place): \(charge) \(holder)")
        }
    }

    private func compareCheckpoints(_ world: World, _ bank: SimulatedBank, _ place: String) async throws {
        let stored = try await world.database.transaction(.readOnly) { tx in
            try tx.query("select step, taken_at, settled from budget_checkpoint order by step").map { row in
                (
                    try row.get("step", as: Int64.self),
                    SimulatedBank.Checkpoint(takenAt: try row.get("taken_at"), settled: try row.get("settled"))
                )
            }
        }
        let account = bank.accounts[Charge(budget: world.budgets[3].number, startMinute: 0)]
        #expect(Dictionary(uniqueKeysWithValues: stored) == account?.checkpoints ?? [:], "\(place)")
    }
}
