import Crypto
import Postgres
import Shared

/// The keys that personal data is under, one for each subject.
///
/// Without its key, what is about a subject is gone.
enum SubjectKeys {
    private static func context(_ subject: UUIDValue) -> String { "gatehouse subject|\(Crockford.encode(subject))" }

    /// `value` under the subject's key, as a leaf holds it.
    ///
    /// - Parameter event: what names the leaf; authenticated, so that what is sealed cannot be moved to another one.
    static func seal(
        _ tx: inout Transaction, _ value: JSONValue, of subject: (id: UUIDValue, text: String), in event: String,
        keys: KeyEncryptionKeys
    ) throws -> JSONValue {
        let key = try Self.key(of: subject.id, &tx, keys: keys)
        let context = "gatehouse audit|\(event)|\(subject.text)"
        let box = try AES.GCM.seal(value.utf8, using: key, authenticating: Array(context.utf8))
        guard let combined = box.combined else {
            throw ControlError(.unavailable, "audit_unavailable", "The change could not be recorded.")
        }
        return ["subject": .string(subject.text), "sealed": .string(Base64URL.encode(combined))]
    }

    /// The subject's key; made when there is none.
    static func key(of subject: UUIDValue, _ tx: inout Transaction, keys: KeyEncryptionKeys) throws -> SymmetricKey {
        if let found = try Self.find(subject, &tx, keys) { return found }
        let wrapped = try keys.wrap(SymmetricKey(size: .bits256), context: Self.context(subject))
        _ = try tx.execute(
            "insert into subject_key (subject_id, kek_id, wrapped_key) values ($1, $2, $3) on conflict do nothing",
            subject, wrapped.kekID, wrapped.bytes
        )
        guard let made = try Self.find(subject, &tx, keys) else {
            throw ControlError(.unavailable, "busy", "The subject's key is not there yet; try again.")
        }
        return made
    }

    private static func find(
        _ subject: UUIDValue, _ tx: inout Transaction, _ keys: KeyEncryptionKeys
    ) throws -> SymmetricKey? {
        let row = try tx.queryOne("select kek_id, wrapped_key from subject_key where subject_id = $1", subject)
        guard let row else { return nil }
        let wrapped = WrappedKey(kekID: try row.get("kek_id"), bytes: try row.get("wrapped_key"))
        return try keys.unwrap(wrapped, context: Self.context(subject))
    }
}
