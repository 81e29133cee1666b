import ControlPlane
import Postgres
import Shared
import Synchronization
import TestKit
import Testing

/// Renewals that wait for each other are made together, in order and within bounds, and none holds up or fails the others.
@Suite(.timeLimit(.minutes(5))) struct LeaseRenewalsTests {
    private static let now = LeaseStoreWorld.start

    private final class Gate: Sendable {
        let isHeld = Atomic<Bool>(false)
        let isReleased = Atomic<Bool>(false)
    }

    private final class Order: Sendable {
        let done = Mutex<[Int]>([])
    }

    /// A replica whose first renewal waits for an account, which the test holds until it has seen enough.
    private func withBlockedReplica(
        _ limits: LeaseRenewals.Limits,
        holding rows: SQL = "select id from budget_account order by id for update",
        _ body:
            @escaping @Sendable (_ world: LeaseStoreWorld, _ renewals: LeaseRenewals, _ release: @Sendable () -> Void)
            async throws -> Void
    ) async throws {
        var random = SeededRandom("lease renewals")
        let seed = random.next()
        try await TestDatabase.withClone { owner in
            var own = SeededRandom(seed: seed)
            var config = owner.config
            config.setRole = "gatehouse_app"
            let served = Database(config: config, logger: owner.logger)
            let world = try await LeaseStoreWorld.make(owner, served, &own)
            let renewals = LeaseRenewals(database: served, time: Self.time, limits: limits)
            // The accounts and leases that are held then.
            for gateway in world.gateways { _ = try await renewals.renew(Self.word(world, gateway, 1)) }
            let gate = Gate()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    try await owner.database.transaction { tx in
                        _ = try tx.query(rows)
                        gate.isHeld.store(true, ordering: .releasing)
                        while !gate.isReleased.load(ordering: .acquiring) { _ = try tx.query("select pg_sleep(0.01)") }
                    }
                }
                group.addTask {
                    defer { gate.isReleased.store(true, ordering: .releasing) }
                    try await eventually("the lock is held") { gate.isHeld.load(ordering: .acquiring) }
                    try await body(world, renewals) { gate.isReleased.store(true, ordering: .releasing) }
                }
                try await group.waitForAll()
            }
            await served.shutdown()
        }
    }

    private static let time = TimeSource(now: { LeaseRenewalsTests.now }, uptime: { 1_000_000_000 })

    /// Asks for something, so that the account has to be held.
    private static func word(_ world: LeaseStoreWorld, _ gateway: GatewayID, _ sequence: Int64) -> LeaseWord {
        var ask = LeaseAsk(account: Charge(budget: world.budgets[0].number, startMinute: 0))
        ask.reserved = sequence
        ask.need = 1000 * sequence
        ask.want = ask.need
        return LeaseWord(
            request: LeaseRequest(gateway: gateway, sequence: sequence, asks: [ask]),
            caller: world.caller(gateway, 1, Self.now), isFenced: false)
    }

    private static func wait(_ renewals: LeaseRenewals, for waiting: Int) async throws {
        try await eventually("\(waiting) wait") { renewals.figures.waiting == waiting }
    }

    @Test func `those that wait are renewed in one transaction`() async throws {
        var limits = LeaseRenewals.Limits()
        limits.lanes = 1
        try await self.withBlockedReplica(limits) { world, renewals, release in
            let before = renewals.figures
            try await withThrowingTaskGroup(of: LeaseReply.self) { group in
                group.addTask { try await renewals.renew(Self.word(world, world.gateways[0], 2)) }
                try await eventually("it runs") { renewals.figures.running > 0 }
                for index in 1...2 {
                    group.addTask { try await renewals.renew(Self.word(world, world.gateways[index], 2)) }
                    try await Self.wait(renewals, for: index)
                }
                release()
                for try await reply in group { #expect(reply.grants.count == 1 && reply.grants[0].granted > 0) }
            }
            #expect(renewals.figures.transactions == before.transactions + 2)
            #expect(renewals.figures.renewals == before.renewals + 3)
            #expect(renewals.figures.waiting == 0)
            // The lane is given up a moment after the answers.
            try await eventually("nothing runs") { renewals.figures.running == 0 }
        }
    }

    @Test func `what waits is bounded and comes in order of arrival`() async throws {
        var limits = LeaseRenewals.Limits()
        limits.lanes = 1
        limits.gatewaysAtOnce = 1
        limits.gatewaysWaiting = 2
        try await self.withBlockedReplica(limits) { world, renewals, release in
            let order = Order()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for index in 0...2 {
                    group.addTask {
                        _ = try await renewals.renew(Self.word(world, world.gateways[index], 2))
                        order.done.withLock { $0.append(index) }
                    }
                    try await eventually("it runs") { renewals.figures.running > 0 }
                    try await Self.wait(renewals, for: index)
                }
                let refused = await #expect(throws: ControlError.self) {
                    _ = try await renewals.renew(Self.word(world, world.gateways[0], 3))
                }
                #expect(refused?.kind == .unavailable && refused?.code == "renewals_waiting")
                release()
                try await group.waitForAll()
            }
            #expect(order.done.withLock { $0 } == [0, 1, 2])
            #expect(renewals.figures.refused == 1)
        }
    }

    @Test func `a gateway whose usage is being stored is renewed when that is done, and nobody waits for it`()
        async throws
    {
        let held: SQL = """
            select l.account_id from budget_lease l join gateway g on g.id = l.gateway_id where g.name = 'g0' for update
            """
        try await self.withBlockedReplica(.init(), holding: held) { world, renewals, release in
            let before = renewals.figures
            try await withThrowingTaskGroup(of: Int.self) { group in
                group.addTask {
                    let reply = try await renewals.renew(Self.word(world, world.gateways[0], 2))
                    #expect(reply.grants[0].granted > 0)
                    return 0
                }
                try await eventually("it is alone") { renewals.figures.alone != before.alone }
                // It is still held.
                _ = try await renewals.renew(Self.word(world, world.gateways[1], 2))
                _ = try await renewals.renew(Self.word(world, world.gateways[2], 2))
                release()
                #expect(try await group.next() == 0)
            }
            #expect(renewals.figures.alone == before.alone + 1)
        }
    }

    @Test func `one that cannot be renewed does not fail those that are renewed with it`() async throws {
        var limits = LeaseRenewals.Limits()
        limits.lanes = 1
        limits.gatewaysWaiting = 8
        try await self.withBlockedReplica(limits) { world, renewals, release in
            let broken = LeaseWord(
                request: LeaseRequest(gateway: world.gateways[1], sequence: 2, asks: [Self.negative(world)]),
                caller: world.caller(world.gateways[1], 1, Self.now), isFenced: false)
            try await withThrowingTaskGroup(of: (Int, Bool).self) { group in
                for index in 0...2 {
                    let said = index == 1 ? broken : Self.word(world, world.gateways[index], 2)
                    group.addTask {
                        do {
                            return (index, try await renewals.renew(said).grants[0].granted > 0)
                        } catch is PostgresError {
                            return (index, false)
                        }
                    }
                    try await eventually("it runs") { renewals.figures.running > 0 }
                    try await Self.wait(renewals, for: index)
                }
                release()
                var outcomes: [Int: Bool] = [:]
                for try await (index, isRenewed) in group { outcomes[index] = isRenewed }
                #expect(outcomes == [0: true, 1: false, 2: true])
            }
            #expect(renewals.figures.alone == 2)
        }
    }

    /// Says what the wire does not let through: the database refuses to store it.
    private static func negative(_ world: LeaseStoreWorld) -> LeaseAsk {
        var ask = LeaseAsk(account: Charge(budget: world.budgets[0].number, startMinute: 0))
        ask.reserved = -5
        return ask
    }
}
