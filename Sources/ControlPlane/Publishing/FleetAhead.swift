import Postgres
import Shared

/// What gateways of a group have seen beyond what this database knows: it was restored from an older state.
struct FleetAhead: Sendable {
    /// A gateway's word that there is a version that we do not know, or know as another one.
    struct Report: Sendable {
        let gateway: GatewayID
        let version: SnapshotVersion
        /// The hash of the manifest that it serves.
        let manifest: [UInt8]
    }

    /// The report of the highest version that is above ours or is another one than ours.
    var report: Report?
    var version: SnapshotVersion? { self.report?.version }
    /// The highest sequence and keyring epoch reported, ahead or not.
    var sequence = 0
    var keyringEpoch = 0

    /// Epochs beyond ours that a report may name: a gateway that says nonsense must not use up the numbers.
    static let epochsLimit: Int64 = 1000

    static func find(_ tx: inout Transaction, group: GatewayGroupID) throws -> FleetAhead {
        var found = FleetAhead()
        found.report = try tx.queryOne(
            """
            with newest as (
                select epoch, version from snapshot where group_id = $1 order by epoch desc, version desc limit 1),
            ours as (
                select coalesce((select epoch from newest), 0) as epoch,
                    coalesce((select version from newest), 0) as version)
            select g.id, s.epoch, s.version, s.manifest from gateway_status s
            join gateway g on g.id = s.gateway_id
            cross join ours
            left join snapshot p on p.group_id = g.group_id and p.epoch = s.epoch and p.version = s.version
            where g.group_id = $1 and g.status = 'active' and s.epoch > 0 and s.epoch <= ours.epoch + $2::bigint
                and (p.manifest_sha256 is null or p.manifest_sha256 <> s.manifest)
                and (s.epoch, s.version) >= (ours.epoch, ours.version)
            order by s.epoch desc, s.version desc limit 1
            """, group, Self.epochsLimit
        ).map {
            Report(
                gateway: try $0.get("id"),
                version: SnapshotVersion(
                    epoch: Int(try $0.get("epoch", as: Int32.self)), version: Int(try $0.get("version", as: Int64.self))
                ),
                manifest: try $0.get("manifest")
            )
        }
        let highest = try tx.queryOne(
            """
            select coalesce(max(s.sequence) filter (where s.sequence < 1::bigint << 62), 0) as sequence,
                coalesce(max(s.keyring_epoch) filter (where s.keyring_epoch <= m.key_epoch + $2::bigint), 0) as keyring
            from gateway_status s join gateway g on g.id = s.gateway_id join gateway_group m on m.id = g.group_id
            where g.group_id = $1 and g.status = 'active'
            """, group, Self.epochsLimit
        )
        if let highest {
            found.sequence = Int(try highest.get("sequence", as: Int64.self))
            found.keyringEpoch = Int(try highest.get("keyring", as: Int32.self))
        }
        return found
    }
}
