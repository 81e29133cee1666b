import ControlPlane
import Postgres
import Shared
import TestKit

/// A database with three gateways and four budgets, and what processes say there.
struct LeaseStoreWorld: Sendable {
    /// With the rights that `serve` has.
    let database: Database
    let group: GatewayGroupID
    let organization: OrganizationID
    let project: NodeID
    let gateways: [GatewayID]
    let budgets: [(number: UInt32, limit: Int64, isHard: Bool)]

    /// Of the budgets' accounts; the last one is of a rolling minute.
    static let periods: [BudgetPeriod] = [.total, .minute, .hour, .total]
    static let rolling = RollingWindow(stored: 60)

    static let start = Timestamp(microseconds: 1_800_000_000_000_000)

    static func make(
        _ owner: TestDatabase, _ served: Database, _ random: inout SeededRandom
    ) async throws -> LeaseStoreWorld {
        func id<Kind: IdentifierKind>() -> Identifier<Kind> {
            Identifier(UUIDValue(high: random.next() | 1, low: random.next()))
        }
        let group: GatewayGroupID = id()
        let organization: OrganizationID = id()
        let project: ProjectID = id()
        let gateways: [GatewayID] = [id(), id(), id()]
        let rows = (0..<4).map { index in
            (
                id: id() as BudgetID, limit: Int64.random(in: 1_000_000...80_000_000, using: &random),
                period: ["total", "minute", "hour", "minute"][index], isHard: index != 2,
                rolling: index == 3 ? Self.rolling.seconds : nil
            )
        }
        let budgets = try await owner.database.transaction { tx in
            _ = try tx.execute("insert into gateway_group (id, name) values ($1, 'g')", group)
            _ = try tx.execute(
                """
                insert into scope_node (id, kind, organization_id, name) values ($1, 'organization', $1, 'o')
                """, organization)
            _ = try tx.execute(
                """
                insert into scope_node (id, kind, parent_id, organization_id, name) values ($1, 'project', $2, $2, 'p')
                """, project, organization)
            _ = try tx.execute(
                "insert into gateway_group_organization (group_id, organization_id) values ($1, $2)", group,
                organization)
            for (index, gateway) in gateways.enumerated() {
                _ = try tx.execute(
                    """
                    insert into gateway (id, group_id, name, identity_key, sealing_key) values ($1, $2, $3, $4, $4)
                    """, gateway, group, "g\(index)", Array(repeating: UInt8(index), count: 32))
            }
            var budgets: [(number: UInt32, limit: Int64, isHard: Bool)] = []
            for row in rows {
                let stored = try tx.queryOne(
                    """
                    insert into budget (id, organization_id, node_id, name, amount_nano_usd, period, time_zone, hard,
                        away, carry_over, status, created_at, rolling_seconds)
                    values ($1, $2, $2, 'b', $3, $4, 'UTC', $5, 'deny', false, 'active', '2020-01-01', $6::bigint)
                    returning number
                    """, row.id, organization, row.limit, row.period, row.isHard, row.rolling)
                let number = UInt32(truncatingIfNeeded: try stored?.get("number", as: Int64.self) ?? 0)
                budgets.append((number, row.limit, row.isHard))
            }
            return budgets
        }
        return LeaseStoreWorld(
            database: served, group: group, organization: organization, project: project.node, gateways: gateways,
            budgets: budgets)
    }

    /// What a process might say; `bank` is what it may know of.
    func request(
        _ gateway: GatewayID, _ sequence: Int64, _ now: Timestamp, _ bank: SimulatedBank,
        _ process: UInt64, _ random: inout SeededRandom
    ) -> LeaseRequest {
        func amount(_ bound: Int64) -> Int64 { Int64.random(in: 0...max(1, bound), using: &random) }
        var asks: [LeaseAsk] = []
        for (budget, period) in zip(self.budgets, Self.periods)
        where Bool.random(using: &random) {
            let window = BudgetWindow.containing(now, period, in: .utc)
            var ask = LeaseAsk(account: Charge(budget: budget.number, startMinute: window.startMinute))
            let known = bank.accounts[ask.account]?.leases[.init(gateway: gateway, process: process)]?.state
            // Mostly what such a process would say, sometimes what only a lost commit explains.
            ask.granted = (known?.granted ?? 0) + (amount(30) == 0 ? amount(5_000_000) : 0)
            ask.returned = amount(4) == 0 ? amount(ask.granted) : min(known?.returned ?? 0, ask.granted)
            ask.posted = (known?.posted ?? 0) + amount(200_000)
            ask.reserved = amount(300_000)
            ask.want = amount(20_000_000)
            ask.need = amount(3) == 0 ? amount(500_000) : 0
            ask.largest = amount(400_000)
            ask.isFinal = amount(12) == 0
            asks.append(ask)
        }
        if asks.isEmpty || amount(10) == 0 { asks.append(LeaseAsk(account: Charge(budget: 999_999, startMinute: 0))) }
        return LeaseRequest(
            gateway: gateway, sequence: sequence, asks: asks,
            settled: amount(6) == 0 ? [UInt64(amount(2)) + 1] : [])
    }

    func caller(_ gateway: GatewayID, _ process: UInt64, _ now: Timestamp) -> GatewayCaller {
        GatewayCaller(
            id: gateway, group: self.group, process: process, issued: now,
            standing: ProcessStanding(own: nil, newest: nil))
    }
}
