import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

/// Usage that is stored as an ingest would have, without gateways.
enum LedgerFixture {
    static let cost: Int64 = 7

    /// `count` records of one stream at one moment, with watermark, folded.
    static func add(_ tx: inout Transaction, _ count: Int64, at time: Timestamp) throws {
        let stream: UsageStreamID = TimeSource.system.newID()
        let id: OrganizationID = TimeSource.system.newID()
        let group: GatewayGroupID = TimeSource.system.newID()
        let gateway: GatewayID = TimeSource.system.newID()
        _ = try tx.execute("insert into gateway_group (id, name) values ($1, $2)", group, "\(group)")
        _ = try tx.execute(
            "insert into gateway (id, group_id, name, identity_key, sealing_key) values ($1, $2, 'g', $3, $3)",
            gateway, group, [UInt8](repeating: 1, count: 32)
        )
        _ = try tx.execute(
            "insert into usage_stream (id, gateway_id, last_seq) values ($1, $2, $3)", stream, gateway, count)
        _ = try tx.execute(
            """
            insert into usage_event select $1, $2, n, gen_random_uuid(), $3, $4, $4, $4, null, null, null, null, null, 0,
                $1, 1000, 10, 200, 1, true, false, 1, 1, 1, '', 100, 0, 0, 0, 50, 0, 0, 0, 0, 1, $5::bigint, $5::bigint
            from generate_series(1, $6::bigint) n
            """, time, stream, gateway, id, Self.cost, count
        )
        _ = try tx.execute(
            """
            insert into usage_unfolded (stream_id, from_seq, to_seq, ingested_at, records, cost_nano_usd)
            values ($1, 1, $2::bigint, $3, $2::bigint, $2::bigint * $4::bigint)
            """, stream, count, time, Self.cost
        )
        #expect(try Rollups.fold(&tx)?.records == count)
    }
}
