import Postgres
package import Shared

extension UsageEntry {
    /// The newest correction of a record.
    package struct Correction: Sendable, Hashable {
        package let rerating: ReratingID
        package let price: PriceID
        package let cost: NanoUSD

        var json: JSONValue {
            [
                "rerating": JSONValue(self.rerating), "price": JSONValue(self.price),
                "amount_nano_usd": .string(String(self.cost.amount)), "amount_usd": JSONValue(self.cost),
            ]
        }

        static let schema = Schema.object([
            .required("rerating", .id(ReratingKind.self)), .required("price", .id(PriceKind.self)),
            .required("amount_nano_usd", .decimal), .required("amount_usd", .string(.dollars)),
        ])
    }

    /// The same records with their newest corrections.
    static func corrected(_ entries: [UsageEntry], _ tx: inout Transaction) throws -> [UsageEntry] {
        guard !entries.isEmpty else { return [] }
        let rows = try tx.query(
            """
            select r.stream_id, r.seq, c.rerating_id, c.price_after, c.after_nano_usd
            from unnest($1::uuid[], $2::bigint[]) r (stream_id, seq)
            cross join lateral (
                select * from usage_correction where stream_id = r.stream_id and seq = r.seq order by number desc limit 1) c
            """, entries.map { SQLUUID(high: $0.stream.value.high, low: $0.stream.value.low) }, entries.map(\.sequence)
        )
        var found: [ReratingStore.Place: Correction] = [:]
        for row in rows {
            found[.init(stream: try row.get("stream_id"), sequence: try row.get("seq"))] = Correction(
                rerating: try row.get("rerating_id"), price: try row.get("price_after"),
                cost: try row.get("after_nano_usd"))
        }
        guard !found.isEmpty else { return entries }
        return entries.map { entry in
            var entry = entry
            entry.correction = found[.init(stream: entry.stream, sequence: entry.sequence)]
            return entry
        }
    }
}
