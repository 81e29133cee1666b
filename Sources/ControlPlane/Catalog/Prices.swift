package import Postgres
package import Shared

/// The SQL of prices.
package enum PriceStore {
    package static func insert(_ price: Price, _ tx: inout Transaction, _: borrowing Permit) throws {
        _ = try tx.execute(
            "insert into price (id, model_id, effective_at, created_at) values ($1, $2, $3, $4)",
            price.id, price.model, price.effectiveAt, price.createdAt
        )
        for item in price.items {
            _ = try tx.execute(
                """
                insert into price_item (price_id, meter, tier, above_prompt_tokens, nano_usd_per_million)
                values ($1, $2, $3, $4, $5)
                """, price.id, item.meter.name, item.tier.name, item.abovePromptTokens, item.nanoUSDPerMillion
            )
        }
    }

    package static func fetch(_ id: PriceID, _ tx: inout Transaction) throws -> Price {
        let row = try tx.queryOne("select id, model_id, effective_at, created_at from price where id = $1", id)
        guard let row else { throw ControlError.notFound("price") }
        return try Self.withItems([row], &tx)[0]
    }

    package static func list(model: ModelID?, _ page: PageRequest, _ tx: inout Transaction) throws -> [Price] {
        let rows = try tx.query(
            """
            select id, model_id, effective_at, created_at from price
            where ($1::uuid is null or model_id = $1) and ($2::uuid is null or id < $2) order by id desc limit $3
            """, model, page.afterID, page.fetchLimit
        )
        return try Self.withItems(Array(rows), &tx)
    }

    private static func withItems(_ rows: [Row], _ tx: inout Transaction) throws -> [Price] {
        let ids = try rows.map { try $0.get("id", as: PriceID.self) }
        var items: [PriceID: [PriceItem]] = [:]
        let found = try tx.query(
            """
            select price_id, meter, tier, above_prompt_tokens, nano_usd_per_million from price_item
            where price_id = any($1) order by meter, tier, above_prompt_tokens
            """, ids.map { SQLUUID(high: $0.value.high, low: $0.value.low) }
        )
        for row in found {
            guard let meter = Meter(name: try row.get("meter")), let tier = ServiceTier(name: try row.get("tier"))
            else {
                continue
            }
            items[try row.get("price_id"), default: []].append(
                PriceItem(
                    meter: meter, nanoUSDPerMillion: try row.get("nano_usd_per_million"),
                    abovePromptTokens: try row.get("above_prompt_tokens"), tier: tier
                )
            )
        }
        return try rows.enumerated().map { index, row in
            Price(
                id: ids[index], model: try row.get("model_id"), effectiveAt: try row.get("effective_at"),
                items: items[ids[index]] ?? [], createdAt: try row.get("created_at")
            )
        }
    }
}

extension Catalog {
    package func price(_ id: PriceID) async throws -> Price {
        try await self.database.transaction(.readOnly) { tx in try PriceStore.fetch(id, &tx) }
    }

    /// Newest first.
    package func prices(model: ModelID?, _ page: PageRequest) async throws -> Page<Price> {
        let found = try await self.database.transaction(.readOnly) { tx in
            try PriceStore.list(model: model, page, &tx)
        }
        return Page(found, page, position: \.id.bytes)
    }

    package func createPrice(
        of model: ModelID, effectiveAt: Timestamp?, _ items: [PriceItem], as context: OperationContext
    ) async throws -> Resolved<Price> {
        let id: PriceID = self.time.newID()
        let outcome = try await self.changes.perform(.pricesCreate, on: Target(id), as: context) { tx, permit in
            guard let home = try ModelStore.find(model, &tx, lock: .share) else {
                throw ControlError.invalid("There is no such model.", at: "/model")
            }
            let price = Price(
                id: id, model: model, effectiveAt: effectiveAt ?? context.time, items: items, createdAt: context.time
            )
            try PriceStore.insert(price, &tx, permit)
            return Change(price, in: home.owner.organization, after: price)
        }
        return try await outcome.resolved { try await self.price(PriceID($0)) }
    }
}
