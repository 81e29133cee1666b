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

    package static func list(
        model: ModelID?, _ page: PageRequest, _ sight: Sight, _ tx: inout Transaction
    ) throws -> [Price] {
        let rows = try tx.query(
            Self.columns + """
                 where ($1::uuid is null or model_id = $1) and ($2::uuid is null or id < $2)
                and
                """
                + Sight.condition(
                    "(select p.node_id from model m join provider p on p.id = m.provider_id where m.id = price.model_id)",
                    4) + """
                     order by id desc limit $3
                    """, model, page.afterID, page.fetchLimit, sight.roots, sight.denied, sight.within
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
    /// One of a model is where the model is; the one of models that have none is the instance's.
    package func price(_ id: PriceID, as context: OperationContext) async throws -> Price {
        try await self.reads.perform(.pricesRead, as: context) { tx, sight in
            let price = try PriceStore.fetch(id, &tx)
            let owner = try price.model.flatMap { try ModelStore.find($0, &tx)?.owner }
            try sight.require(owner?.place ?? .instance, "price", &tx)
            return price
        }
    }

    /// Newest first.
    package func prices(
        model: ModelID?, _ page: PageRequest, as context: OperationContext
    ) async throws -> Page<Price> {
        let found = try await self.reads.perform(.pricesRead, as: context) { tx, sight in
            try PriceStore.list(model: model, page, sight, &tx)
        }
        return Page(found, page, position: \.id.bytes)
    }

    package func createPrice(
        of model: ModelID?, _ draft: Price.Draft, as context: OperationContext
    ) async throws -> Resolved<Price> {
        let id: PriceID = self.time.newID()
        let outcome = try await self.changes.perform(.pricesCreate, on: Target(id), as: context) { tx, gate in
            var owner = Ownership.instance
            let missing = ControlError.invalid("There is no such model.", at: "/model")
            if let model {
                guard let home = try ModelStore.find(model, &tx, lock: .share) else { throw missing }
                owner = home.owner
            }
            let permit = try gate.permit(at: owner.place, &tx, orMissing: missing)
            let price = Price(
                id: id, model: model, effectiveAt: draft.effectiveAt ?? context.time, items: draft.items,
                uplift: draft.uplift, createdAt: context.time
            )
            try PriceStore.insert(price, &tx, permit)
            return Change(price, in: owner.organization, after: price)
        }
        return try await outcome.resolved { try await self.price(PriceID($0), as: context) }
    }
}
