import Postgres
import Shared

/// What ends with a user, a group or a service account, in the transaction that removes it.
enum SubjectEnd {
    /// Its tokens are revoked; it is in no group any more, nobody is in it, and nothing is bound to it.
    static func end(
        _ subject: AccessSubject, at time: Timestamp, _ tx: inout Transaction, _: borrowing Permit
    ) throws {
        if subject.kind == .group {
            _ = try tx.execute(
                "update group_member set deleted_at = $2 where group_id = $1 and deleted_at is null", subject.id, time)
        } else {
            _ = try tx.execute(
                """
                update api_token set revoked_at = $3, updated_at = $3, revision = revision + 1
                where subject_id = $1 and subject_kind = $2 and revoked_at is null
                """, subject.id, subject.kind.rawValue, time)
        }
        _ = try tx.execute(
            """
            update group_member set deleted_at = $3 where member_id = $1 and member_kind = $2 and deleted_at is null
            """, subject.id, subject.kind.rawValue, time)
        _ = try tx.execute(
            """
            update role_binding set deleted_at = $3, updated_at = $3, revision = revision + 1
            where subject_id = $1 and subject_kind = $2 and deleted_at is null
            """, subject.id, subject.kind.rawValue, time)
    }
}
