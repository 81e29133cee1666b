import ControlPlane
import Logging
import Postgres
import Shared

/// Gateways that spend, renew and deliver at once, while sums are folded and thresholds watched.
struct LeaseLoad: Sendable {
    let world: LeaseWorld
    let keys: Int
    let gateways: Int
    /// Accounts of keys that each gateway holds, beside the 56 that all share.
    let held: Int
    /// Records a second over all gateways.
    let rate: Int
    let seconds: Int

    /// Seconds in which all accounts are to be opened.
    private static let openingLimit = 60
    /// Seconds from then on until measuring begins: the time of a renewal.
    private static let settlingSeconds = 20

    func run() async throws -> LeaseMeasurement {
        try await self.world.empty()
        let gateways = try await self.makeGateways()
        let logger = Logger(label: "benchmark") { _ in SwiftLogNoOpLogHandler() }
        let rollups = Rollups(database: self.world.database, logger: logger)
        let folding = Task { await rollups.run() }
        let watch = ThresholdWatch(database: self.world.database, time: .system, logger: logger)
        let watching = Task { await watch.run() }
        let running = gateways.map { gateway in
            Task { await gateway.run(rate: self.rate / self.gateways) }
        }
        let began = ContinuousClock.now
        while gateways.contains(where: { $0.accountsHeld < $0.accountsWanted }),
            ContinuousClock.now - began < .seconds(Self.openingLimit)
        {
            try await Task.sleep(for: .milliseconds(50))
        }
        let opened = ContinuousClock.now - began
        let opening = gateways.reduce(0) { $0 + $1.accountsHeld }
        // The first wave is over, and so are the renewals that fell due in it.
        try await Task.sleep(for: .seconds(Self.settlingSeconds))
        try await self.world.execute("select pg_stat_statements_reset()")
        for gateway in gateways { gateway.measure() }
        let start = ContinuousClock.now
        try await Task.sleep(for: .seconds(self.seconds))
        let took = ContinuousClock.now - start
        var figures = LeaseGateway.Figures()
        for gateway in gateways { figures.add(gateway.figures) }
        let time = try await self.world.databaseTime()
        for gateway in gateways { gateway.stop() }
        for task in running { await task.value }
        for task in [folding, watching] {
            task.cancel()
            await task.value
        }
        return LeaseMeasurement(
            keys: self.keys, gateways: self.gateways, held: self.held, opened: opening, openedIn: opened.seconds,
            figures: figures, seconds: took.seconds, database: time, holds: try await self.check())
    }

    private func makeGateways() async throws -> [LeaseGateway] {
        let nodes =
            (0..<LeaseWorld.organizations).map { LeaseWorld.id(.organization, $0) }
            + (0..<LeaseWorld.units).map { LeaseWorld.id(.unit, $0) }
            + (0..<LeaseWorld.projects).map { LeaseWorld.id(.project, $0) }
        var gateways: [LeaseGateway] = []
        for number in 0..<self.gateways {
            // Each has keys of its own as far as there are enough, else they share them.
            let keys = (0..<self.held).map { (number * self.held + $0) % self.keys }
            let numbers = try await self.world.numbers(of: nodes + keys.map { LeaseWorld.id(.key, $0) })
            gateways.append(try LeaseGateway(number, keys: keys, numbers: numbers, world: self.world))
        }
        return gateways
    }

    /// Whether the money of the leases is the money of the records, what is kept of leases is what they come to, and no
    /// account's leases hold more than there is.
    private func check() async throws -> Bool {
        try await self.world.database.transaction(.repeatableReadOnly) { tx in
            let row = try tx.query(
                """
                select (select coalesce(sum(settled), 0)::bigint from budget_lease)
                    = (select coalesce(sum(cost_nano_usd * cardinality(charges)), 0)::bigint from usage_event)
                    and (select coalesce(sum(settled), 0) from budget_lease)
                        = (select coalesce(sum(settled), 0) from budget_account_spent)
                        + (select coalesce(sum(settled), 0) from budget_account_unseen)
                    and not exists (select from budget_account a join budget b on b.id = a.budget_id
                        join (select account_id, sum(greatest(granted - returned, posted, settled)) as held
                            from budget_lease group by 1) l on l.account_id = a.id
                        left join (select account_id, sum(amount) as amount from budget_held_change group by 1) c
                            on c.account_id = a.id
                        where l.held > b.amount_nano_usd or l.held <> a.held + coalesce(c.amount, 0)) as holds
                """)[0]
            return try row.get("holds")
        }
    }
}
