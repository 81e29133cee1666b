import Postgres
import Shared

/// Drops blobs that no snapshot needs any more.
enum BlobPruning {
    /// Snapshots of each group whose documents are kept, so that a gateway that is slow to fetch still finds them.
    static let snapshotsKept = 20

    /// - Returns: how many were dropped.
    static func prune(_ tx: inout Transaction) throws -> Int {
        try tx.execute(
            """
            delete from blob b
            where b.created_at < now() - interval '1 hour'
              and not exists (select from snapshot_chunk c where c.sha256 = b.sha256)
              and not exists (
                select from (
                    select manifest_sha256, keyring_sha256,
                        row_number() over (partition by group_id order by epoch desc, version desc) as age
                    from snapshot) s
                where s.age <= $1 and (s.manifest_sha256 = b.sha256 or s.keyring_sha256 = b.sha256))
            """, Int64(Self.snapshotsKept)
        )
    }
}
