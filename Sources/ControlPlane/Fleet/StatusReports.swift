package import Postgres
package import Shared

/// What gateways say of themselves.
package enum StatusReports {
    /// Records a report.
    package static func record(
        _ tx: inout Transaction, _ report: StatusReport, from caller: GatewayCaller, now: Timestamp
    ) throws {
        let nack = report.refused
        _ = try tx.execute(
            """
            insert into gateway_status (gateway_id, process, seen_at, epoch, version, manifest, keyring_epoch, sequence,
                nack_epoch, nack_version, nack_code, nack_chunk, nack_message)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
            on conflict (gateway_id) do update set
                process = excluded.process, seen_at = excluded.seen_at, epoch = excluded.epoch,
                version = excluded.version, manifest = excluded.manifest, keyring_epoch = excluded.keyring_epoch,
                sequence = excluded.sequence, nack_epoch = excluded.nack_epoch, nack_version = excluded.nack_version,
                nack_code = excluded.nack_code, nack_chunk = excluded.nack_chunk, nack_message = excluded.nack_message
            """,
            caller.id, Int64(bitPattern: report.process), now, Int32(clamping: report.version.epoch),
            Int64(report.version.version), report.manifest, Int32(clamping: report.keyringEpoch),
            Int64(report.sequence), nack.map { Int32(clamping: $0.epoch) }, nack.map { Int64($0.version) },
            nack == nil ? nil : report.code, nack == nil ? nil : report.chunk, nack == nil ? nil : report.message
        )
        _ = try tx.execute(
            "update gateway set build = $2 where id = $1 and build <> $2", caller.id, Int32(clamping: report.build)
        )
    }
}
