import Crypto
import Postgres
import Shared

/// What there is to rebuild in a group.
struct DirtyChunks {
    var everything = false
    var keyring = false
    var types: Set<ChunkType> = []
    /// 16-bit prefixes of digests of changed keys.
    var keyPrefixes: Set<Int> = []

    var isEmpty: Bool { !self.everything && !self.keyring && self.types.isEmpty && self.keyPrefixes.isEmpty }
}

/// Builds one group's next snapshot inside one transaction: what is published is one state of the database.
struct SnapshotCompiler {
    let group: GatewayGroupID
    let deployment: DeploymentID
    let keys: KeyEncryptionKeys

    /// A snapshot that has a version but is not signed yet.
    struct Draft: Sendable {
        var manifest: Manifest
        var keyring: Keyring?
        /// Hash of the keyring to keep when there is no new one.
        var keyringSHA256: [UInt8]?
        /// The epoch that it is the first of, because gateways were ahead.
        var opening: EpochOpening?
    }

    /// Compiles what is dirty; nil when nothing is, and the newest snapshot is signed under the newest root.
    ///
    /// - Parameters:
    ///   - ahead: what gateways of the group have seen.
    ///   - root: the version of the root whose keys will sign.
    func compile(_ tx: inout Transaction, ahead: FleetAhead, root: Int, now: Timestamp) throws -> Draft? {
        guard
            let settings = try tx.queryOne(
                """
                select key_bucket_bits, max_stale_seconds, max_body_bytes, request_seconds,
                    unpriced_models, key_epoch
                from gateway_group where id = $1 and deleted_at is null
                """, self.group
            )
        else { return nil }
        var limits = Manifest.Limits()
        limits.keyBucketBits = Int(try settings.get("key_bucket_bits", as: Int32.self))
        limits.maxStaleSeconds = Int(try settings.get("max_stale_seconds", as: Int32.self))
        limits.maxBodyBytes = Int(try settings.get("max_body_bytes", as: Int32.self))
        limits.requestSeconds = Int(try settings.get("request_seconds", as: Int32.self))
        guard let unpriced = Manifest.UnpricedModels(name: try settings.get("unpriced_models")) else {
            throw PublishingFailure("the gateway group \(self.group) is of a newer release")
        }
        limits.unpricedModels = unpriced

        let last = try self.last(&tx)
        // First, because a new key marks everything.
        let keyEpoch = try self.keyEpoch(
            &tx, Int(try settings.get("key_epoch", as: Int32.self)), seen: ahead.keyringEpoch
        )
        var dirty = try self.takeDirty(&tx)
        if last == nil { dirty.everything = true }
        let pending = try tx.query(
            "delete from change_pending where group_id = $1 returning change_id", self.group
        ).map { try $0.get("change_id", as: ChangeID.self) }
        let isSigned = last?.manifest != nil && last?.rootVersion == root
        guard !dirty.isEmpty || ahead.version != nil || !isSigned else {
            if let last { try self.record(pending, &tx, in: last.version) }
            return nil
        }

        let groupKey = try self.groupKey(&tx, epoch: keyEpoch)
        if dirty.everything { try tx.clearChunks(self.group) }
        for type in ChunkType.allCases {
            if dirty.everything || dirty.types.contains(type) {
                try self.rebuild(type, &tx, limits: limits, keyEpoch: keyEpoch, groupKey: groupKey)
            } else if type == .keys && !dirty.keyPrefixes.isEmpty {
                let buckets = Set(dirty.keyPrefixes.map { $0 >> (16 - limits.keyBucketBits) })
                for bucket in buckets.sorted() { try self.rebuildKeys(bucket, &tx, bits: limits.keyBucketBits) }
            }
        }

        var version = SnapshotVersion(epoch: 1, version: 1)
        if let last { version = SnapshotVersion(epoch: last.version.epoch, version: last.version.version + 1) }
        var opening: EpochOpening?
        // Also for another manifest under our own number: what those gateways have seen is not what we go on from.
        if let proof = ahead.report, proof.version >= last?.version ?? version {
            version = SnapshotVersion(epoch: proof.version.epoch + 1, version: 1)
            opening = EpochOpening(group: self.group, before: last?.version, after: version, proof: proof)
        }

        var keyring: Keyring?
        if dirty.everything || dirty.keyring || last?.keyring == nil || last?.keyringEpoch != keyEpoch
            || last?.rootVersion != root
        {
            keyring = try self.buildKeyring(&tx, epoch: keyEpoch, key: groupKey)
        }
        let manifest = Manifest(
            deployment: self.deployment, group: self.group, version: version, created: now,
            previous: last?.payload ?? [], keyringEpoch: keyEpoch, limits: limits, chunks: try self.chunks(&tx)
        )
        // The fence: whoever inserts the version may sign it.
        _ = try tx.execute(
            """
            insert into snapshot (group_id, epoch, version, keyring_epoch, root_version) values ($1, $2, $3, $4, $5)
            """, self.group, Int32(version.epoch), Int64(version.version), Int32(keyEpoch), Int32(root)
        )
        try self.record(pending, &tx, in: version)
        if let opening { try opening.append(&tx, by: self.deployment, at: now) }
        return Draft(manifest: manifest, keyring: keyring, keyringSHA256: last?.keyring, opening: opening)
    }

    private struct Last {
        var version: SnapshotVersion
        var manifest: [UInt8]?
        var payload: [UInt8]?
        var keyring: [UInt8]?
        var keyringEpoch: Int
        var rootVersion: Int
    }

    private func last(_ tx: inout Transaction) throws -> Last? {
        let row = try tx.queryOne(
            """
            select epoch, version, manifest_sha256, payload_sha256, keyring_sha256, keyring_epoch, root_version
            from snapshot where group_id = $1 order by epoch desc, version desc limit 1
            """, self.group
        )
        guard let row else { return nil }
        return Last(
            version: SnapshotVersion(
                epoch: Int(try row.get("epoch", as: Int32.self)), version: Int(try row.get("version", as: Int64.self))
            ),
            manifest: try row.optional("manifest_sha256"), payload: try row.optional("payload_sha256"),
            keyring: try row.optional("keyring_sha256"),
            keyringEpoch: Int(try row.get("keyring_epoch", as: Int32.self)),
            rootVersion: Int(try row.get("root_version", as: Int32.self))
        )
    }

    private func takeDirty(_ tx: inout Transaction) throws -> DirtyChunks {
        var dirty = DirtyChunks()
        let rows = try tx.query("delete from snapshot_dirty where group_id = $1 returning type, bucket", self.group)
        for row in rows {
            let type = try row.get("type", as: Int32.self)
            let bucket: Int32? = try row.optional("bucket")
            switch (type, bucket) {
            case (0, _): dirty.everything = true
            case (100, _): dirty.keyring = true
            case (_, let bucket?): dirty.keyPrefixes.insert(Int(bucket) & 0xFFFF)
            default: if let known = ChunkType(rawValue: UInt8(clamping: type)) { dirty.types.insert(known) }
            }
        }
        return dirty
    }

    private func record(_ changes: [ChangeID], _ tx: inout Transaction, in version: SnapshotVersion) throws {
        for change in changes {
            _ = try tx.execute(
                """
                insert into change_publication (change_id, group_id, epoch, version) values ($1, $2, $3, $4)
                on conflict do nothing
                """, change, self.group, Int32(version.epoch), Int64(version.version)
            )
        }
    }

    // MARK: Chunks

    private func rebuild(
        _ type: ChunkType, _ tx: inout Transaction, limits: Manifest.Limits, keyEpoch: Int, groupKey: SymmetricKey
    ) throws {
        let queries = SnapshotQueries(group: self.group)
        let bits = limits.keyBucketBits
        let chunks: [Chunk]?
        switch type {
        case .nodes: chunks = SnapshotDocument.chunks(of: try queries.nodes(&tx), keyBits: bits)
        case .owners: chunks = SnapshotDocument.chunks(of: try queries.owners(&tx), keyBits: bits)
        case .policies: chunks = SnapshotDocument.chunks(of: try queries.policies(&tx), keyBits: bits)
        case .keys: chunks = SnapshotDocument.chunks(of: try queries.keys(&tx, bucket: nil, bits: bits), keyBits: bits)
        case .providers: chunks = SnapshotDocument.chunks(of: try queries.providers(&tx), keyBits: bits)
        case .credentials:
            let rows = try self.credentials(&tx, keyEpoch: keyEpoch, groupKey: groupKey)
            chunks = SnapshotDocument.chunks(of: rows, keyBits: bits)
        case .models: chunks = SnapshotDocument.chunks(of: try queries.models(&tx), keyBits: bits)
        case .routes: chunks = SnapshotDocument.chunks(of: try queries.routes(&tx), keyBits: bits)
        case .prices:
            let models = Set(try queries.models(&tx).map(\.id))
            let rows = try queries.prices(&tx).filter { $0.model.map { models.contains($0) } ?? true }
            chunks = SnapshotDocument.chunks(of: rows, keyBits: bits)
        case .adjustments: chunks = SnapshotDocument.chunks(of: try queries.adjustments(&tx), keyBits: bits)
        case .budgets: chunks = SnapshotDocument.chunks(of: try queries.budgets(&tx), keyBits: bits)
        case .rateLimits: chunks = SnapshotDocument.chunks(of: try queries.rateLimits(&tx), keyBits: bits)
        }
        guard let chunks else { throw PublishingFailure("the \(type.name) of \(self.group) do not fit a chunk") }
        try tx.replaceChunks(self.group, type, with: chunks)
    }

    private func rebuildKeys(_ bucket: Int, _ tx: inout Transaction, bits: Int) throws {
        let rows = try SnapshotQueries(group: self.group).keys(&tx, bucket: bucket, bits: bits)
        guard !rows.isEmpty else {
            try tx.removeChunk(self.group, ChunkType.keys.chunkName(bucket: bucket))
            return
        }
        guard let chunk = Chunk.encode(rows, bucket: bucket) else {
            throw PublishingFailure("the keys of bucket \(bucket) do not fit a chunk: raise key_bucket_bits")
        }
        try tx.storeChunk(self.group, chunk)
    }

    private func chunks(_ tx: inout Transaction) throws -> [ChunkReference] {
        try tx.query(
            """
            select name, type, sha256, size, raw_sha256, raw_size, count from snapshot_chunk
            where group_id = $1 order by type, name
            """, self.group
        ).map { row in
            guard let type = ChunkType(rawValue: UInt8(clamping: try row.get("type", as: Int32.self))) else {
                throw PublishingFailure("a stored chunk is of a newer release")
            }
            return ChunkReference(
                name: try row.get("name"), type: type, sha256: try row.get("sha256"),
                size: Int(try row.get("size", as: Int32.self)), rawSHA256: try row.get("raw_sha256"),
                rawSize: Int(try row.get("raw_size", as: Int32.self)), count: Int(try row.get("count", as: Int32.self))
            )
        }
    }

    // MARK: Secrets

    /// The epoch of the group's key: a new one when there is none, or when gateways know a later one, which was lost
    /// with the state that the database was restored from.
    private func keyEpoch(_ tx: inout Transaction, _ current: Int, seen: Int) throws -> Int {
        guard current == 0 || seen > current else { return current }
        return try GroupKeys.rotate(&tx, group: self.group, above: seen, keys: self.keys)
    }

    private func groupKey(_ tx: inout Transaction, epoch: Int) throws -> SymmetricKey {
        try GroupKeys.load(&tx, group: self.group, epoch: epoch, keys: self.keys)
    }

    private func credentials(
        _ tx: inout Transaction, keyEpoch: Int, groupKey: SymmetricKey
    ) throws -> [CredentialRow] {
        let rows = try tx.query(
            """
            select c.id, c.provider_id, c.status, c.version, c.kek_id, c.wrapped_key, c.ciphertext, s.sealed
            from credential c join provider p on p.id = c.provider_id
            left join gateway_group_credential s on s.group_id = $1 and s.credential_id = c.id
                and s.version = c.version and s.key_epoch = $2
            where c.deleted_at is null and p.deleted_at is null and (p.node_id is null or exists (
                select from scope_node n join gateway_group_organization g on g.organization_id = n.organization_id
                where n.id = p.node_id and g.group_id = $1))
            """, self.group, Int32(keyEpoch)
        )
        var result: [CredentialRow] = []
        for row in rows {
            let id: CredentialID = try row.get("id")
            let version = Int(try row.get("version", as: Int32.self))
            var sealed: [UInt8]? = try row.optional("sealed")
            if sealed == nil {
                let stored = SealedSecret(
                    key: WrappedKey(kekID: try row.get("kek_id"), bytes: try row.get("wrapped_key")),
                    ciphertext: try row.get("ciphertext")
                )
                let context = KeyEncryptionKeys.credentialContext(id, version: version)
                let bytes = try SealedCredential.seal(
                    try self.keys.open(stored, context: context).reveal(), key: groupKey, deployment: self.deployment,
                    group: self.group, credential: id, version: version
                )
                _ = try tx.execute(
                    """
                    insert into gateway_group_credential (group_id, credential_id, version, key_epoch, sealed)
                    values ($1, $2, $3, $4, $5)
                    """, self.group, id, Int32(version), Int32(keyEpoch), bytes
                )
                sealed = bytes
            }
            result.append(
                CredentialRow(
                    id: id, provider: try row.get("provider_id"), version: version, keyEpoch: keyEpoch,
                    sealed: sealed ?? [],
                    status: try row.get("status", as: String.self) == "active" ? .active : .disabled
                )
            )
        }
        return result
    }

    private func buildKeyring(_ tx: inout Transaction, epoch: Int, key: SymmetricKey) throws -> Keyring {
        var keyring = Keyring(deployment: self.deployment, group: self.group, epoch: epoch)
        let rows = try tx.query(
            "select id, sealing_key from gateway where group_id = $1 and status = 'active' order by id limit $2",
            self.group, Int64(Keyring.entriesLimit)
        )
        for row in rows {
            try keyring.seal(key, to: try row.get("id"), publicKey: try row.get("sealing_key"))
        }
        return keyring
    }
}
