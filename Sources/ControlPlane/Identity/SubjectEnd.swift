import Postgres
import Shared

/// What ends with a user, a group or a service account, in the transaction that removes it.
enum SubjectEnd {
    /// How much ended, for the audit log.
    struct Ended: Audited {
        let tokens: Int
        let memberships: Int
        let bindings: Int
        let denyRules: Int

        var auditState: JSONValue {
            [
                "ended": [
                    "tokens": .integer(Int64(self.tokens)), "memberships": .integer(Int64(self.memberships)),
                    "bindings": .integer(Int64(self.bindings)), "deny_rules": .integer(Int64(self.denyRules)),
                ]
            ]
        }
    }

    /// Its tokens are revoked; it is in no group any more, nobody is in it, nothing is bound to it, and no deny rule is about
    /// it.
    static func end(
        _ subject: AccessSubject, at time: Timestamp, _ tx: inout Transaction, _: borrowing Permit
    ) throws -> Ended {
        var (tokens, memberships) = (0, 0)
        if subject.kind == .group {
            memberships = try tx.execute(
                "update group_member set deleted_at = $2 where group_id = $1 and deleted_at is null", subject.id, time)
        } else {
            tokens = try tx.execute(
                """
                update api_token set revoked_at = $3, updated_at = $3, revision = revision + 1
                where subject_id = $1 and subject_kind = $2 and revoked_at is null
                """, subject.id, subject.kind.rawValue, time)
        }
        memberships += try tx.execute(
            """
            update group_member set deleted_at = $3 where member_id = $1 and member_kind = $2 and deleted_at is null
            """, subject.id, subject.kind.rawValue, time)
        let bindings = try tx.execute(
            """
            update role_binding set deleted_at = $3, updated_at = $3, revision = revision + 1
            where subject_id = $1 and subject_kind = $2 and deleted_at is null
            """, subject.id, subject.kind.rawValue, time)
        let denyRules = try tx.execute(
            """
            update deny_rule set deleted_at = $3, updated_at = $3, revision = revision + 1
            where subject_id = $1 and subject_kind = $2 and deleted_at is null
            """, subject.id, subject.kind.rawValue, time)
        return Ended(tokens: tokens, memberships: memberships, bindings: bindings, denyRules: denyRules)
    }
}
