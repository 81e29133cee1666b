import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

/// Leases that were there before their sums were kept.
@Suite(.timeLimit(.minutes(10))) struct LeaseSumsMigrationTests {
    private static let before = """
        insert into budget_account (budget_id, start_minute) select md5('b' || n)::uuid, 0 from generate_series(1, 4) n;
        -- The first account of three processes, the second of one that only usage made, the third of one that is closed.
        insert into budget_lease (account_id, gateway_id, process, granted, returned, posted, settled, state, renewed_at)
        select a.id, md5('w' || g)::uuid, p, granted, returned, posted, settled, state, '2026-11-20'
        from (values (1, 1, 1, 100, 40, 50, 30, 'closed'), (1, 1, 2, 100, 0, 120, 30, 'open'),
                (1, 2, 1, 10, 0, 5, 90, 'suspense'), (2, 1, 1, 0, 0, 0, 8, 'open'), (3, 2, 1, 9, 9, 0, 0, 'closed'))
            as l (n, g, p, granted, returned, posted, settled, state)
        join budget_account a on a.budget_id = md5('b' || n)::uuid;
        insert into budget_account_unseen (account_id) select id from budget_account limit 2
        """

    @Test func `what was held and spent before is in the sums`() async throws {
        try await TestDatabase.withMigrated(to: 20, holding: Self.before) { database in
            let (held, sharers, settled) = try await database.database.transaction { tx in
                let ids: [Int64] = try tx.query("select id from budget_account").map { try $0.get("id") }
                #expect(try AccountSumsStore.differences(of: ids, &tx).isEmpty)
                // A mark of before adds nothing.
                _ = try tx.execute("delete from budget_account_unseen")
                #expect(try AccountSumsStore.differences(of: ids, &tx).isEmpty)
                let rows = try tx.query(
                    """
                    select a.held::bigint as held, a.sharers, coalesce(s.settled, -1)::bigint as settled
                    from budget_account a left join budget_account_spent s on s.account_id = a.id order by a.id
                    """)
                return (
                    try rows.map { try $0.get("held", as: Int64.self) },
                    try rows.map { try $0.get("sharers", as: Int64.self) },
                    try rows.map { try $0.get("settled", as: Int64.self) }
                )
            }
            #expect(held == [60 + 120 + 90, 8, 0, 0])
            #expect(sharers == [1, 1, 0, 0])
            #expect(settled == [150, 8, -1, -1])
        }
    }
}
