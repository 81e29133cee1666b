import Crypto
package import Postgres
package import Shared

/// The key-encryption keys of gateway groups.
package enum GroupKeys {
    private static func context(_ group: GatewayGroupID, _ epoch: Int) -> String { "gatehouse group|\(group)|\(epoch)" }

    /// Gives a group a new key; its credentials are encrypted anew with the next snapshot.
    ///
    /// - Parameter floor: an epoch that the new key's must be above.
    /// - Returns: the new key's epoch.
    @discardableResult
    package static func rotate(
        _ tx: inout Transaction, group: GatewayGroupID, above floor: Int = 0, keys: KeyEncryptionKeys
    ) throws -> Int {
        let row = try tx.queryOne(
            "update gateway_group set key_epoch = greatest(key_epoch, $2) + 1 where id = $1 returning key_epoch",
            group, Int32(floor)
        )
        guard let row else { throw PublishingFailure("\(group) does not exist") }
        let epoch = Int(try row.get("key_epoch", as: Int32.self))
        let wrapped = try keys.wrap(SymmetricKey(size: .bits256), context: Self.context(group, epoch))
        _ = try tx.execute(
            "insert into gateway_group_key (group_id, epoch, kek_id, wrapped_key) values ($1, $2, $3, $4)",
            group, Int32(epoch), wrapped.kekID, wrapped.bytes
        )
        return epoch
    }

    static func load(
        _ tx: inout Transaction, group: GatewayGroupID, epoch: Int, keys: KeyEncryptionKeys
    ) throws -> SymmetricKey {
        let row = try tx.queryOne(
            "select kek_id, wrapped_key from gateway_group_key where group_id = $1 and epoch = $2", group, Int32(epoch)
        )
        guard let row else { throw PublishingFailure("\(group) has no key of epoch \(epoch)") }
        let wrapped = WrappedKey(kekID: try row.get("kek_id"), bytes: try row.get("wrapped_key"))
        return try keys.unwrap(wrapped, context: Self.context(group, epoch))
    }
}
