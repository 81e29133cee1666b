package import Postgres
package import Shared

/// Computes again what was used, after a price was corrected.
package struct Reratings: Sendable {
    private let database: Database
    private let changes: Changes
    private let time: TimeSource

    package init(database: Database, changes: Changes, time: TimeSource) {
        self.database = database
        self.changes = changes
        self.time = time
    }

    package func get(_ id: ReratingID) async throws -> Rerating {
        try await self.database.transaction(.readOnly) { tx in try ReratingStore.fetch(id, &tx) }
    }

    package func list(model: ModelID?, _ page: PageRequest) async throws -> Page<Rerating> {
        let found = try await self.database.transaction(.readOnly) { tx in
            try ReratingStore.list(model: model, page, &tx)
        }
        return Page(found, page, position: \.id.bytes)
    }

    package func corrections(of id: ReratingID, _ page: PageRequest) async throws -> Page<UsageCorrection> {
        let found = try await self.database.transaction(.readOnly) { tx in
            _ = try ReratingStore.fetch(id, &tx)
            return try ReratingStore.corrections(of: id, page, &tx)
        }
        return Page(found, page, position: \.position)
    }

    /// Of a body that `Rerating.creationSchema` accepts.
    ///
    /// Each charged record of the model that began in the period is priced again, at the price that is in force for its
    /// start as the book says now, with the units, the service tier and the adjustment that it has. Where that is not
    /// what it cost, a correction is stored: all of them, or none.
    package func create(_ body: JSONValue, as context: OperationContext) async throws -> Resolved<Rerating> {
        let id: ReratingID = self.time.newID()
        let outcome = try await self.changes.perform(.reratingsCreate, on: Target(id), at: .instance, as: context) {
            tx, permit in
            let (from, to) = try Self.period(body)
            // Held, so that re-ratings of one model follow each other.
            guard let model = body["model"]?.string.flatMap({ ModelID($0) }),
                try ModelStore.find(model, &tx, lock: .update) != nil
            else { throw ControlError.invalid("There is no such model.", at: "/model") }
            let organization = try Self.organization(body, &tx)
            let charges = try Self.charges(model, organization, from, to, &tx)
            let prices = try PriceStore.prices(
                try PriceStore.inForce(of: [model], from: from, to: to, &tx), &tx
            ).values.sorted { $0.effectiveAt < $1.effectiveAt }
            let rules = try AdjustmentStore.rules(Set(charges.compactMap(\.adjustment)), &tx)
            var corrections: [UsageCorrection] = []
            var corrected: [ReratingStore.Charge] = []
            var (before, after) = (NanoUSD.zero, NanoUSD.zero)
            for charge in charges {
                before = before.addingSaturating(charge.cost)
                guard let price = prices.last(where: { $0.effectiveAt <= charge.started }) else {
                    after = after.addingSaturating(charge.cost)
                    continue
                }
                let cost = Pricing.cost(
                    of: charge.units, items: price.items, tier: charge.tier, at: charge.started, uplift: price.uplift,
                    adjustment: charge.adjustment.flatMap { rules[$0]?.factor } ?? .one
                )
                after = after.addingSaturating(cost)
                guard cost != charge.cost else { continue }
                corrections.append(UsageCorrection(charge, price: price.id, cost: cost))
                corrected.append(charge)
            }
            let rerating = Rerating(
                id: id, model: model, organization: organization, from: from, to: to,
                reason: body["reason"]?.string ?? "", records: charges.count, corrected: corrections.count,
                before: before, after: after, createdBy: context.actor, createdAt: context.time
            )
            try ReratingStore.insert(rerating, corrections, of: corrected, &tx, permit)
            return Change(rerating, in: organization, after: rerating)
        }
        return try await outcome.resolved { try await self.get(ReratingID($0)) }
    }

    private static func period(_ body: JSONValue) throws(ControlError) -> (Timestamp, Timestamp) {
        guard let from = body["from"]?.string.flatMap({ Timestamp($0) }),
            let to = body["to"]?.string.flatMap({ Timestamp($0) }), from < to,
            to <= from.adding(seconds: Rerating.periodLimit)
        else { throw .invalid("It must be after `from`, by at most 31 days.", at: "/to") }
        return (from, to)
    }

    private static func organization(_ body: JSONValue, _ tx: inout Transaction) throws -> OrganizationID? {
        guard let text = body["organization"]?.string else { return nil }
        guard let id = OrganizationID(text), let node = try ScopeNodeStore.find(id.node, &tx, lock: .share),
            node.reference.kind == .organization
        else { throw ControlError.invalid("There is no such organization.", at: "/organization") }
        return id
    }

    /// The records with what they cost by now.
    private static func charges(
        _ model: ModelID, _ organization: OrganizationID?, _ from: Timestamp, _ to: Timestamp, _ tx: inout Transaction
    ) throws -> [ReratingStore.Charge] {
        var charges = try ReratingStore.charges(model, organization, from: from, to: to, &tx)
        guard charges.count <= Rerating.recordsLimit else {
            throw ControlError.conflict(
                "too_many", "There are more than \(Rerating.recordsLimit) records: take a shorter period.")
        }
        let corrected = try ReratingStore.corrected(model, from: from, to: to, &tx)
        for index in charges.indices {
            guard let earlier = corrected[charges[index].place] else { continue }
            charges[index].price = earlier.price
            charges[index].cost = earlier.cost
        }
        return charges
    }
}

extension UsageCorrection {
    init(_ charge: ReratingStore.Charge, price: PriceID, cost: NanoUSD) {
        self.init(
            stream: charge.stream, sequence: charge.sequence, request: charge.request,
            organization: charge.organization, project: charge.project, key: charge.key, started: charge.started,
            priceBefore: charge.price, priceAfter: price, before: charge.cost, after: cost
        )
    }
}

/// The endpoints of re-ratings.
package enum ReratingRoutes {
    package static func endpoints(_ reratings: Reratings) -> [Endpoint] {
        let routes = ResourceRoutes<ReratingKind, Rerating>(
            path: "reratings", name: "reratings", title: "a re-rating", schema: Rerating.schema, json: \.json,
            id: \.id, revision: { _ in 1 }, isOfInstance: true
        )
        return [
            routes.create(.reratingsCreate, Rerating.creationSchema) { call in
                try await reratings.create(call.body, as: call.context)
            },
            routes.list(.reratingsRead, [QueryParameter("model", .id(ModelKind.self), "Those of one model.")]) {
                call, page in
                try await reratings.list(model: call.filter("model"), page)
            },
            routes.get(.reratingsRead) { id, _ in try await reratings.get(id) },
            Endpoint(
                .get, "/v1/reratings/{id}/corrections", "reratings.corrections", "List what a re-rating corrected",
                auth: .instance(.reratingsRead), query: PageRequest.parameters,
                success: .json(.page(of: UsageCorrection.schema))
            ) { call in
                try await reratings.corrections(
                    of: try call.id(), try PageRequest(call, size: UsageCorrection.positionSize)
                ).answer(\.json)
            },
        ]
    }
}
