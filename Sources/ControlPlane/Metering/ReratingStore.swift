import Postgres
import Shared

/// The SQL of re-ratings and their corrections.
enum ReratingStore {
    /// What a record was charged, and what it is charged by.
    struct Charge {
        let stream: UsageStreamID
        let sequence: Int64
        let arrived: Timestamp
        /// Whose sums it is in, or will be; nil until somebody made that series.
        var series: Int64?
        let request: RequestID
        let organization: OrganizationID
        let project: ProjectID
        let key: VirtualKeyID
        let started: Timestamp
        var price: PriceID?
        let adjustment: AdjustmentID?
        let tier: ServiceTier
        let units: UsageCounters
        /// With earlier corrections.
        var cost: NanoUSD

        var place: Place { Place(stream: self.stream, sequence: self.sequence) }
    }

    private static let units: SQL = Meter.allCases.reduce("") { $0 + ", e." + SQL(identifier: $1.name) }

    /// The charged records of a re-rating, at most one more than it may have; in the order of their arrival.
    static func charges(
        _ model: ModelID, _ organization: OrganizationID?, from: Timestamp, to: Timestamp, _ tx: inout Transaction
    ) throws -> [Charge] {
        let rows = try tx.query(
            "select e.ingested_at, e.stream_id, e.seq, s.id as series_id, e.request_id, e.organization_id, e.project_id,"
                + " e.key_id, e.started_at, e.price_id, e.adjustment_id, e.service_tier, e.cost_nano_usd" + Self.units
                    + """
                     from (select * from usage_event
                        where ingested_at >= $1 and model_id = $2 and started_at >= $3 and started_at < $4
                            and ($5::uuid is null or organization_id = $5) and price_id is not null
                        order by ingested_at, stream_id, seq limit $6) e
                    left join usage_series s on
                    """ + " " + RollupStore.isSeriesOfRecord + " order by e.ingested_at, e.stream_id, e.seq",
            from.adding(seconds: -UsageReading.clockTolerance), model, from, to, organization,
            Int64(Rerating.recordsLimit + 1)
        )
        return try rows.map { row in
            var units = UsageCounters()
            for meter in Meter.allCases { units[meter] = try row.get(meter.name) }
            let tier = ServiceTier(rawValue: UInt8(clamping: try row.get("service_tier", as: Int64.self)))
            return Charge(
                stream: try row.get("stream_id"), sequence: try row.get("seq"), arrived: try row.get("ingested_at"),
                series: try row.optional("series_id"), request: try row.get("request_id"),
                organization: try row.get("organization_id"), project: try row.get("project_id"),
                key: try row.get("key_id"), started: try row.get("started_at"), price: try row.optional("price_id"),
                adjustment: try row.optional("adjustment_id"), tier: tier ?? .standard, units: units,
                cost: try row.get("cost_nano_usd")
            )
        }
    }

    /// Which record a correction is of.
    struct Place: Hashable {
        let stream: UsageStreamID
        let sequence: Int64
    }

    /// What earlier re-ratings made of a model's records: of each the newest correction.
    static func corrected(
        _ model: ModelID, from: Timestamp, to: Timestamp, _ tx: inout Transaction
    ) throws -> [Place: (price: PriceID, cost: NanoUSD)] {
        var found: [Place: (price: PriceID, cost: NanoUSD)] = [:]
        let rows = try tx.query(
            """
            select distinct on (stream_id, seq) stream_id, seq, price_after, after_nano_usd from usage_correction
            where model_id = $1 and started_at >= $2 and started_at < $3
            order by stream_id, seq, number desc
            """, model, from, to
        )
        for row in rows {
            let place = Place(stream: try row.get("stream_id"), sequence: try row.get("seq"))
            found[place] = (try row.get("price_after"), try row.get("after_nano_usd"))
        }
        return found
    }

    /// What corrections change together.
    private static func difference(_ corrections: [UsageCorrection]) throws(ControlError) -> Int64 {
        var difference: Int64 = 0
        for correction in corrections {
            let (sum, overflow) = difference.addingReportingOverflow(correction.after.amount - correction.before.amount)
            guard !overflow else {
                throw .conflict(
                    "too_large", "What the records cost is more than can be added up: take a shorter period.")
            }
            difference = sum
        }
        return difference
    }

    /// The series of what is corrected.
    ///
    /// Most are known; of records that nobody folded yet some are not there, and made now.
    private static func series(of charges: [Charge], _ tx: inout Transaction) throws -> [Place: Int64] {
        var found: [Place: Int64] = [:]
        var missing: [Arrival: ClosedRange<Int64>] = [:]
        for charge in charges {
            if let series = charge.series {
                found[charge.place] = series
            } else {
                let arrival = Arrival(stream: charge.stream, at: charge.arrived)
                let known = missing[arrival] ?? charge.sequence...charge.sequence
                missing[arrival] = min(known.lowerBound, charge.sequence)...max(known.upperBound, charge.sequence)
            }
        }
        let batches = missing.map { arrival, numbers in
            RollupStore.Batch(
                stream: arrival.stream.value, from: numbers.lowerBound, to: numbers.upperBound, ingestedAt: arrival.at,
                records: Int64(numbers.count))
        }
        return found.merging(try RollupStore.series(&tx, of: batches)) { known, _ in known }
    }

    /// What came at once.
    private struct Arrival: Hashable {
        let stream: UsageStreamID
        let at: Timestamp
    }

    /// Stores a re-rating with its corrections, and notes that they are in no sum yet: see `Rollups`.
    ///
    /// - Parameter corrected: the charges of the corrections.
    static func insert(
        _ rerating: Rerating, _ corrections: [UsageCorrection], of corrected: [Charge], _ tx: inout Transaction,
        _: borrowing Permit
    ) throws {
        _ = try tx.execute(
            """
            insert into rerating (id, model_id, organization_id, from_at, to_at, reason, records, corrected,
                before_nano_usd, after_nano_usd, created_by_kind, created_by, created_at)
            values ($1, $2, $3::uuid, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
            """,
            rerating.id, rerating.model, rerating.organization, rerating.from, rerating.to, rerating.reason,
            Int64(rerating.records), Int64(rerating.corrected), rerating.before, rerating.after,
            rerating.createdBy.kind.rawValue, rerating.createdBy.id, rerating.createdAt
        )
        guard let last = corrected.map(\.arrived).max() else { return }
        let series = try Self.series(of: corrected, &tx)
        _ = try tx.copyIn(
            """
            usage_correction (rerating_id, stream_id, seq, request_id, organization_id, project_id, key_id, model_id,
                started_at, price_before, price_after, before_nano_usd, after_nano_usd, series_id)
            """
        ) { copy in
            for correction in corrections {
                let place = Place(stream: correction.stream, sequence: correction.sequence)
                try copy.row(
                    rerating.id, correction.stream, correction.sequence, correction.request, correction.organization,
                    correction.project, correction.key, rerating.model, correction.started, correction.priceBefore,
                    correction.priceAfter, correction.before, correction.after, series[place]
                )
            }
        }
        _ = try tx.execute(
            """
            insert into rerating_unfolded (rerating_id, corrections, difference_nano_usd, records_to, created_at)
            values ($1, $2, $3, $4, $5)
            """, rerating.id, Int64(corrections.count),
            try Self.difference(corrections), last, rerating.createdAt
        )
    }

    private static let columns: SQL = """
        select id, model_id, organization_id, from_at, to_at, reason, records, corrected, before_nano_usd,
            after_nano_usd, created_by_kind, created_by, created_at
        from rerating
        """

    static func fetch(_ id: ReratingID, _ tx: inout Transaction) throws -> Rerating {
        guard let row = try tx.queryOne(Self.columns + " where id = $1", id) else {
            throw ControlError.notFound("re-rating")
        }
        return try Self.read(row)
    }

    /// Newest first.
    static func list(model: ModelID?, _ page: PageRequest, _ tx: inout Transaction) throws -> [Rerating] {
        try tx.query(
            Self.columns + """
                 where ($1::uuid is null or model_id = $1) and ($2::uuid is null or id < $2) order by id desc limit $3
                """, model, page.afterID, page.fetchLimit
        ).map(Self.read)
    }

    static func corrections(of id: ReratingID, _ page: PageRequest, _ tx: inout Transaction) throws -> [UsageCorrection]
    {
        let stream = page.after.flatMap { UUIDValue(bytes: Array($0[..<16])) }
        let sequence = page.after.map { Int64(bitPattern: $0.bigEndianUInt64(at: 16)) }
        return try tx.query(
            """
            select stream_id, seq, request_id, organization_id, project_id, key_id, started_at, price_before,
                price_after, before_nano_usd, after_nano_usd
            from usage_correction
            where rerating_id = $1 and ($2::uuid is null or (stream_id, seq) > ($2, $3::bigint))
            order by stream_id, seq limit $4
            """, id, stream, sequence, page.fetchLimit
        ).map { row in
            UsageCorrection(
                stream: try row.get("stream_id"), sequence: try row.get("seq"), request: try row.get("request_id"),
                organization: try row.get("organization_id"), project: try row.get("project_id"),
                key: try row.get("key_id"), started: try row.get("started_at"),
                priceBefore: try row.optional("price_before"), priceAfter: try row.get("price_after"),
                before: try row.get("before_nano_usd"), after: try row.get("after_nano_usd")
            )
        }
    }

    @Sendable private static func read(_ row: Row) throws -> Rerating {
        let kind = Actor.Kind(rawValue: try row.get("created_by_kind")) ?? .anonymous
        return Rerating(
            id: try row.get("id"), model: try row.get("model_id"), organization: try row.optional("organization_id"),
            from: try row.get("from_at"), to: try row.get("to_at"), reason: try row.get("reason"),
            records: Int(try row.get("records", as: Int64.self)),
            corrected: Int(try row.get("corrected", as: Int64.self)), before: try row.get("before_nano_usd"),
            after: try row.get("after_nano_usd"),
            createdBy: Actor(kind: kind, id: try row.get("created_by")),
            createdAt: try row.get("created_at")
        )
    }
}
