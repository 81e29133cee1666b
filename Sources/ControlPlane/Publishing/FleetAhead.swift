import Postgres
import Shared

/// What gateways of a group have seen beyond what this database knows: it was restored from an older state.
struct FleetAhead: Sendable {
    /// The highest version reported that is above ours or is another one than ours.
    var version: SnapshotVersion?
    /// The highest sequence and keyring epoch reported, ahead or not.
    var sequence = 0
    var keyringEpoch = 0

    /// Epochs beyond ours that a report may name: a gateway that says nonsense must not use up the numbers.
    static let epochsLimit: Int64 = 1000

    static func find(_ tx: inout Transaction, group: GatewayGroupID) throws -> FleetAhead {
        var found = FleetAhead()
        found.version = try tx.queryOne(
            """
            with ours as (
                select coalesce(max(epoch), 0) as epoch, coalesce(max(version) filter (where epoch = (
                    select max(epoch) from snapshot where group_id = $1)), 0) as version
                from snapshot where group_id = $1)
            select s.epoch, s.version from gateway_status s
            join gateway g on g.id = s.gateway_id
            cross join ours
            left join snapshot p on p.group_id = g.group_id and p.epoch = s.epoch and p.version = s.version
            where g.group_id = $1 and g.status = 'active' and s.epoch > 0 and s.epoch <= ours.epoch + $2::bigint
                and (p.manifest_sha256 is null or p.manifest_sha256 <> s.manifest)
                and (s.epoch, s.version) >= (ours.epoch, ours.version)
            order by s.epoch desc, s.version desc limit 1
            """, group, Self.epochsLimit
        ).map {
            SnapshotVersion(
                epoch: Int(try $0.get("epoch", as: Int32.self)), version: Int(try $0.get("version", as: Int64.self))
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
