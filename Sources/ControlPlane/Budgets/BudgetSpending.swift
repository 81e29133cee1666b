import Postgres
import Shared

/// What a budget's subject has spent, whoever counted it.
enum BudgetSpending {
    /// The series of usage that a budget (`$1`) is of, as `series`: to be followed by what is read of them.
    static let series: SQL = """
        with b as (select * from budget where id = $1),
        tagged as (
            select t.id from usage_tag_set t, b
            where t.organization_id = b.organization_id and b.tag_name is not null
                and t.tags @> jsonb_build_object(b.tag_name, b.tag_value)),
        series as (
            select s.id from usage_series s, b
            where s.organization_id = b.organization_id
                and (b.key_id is null or s.key_id = b.key_id) and (b.owner_id is null or s.owner_id = b.owner_id)
                and (b.node_id is null or exists (select from scope_closure c
                    where c.ancestor_id = b.node_id and c.descendant_id = s.project_id))
                and (b.tag_name is null or s.tag_set_id in (select id from tagged))
                and (cardinality(b.models) = 0 or s.model_id = any (b.models))
                and (cardinality(b.providers) = 0 or s.provider_id = any (b.providers)))
        """

    /// From the sums of usage, from an instant on: what was recorded before there was a budget.
    static func spent(by budget: BudgetID, from start: Timestamp, _ tx: inout Transaction) throws -> Int64 {
        // Sums of hours reach back further; a window that begins within an hour takes that hour's minutes.
        let row = try tx.queryOne(
            Self.series + """
                    ,
                whole as (select date_trunc('hour', $2::timestamptz + interval '59 minutes 59.999999 seconds', 'UTC') as at)
                select (coalesce((select sum(h.cost_nano_usd) from usage_hour h, whole
                            where h.series_id in (select id from series) and h.starts_at >= whole.at), 0)
                    + coalesce((select sum(m.cost_nano_usd) from usage_minute m, whole
                            where m.series_id in (select id from series) and m.starts_at >= $2 and m.starts_at < whole.at),
                        0))::bigint as spent
                """, budget, start
        )
        return max(0, try row?.get("spent") ?? 0)
    }
}
