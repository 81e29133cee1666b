import Crypto
import Postgres
import Shared

/// The keys that personal data is under, one for each subject.
///
/// Without its key, what is about a subject is gone. The key of a person who was forgotten is destroyed and never made again.
enum SubjectKeys {
    private static func context(_ subject: UUIDValue) -> String { "gatehouse subject|\(Crockford.encode(subject))" }

    /// `value` under the subject's key, as a leaf holds it; nil when the subject was forgotten: it is kept nowhere.
    ///
    /// - Parameter event: what names the leaf; authenticated, so that what is sealed cannot be moved to another one.
    static func seal(
        _ tx: inout Transaction, _ value: JSONValue, of subject: (id: UUIDValue, text: String), in event: String,
        keys: KeyEncryptionKeys
    ) throws -> JSONValue? {
        guard let key = try Self.key(of: subject.id, &tx, keys: keys) else { return nil }
        let context = "gatehouse audit|\(event)|\(subject.text)"
        let box = try AES.GCM.seal(value.utf8, using: key, authenticating: Array(context.utf8))
        guard let combined = box.combined else {
            throw ControlError(.unavailable, "audit_unavailable", "The change could not be recorded.")
        }
        return ["subject": .string(subject.text), "sealed": .string(Base64URL.encode(combined))]
    }

    /// What there is of a subject's key.
    private enum Found {
        case none
        case key(SymmetricKey)
        case destroyed

        var key: SymmetricKey? { if case .key(let key) = self { key } else { nil } }
    }

    /// The subject's key, made when there is none; nil when it was destroyed.
    private static func key(
        of subject: UUIDValue, _ tx: inout Transaction, keys: KeyEncryptionKeys
    ) throws -> SymmetricKey? {
        let found = try Self.find(subject, &tx, keys)
        guard case .none = found else { return found.key }
        let wrapped = try keys.wrap(SymmetricKey(size: .bits256), context: Self.context(subject))
        _ = try tx.execute(
            "insert into subject_key (subject_id, kek_id, wrapped_key) values ($1, $2, $3) on conflict do nothing",
            subject, wrapped.kekID, wrapped.bytes
        )
        let made = try Self.find(subject, &tx, keys)
        if case .none = made {
            throw ControlError(.unavailable, "busy", "The subject's key is not there yet; try again.")
        }
        return made.key
    }

    private static func find(
        _ subject: UUIDValue, _ tx: inout Transaction, _ keys: KeyEncryptionKeys
    ) throws -> Found {
        let row = try tx.queryOne("select kek_id, wrapped_key from subject_key where subject_id = $1", subject)
        guard let row else { return .none }
        guard let kek = try row.optional("kek_id", as: String.self) else { return .destroyed }
        let wrapped = WrappedKey(kekID: kek, bytes: try row.get("wrapped_key"))
        return .key(try keys.unwrap(wrapped, context: Self.context(subject)))
    }

    // MARK: Forgetting

    /// Destroys the subject's key, for good: what is under it can never be read again, and nothing comes under another one.
    static func destroy(
        _ subject: UUIDValue, at time: Timestamp, _ tx: inout Transaction, _: borrowing Permit
    ) throws {
        _ = try tx.execute(
            """
            insert into subject_key (subject_id, kek_id, wrapped_key, forgotten_at) values ($1, null, null, $2)
            on conflict (subject_id) do update set kek_id = null, wrapped_key = null, forgotten_at = $2
            where subject_key.forgotten_at is null
            """, subject, time)
    }

    /// Those of some subjects whose keys were destroyed.
    static func destroyed(among subjects: Set<UUIDValue>, _ tx: inout Transaction) throws -> Set<UUIDValue> {
        guard !subjects.isEmpty else { return [] }
        let rows = try tx.query(
            "select subject_id from subject_key where subject_id = any($1) and forgotten_at is not null",
            subjects.map { SQLUUID(high: $0.high, low: $0.low) })
        return Set(try rows.map { try $0.get("subject_id") })
    }
}
