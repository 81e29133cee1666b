import Postgres
import Shared

// The chunks of a group's newest snapshot, and the blobs they are stored in.

extension Transaction {
    /// Stores a chunk, unless the one that is there has the same content.
    func storeChunk(_ group: GatewayGroupID, _ chunk: Chunk) throws {
        let reference = chunk.reference
        let same = try self.queryOne(
            "select 1 as same from snapshot_chunk where group_id = $1 and name = $2 and raw_sha256 = $3",
            group, reference.name, reference.rawSHA256
        )
        guard same == nil else { return }
        _ = try self.execute(
            "insert into blob (sha256, bytes) values ($1, $2) on conflict do nothing", reference.sha256, chunk.blob
        )
        _ = try self.execute(
            """
            insert into snapshot_chunk (group_id, name, type, sha256, size, raw_sha256, raw_size, count)
            values ($1, $2, $3, $4, $5, $6, $7, $8)
            on conflict (group_id, name) do update set sha256 = excluded.sha256, size = excluded.size,
                raw_sha256 = excluded.raw_sha256, raw_size = excluded.raw_size, count = excluded.count
            """,
            group, reference.name, Int32(reference.type.rawValue), reference.sha256, Int32(reference.size),
            reference.rawSHA256, Int32(reference.rawSize), Int32(reference.count)
        )
    }

    func removeChunk(_ group: GatewayGroupID, _ name: String) throws {
        _ = try self.execute("delete from snapshot_chunk where group_id = $1 and name = $2", group, name)
    }

    func clearChunks(_ group: GatewayGroupID) throws {
        _ = try self.execute("delete from snapshot_chunk where group_id = $1", group)
    }

    /// Stores all chunks of a type; those that are no longer there go.
    func replaceChunks(_ group: GatewayGroupID, _ type: ChunkType, with chunks: [Chunk]) throws {
        _ = try self.execute(
            "delete from snapshot_chunk where group_id = $1 and type = $2 and not name = any ($3)",
            group, Int32(type.rawValue), chunks.map(\.reference.name)
        )
        for chunk in chunks { try self.storeChunk(group, chunk) }
    }
}
