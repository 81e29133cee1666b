package import Postgres
package import Shared

/// The SQL of price proposals.
package enum PriceProposalStore {
    private static let columns: SQL = """
        select r.id, r.provider_id, n.organization_id, r.source, r.effective_at, r.status, r.requested_by_kind,
            r.requested_by, r.decided_by_kind, r.decided_by, r.decided_at, r.content_sha256, r.new_entries,
            r.changed_entries, r.unchanged_entries, r.unknown_entries, r.revision, r.created_at, r.updated_at
        from price_proposal r join provider p on p.id = r.provider_id left join scope_node n on n.id = p.node_id
        """

    package static func insert(
        _ proposal: PriceProposal, _ entries: [PriceProposal.Entry], _ tx: inout Transaction, _: borrowing Permit
    ) throws {
        let counts = PriceProposal.Effect.allCases.map { Int32(clamping: proposal.counts[$0] ?? 0) }
        _ = try tx.execute(
            """
            insert into price_proposal (id, provider_id, source, effective_at, status, requested_by_kind, requested_by,
                content_sha256, new_entries, changed_entries, unchanged_entries, unknown_entries, revision, created_at,
                updated_at)
            values ($1, $2, $3, $4::timestamptz, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14)
            """,
            proposal.id, proposal.provider, proposal.source, proposal.effectiveAt, proposal.status.rawValue,
            proposal.requestedBy.kind.rawValue, proposal.requestedBy.id, proposal.contentSHA256, counts[0], counts[1],
            counts[2], counts[3], proposal.stamps.revision, proposal.stamps.createdAt
        )
        for (position, entry) in entries.enumerated() {
            _ = try tx.execute(
                """
                insert into price_proposal_entry (proposal_id, position, model_name, model_id, effect, before_id,
                    uplift_ppm, items)
                values ($1, $2, $3, $4::uuid, $5, $6::uuid, $7, $8)
                """,
                proposal.id, Int64(position), entry.modelName, entry.model, entry.effect.rawValue, entry.before,
                entry.uplift.partsPerMillion, SQLJSON(JSONValue.array(entry.items.map { PriceItems.json($0) }).text)
            )
        }
    }

    package static func fetch(
        _ id: PriceProposalID, _ tx: inout Transaction, lock: ScopeNodeStore.Lock = .none
    ) throws -> PriceProposal {
        let locking: SQL = lock == .none ? "" : " for update of r"
        guard let row = try tx.queryOne(Self.columns + " where r.id = $1" + locking, id) else {
            throw ControlError.notFound("price proposal")
        }
        return try Self.read(row)
    }

    /// Newest first.
    package static func list(
        provider: ProviderID?, status: PriceProposal.Status?, _ page: PageRequest, _ tx: inout Transaction
    ) throws -> [PriceProposal] {
        try tx.query(
            Self.columns + """
                 where ($1::uuid is null or r.provider_id = $1) and ($2::text is null or r.status = $2)
                    and ($3::uuid is null or r.id < $3)
                order by r.id desc limit $4
                """, provider, status?.rawValue, page.afterID, page.fetchLimit
        ).map(Self.read)
    }

    /// The entries after a position, in the order of the proposal.
    package static func entries(
        of id: PriceProposalID, after position: Int64, limit: Int, _ tx: inout Transaction
    ) throws -> [(position: Int64, entry: PriceProposal.Entry)] {
        try tx.query(
            """
            select position, model_name, model_id, effect, before_id, uplift_ppm, items from price_proposal_entry
            where proposal_id = $1 and position > $2 order by position limit $3
            """, id, position, Int64(limit)
        ).map { row in
            let items = try JSONParser.parse(Array(try row.get("items", as: SQLJSON.self).text.utf8))
            return (
                try row.get("position"),
                PriceProposal.Entry(
                    modelName: try row.get("model_name"), model: try row.optional("model_id"),
                    effect: PriceProposal.Effect(rawValue: try row.get("effect")) ?? .unknownModel,
                    before: try row.optional("before_id"), items: try PriceItems.read(items),
                    uplift: PriceFactor(partsPerMillion: try row.get("uplift_ppm")) ?? .one
                )
            )
        }
    }

    package static func save(_ proposal: PriceProposal, _ tx: inout Transaction, _: borrowing Permit) throws {
        _ = try tx.execute(
            """
            update price_proposal set status = $2, decided_by_kind = $3::text, decided_by = $4::uuid,
                decided_at = $5::timestamptz, revision = $6, updated_at = $7
            where id = $1
            """,
            proposal.id, proposal.status.rawValue, proposal.decidedBy?.kind.rawValue, proposal.decidedBy?.id,
            proposal.decidedAt, proposal.stamps.revision, proposal.stamps.updatedAt
        )
    }

    /// The models of a provider by their names, held against removal.
    package static func models(
        of provider: ProviderID, named names: [String], _ tx: inout Transaction
    ) throws -> [String: ModelID] {
        var found: [String: ModelID] = [:]
        let rows = try tx.query(
            "select id, name from model where provider_id = $1 and name = any ($2) and deleted_at is null for share",
            provider, names
        )
        for row in rows { found[try row.get("name")] = try row.get("id") }
        return found
    }

    /// The prices of models that are in force at an instant.
    package static func prices(
        of models: [ModelID], at instant: Timestamp, _ tx: inout Transaction
    ) throws -> [ModelID: PriceID] {
        var found: [ModelID: PriceID] = [:]
        let rows = try tx.query(
            """
            select distinct on (model_id) model_id, id from price
            where model_id = any ($1) and effective_at <= $2 order by model_id, effective_at desc
            """, models.map { SQLUUID(high: $0.value.high, low: $0.value.low) }, instant
        )
        for row in rows { found[try row.get("model_id")] = try row.get("id") }
        return found
    }

    @Sendable private static func read(_ row: Row) throws -> PriceProposal {
        func actor(_ kind: String?, _ id: UUIDValue?) -> Actor? {
            guard let kind, let id else { return nil }
            return Actor(kind: Actor.Kind(rawValue: kind) ?? .anonymous, id: id)
        }
        let columns: [(PriceProposal.Effect, String)] = [
            (.new, "new_entries"), (.changed, "changed_entries"), (.unchanged, "unchanged_entries"),
            (.unknownModel, "unknown_entries"),
        ]
        var counts: [PriceProposal.Effect: Int] = [:]
        for (effect, column) in columns { counts[effect] = Int(try row.get(column, as: Int32.self)) }
        return PriceProposal(
            id: try row.get("id"), provider: try row.get("provider_id"),
            organization: try row.optional("organization_id"), source: try row.get("source"),
            effectiveAt: try row.optional("effective_at"),
            status: PriceProposal.Status(rawValue: try row.get("status")) ?? .rejected,
            requestedBy: actor(try row.get("requested_by_kind"), try row.get("requested_by")) ?? .anonymous,
            decidedBy: actor(try row.optional("decided_by_kind"), try row.optional("decided_by")),
            decidedAt: try row.optional("decided_at"), counts: counts, contentSHA256: try row.get("content_sha256"),
            stamps: try Stamps(row)
        )
    }
}
