import Postgres
import Shared

/// The SQL of statements.
enum StatementStore {
    private static let columns: SQL = """
        id, provider_id, format, first_day::text, last_day::text, lines, sha256, created_at
        """

    static func insert(
        _ statement: ProviderStatement, _ lines: [StatementLine], _ tx: inout Transaction, _: borrowing Permit
    ) throws {
        _ = try tx.execute(
            """
            insert into provider_statement (id, provider_id, format, first_day, last_day, lines, sha256, created_at)
            values ($1, $2, $3, $4::text::date, $5::text::date, $6::bigint, $7, $8)
            """, statement.id, statement.provider, statement.format, statement.firstDay, statement.lastDay,
            statement.lines, statement.sha256, statement.createdAt
        )
        // A thousand at a time: what is not said travels as -1, which nothing else is.
        for start in stride(from: 0, to: lines.count, by: 1000) {
            let part = lines[start..<min(start + 1000, lines.count)]
            _ = try tx.execute(
                """
                insert into provider_statement_line (statement_id, day, model, requests, input_tokens, output_tokens,
                    amount_nano_usd)
                select $1, day::date, model, nullif(requests, -1), nullif(input, -1), nullif(output, -1),
                    case when has_amount = 1 then amount end
                from unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
                    $8::bigint[]) l (day, model, requests, input, output, has_amount, amount)
                """, statement.id, part.map(\.day), part.map(\.model), part.map { $0.requests ?? -1 },
                part.map { $0.inputTokens ?? -1 }, part.map { $0.outputTokens ?? -1 },
                part.map { Int64($0.amount == nil ? 0 : 1) }, part.map { $0.amount?.amount ?? 0 }
            )
        }
    }

    static func delete(_ id: ProviderStatementID, _ tx: inout Transaction, _: borrowing Permit) throws {
        _ = try tx.execute("delete from provider_statement where id = $1", id)
    }

    static func fetch(_ id: ProviderStatementID, _ tx: inout Transaction) throws -> ProviderStatement {
        let row = try tx.queryOne("select " + Self.columns + " from provider_statement where id = $1", id)
        guard let row else { throw ControlError.notFound("provider statement") }
        return try ProviderStatement(row)
    }

    static func list(
        provider: ProviderID?, _ page: PageRequest, _ tx: inout Transaction
    ) throws -> [ProviderStatement] {
        try tx.query(
            "select " + Self.columns + " from provider_statement where ($1::uuid is null or provider_id = $1)"
                + " and ($2::uuid is null or id < $2) order by id desc limit $3", provider, page.afterID,
            page.fetchLimit
        ).map { try ProviderStatement($0) }
    }

    /// Models of the provider by name; of two with one name, the newest.
    static func models(of provider: ProviderID, _ tx: inout Transaction) throws -> [(id: ModelID, name: String)] {
        try tx.query("select id, name from model where provider_id = $1 order by id", provider).map {
            (try $0.get("id"), try $0.get("name"))
        }
    }

    static func lines(of id: ProviderStatementID, _ tx: inout Transaction) throws -> [StatementLine] {
        try tx.query(
            """
            select day::text as day, model, requests, input_tokens, output_tokens, amount_nano_usd
            from provider_statement_line where statement_id = $1 order by day, model
            """, id
        ).map { row in
            StatementLine(
                day: try row.get("day"), model: try row.get("model"), requests: try row.optional("requests"),
                inputTokens: try row.optional("input_tokens"), outputTokens: try row.optional("output_tokens"),
                amount: try row.optional("amount_nano_usd"))
        }
    }

    /// What gateways reported of the provider's models from the first to the last day, by day (UTC) and model.
    ///
    /// Tokens of the prompt are what providers call input: cached, written to a cache and audio with the rest.
    static func recorded(
        _ statement: ProviderStatement, _ tx: inout Transaction
    ) throws -> [(day: String, model: ModelID, figures: StatementDifference.Figures)] {
        func sum(_ meters: [Meter]) -> SQL {
            "sum(" + SQL.joined(meters.map { "d." + SQL(identifier: $0.name) }, " + ") + ")::bigint"
        }
        return try tx.query(
            "select (d.starts_at at time zone 'UTC')::date::text as day, s.model_id, sum(d.requests)::bigint as requests, "
                + sum(Meter.promptTokens) + " as input_tokens, " + sum(Meter.outputTokens) + " as output_tokens,"
                    + """
                     sum(d.cost_nano_usd + d.corrections_nano_usd)::bigint as cost from usage_day d join usage_series s on s.id = d.series_id
                    where s.provider_id = $1 and d.starts_at >= $2::text::date::timestamp at time zone 'UTC'
                        and d.starts_at < ($3::text::date + 1)::timestamp at time zone 'UTC'
                    group by 1, 2
                    """, statement.provider, statement.firstDay, statement.lastDay
        ).map { row in
            (
                try row.get("day"), try row.get("model_id"),
                StatementDifference.Figures(
                    requests: try row.get("requests"), inputTokens: try row.get("input_tokens"),
                    outputTokens: try row.get("output_tokens"), amount: try row.get("cost"))
            )
        }
    }
}
