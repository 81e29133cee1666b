package import Postgres
package import Shared

/// The SQL of prices.
package enum PriceStore {
    private static let columns: SQL = "select id, model_id, effective_at, uplift_ppm, created_at from price"

    package static func insert(_ price: Price, _ tx: inout Transaction, _ permit: borrowing Permit) throws {
        _ = try tx.execute(
            "insert into price (id, model_id, effective_at, uplift_ppm, created_at) values ($1, $2, $3, $4, $5)",
            price.id, price.model, price.effectiveAt, price.uplift.partsPerMillion, price.createdAt
        )
        try PriceItems.insert(price.items, of: price.id, &tx, permit)
    }

    package static func fetch(_ id: PriceID, _ tx: inout Transaction) throws -> Price {
        let found = try Self.prices([id], &tx)
        guard let price = found[id] else { throw ControlError.notFound("price") }
        return price
    }

    /// Those of the identifiers that there are.
    package static func prices(_ ids: Set<PriceID>, _ tx: inout Transaction) throws -> [PriceID: Price] {
        guard !ids.isEmpty else { return [:] }
        let rows = try tx.query(
            Self.columns + " where id = any ($1)", ids.map { SQLUUID(high: $0.value.high, low: $0.value.low) }
        )
        let prices = try Self.withItems(Array(rows), &tx)
        return Dictionary(prices.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// The prices of models that were in force at some instant of a span.
    package static func inForce(
        of models: Set<ModelID>, from: Timestamp, to: Timestamp, _ tx: inout Transaction
    ) throws -> Set<PriceID> {
        guard !models.isEmpty else { return [] }
        let rows = try tx.query(
            """
            select id from (
                select id, effective_at, lead(effective_at) over (partition by model_id order by effective_at)
                    as superseded_at
                from price where model_id = any ($1)) as entry
            where effective_at <= $3 and (superseded_at is null or superseded_at > $2)
            """, models.map { SQLUUID(high: $0.value.high, low: $0.value.low) }, from, to
        )
        return Set(try rows.map { try $0.get("id") })
    }

    package static func list(model: ModelID?, _ page: PageRequest, _ tx: inout Transaction) throws -> [Price] {
        let rows = try tx.query(
            Self.columns + """
                 where ($1::uuid is null or model_id = $1) and ($2::uuid is null or id < $2) order by id desc limit $3
                """, model, page.afterID, page.fetchLimit
        )
        return try Self.withItems(Array(rows), &tx)
    }

    private static func withItems(_ rows: [Row], _ tx: inout Transaction) throws -> [Price] {
        let ids = try rows.map { try $0.get("id", as: PriceID.self) }
        var items: [PriceID: [PriceItem]] = [:]
        let found = try tx.query(
            "select " + PriceItems.columns + " from price_item where price_id = any($1)",
            ids.map { SQLUUID(high: $0.value.high, low: $0.value.low) }
        )
        for row in found {
            if let item = try PriceItems.item(row) { items[try row.get("price_id"), default: []].append(item) }
        }
        return try rows.enumerated().map { index, row in
            Price(
                id: ids[index], model: try row.optional("model_id"), effectiveAt: try row.get("effective_at"),
                items: PriceItems.sorted(items[ids[index]] ?? []),
                uplift: PriceFactor(partsPerMillion: try row.get("uplift_ppm")) ?? .one,
                createdAt: try row.get("created_at")
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
        of model: ModelID?, _ draft: Price.Draft, as context: OperationContext
    ) async throws -> Resolved<Price> {
        let id: PriceID = self.time.newID()
        let outcome = try await self.changes.perform(.pricesCreate, on: Target(id), as: context) { tx, permit in
            var organization: OrganizationID?
            if let model {
                guard let home = try ModelStore.find(model, &tx, lock: .share) else {
                    throw ControlError.invalid("There is no such model.", at: "/model")
                }
                organization = home.owner.organization
            }
            let price = Price(
                id: id, model: model, effectiveAt: draft.effectiveAt ?? context.time, items: draft.items,
                uplift: draft.uplift, createdAt: context.time
            )
            try PriceStore.insert(price, &tx, permit)
            return Change(price, in: organization, after: price)
        }
        return try await outcome.resolved { try await self.price(PriceID($0)) }
    }
}
