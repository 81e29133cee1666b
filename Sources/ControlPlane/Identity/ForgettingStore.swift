import Postgres
import Shared

/// The SQL of forgetting a person: what is said of him in the clear.
enum ForgettingStore {
    /// What stands where a name did.
    private static let erased = "forgotten"

    /// What is looked at before somebody is forgotten: also of one who was deleted.
    struct Subject {
        /// Nil for the instance.
        let organization: OrganizationID?
        /// Where it is decided who may: the instance, when the organization is gone.
        let place: AccessScope
        let isDeleted: Bool
        let forgottenAt: Timestamp?
    }

    /// Nil when there never was such a user; otherwise he is held.
    static func find(_ id: UserID, held: Bool, _ tx: inout Transaction) throws -> Subject? {
        let locking: SQL = held ? " for no key update" : ""
        let row = try tx.queryOne(
            """
            select organization_id, deleted_at is not null as deleted, forgotten_at from user_account where id = $1
            """ + locking, id)
        guard let row else { return nil }
        let organization = try row.optional("organization_id", as: OrganizationID.self)
        let node = try organization.flatMap { try ScopeNodeStore.find($0.node, &tx) }
        return Subject(
            organization: organization, place: node?.scope ?? .instance, isDeleted: try row.get("deleted"),
            forgottenAt: try row.optional("forgotten_at"))
    }

    /// Why he was given something, or denied it.
    ///
    /// Before that ends, because afterwards it is not found by him; what ended earlier goes within a day or two.
    static func eraseReasons(of id: UserID, _ tx: inout Transaction, _: borrowing Permit) throws {
        _ = try tx.execute(
            """
            update role_binding set reason = '' where subject_id = $1 and subject_kind = 'user' and deleted_at is null
            """, id)
        _ = try tx.execute(
            """
            update deny_rule set name = $2 || ' ' || id, reason = ''
            where subject_id = $1 and subject_kind = 'user' and deleted_at is null
            """, id, Self.erased)
    }

    /// Everything else; he is deleted.
    static func erase(_ id: UserID, at time: Timestamp, _ tx: inout Transaction, _: borrowing Permit) throws {
        _ = try tx.execute(
            """
            update user_account set login = $2, name = $2, email = null, metadata = '{}', updated_at = $3,
                revision = revision + 1, forgotten_at = coalesce(forgotten_at, $3)
            where id = $1
            """, id, Self.erased, time)
        _ = try tx.execute(
            """
            update api_token set name = $2, allowed_networks = '{}', updated_at = $3, revision = revision + 1
            where subject_id = $1 and subject_kind = 'user'
            """, id, Self.erased, time)
        _ = try tx.execute(
            """
            update virtual_key set name = $2, metadata = '{}', updated_at = $3, revision = revision + 1
            where owner_id = $1 and owner_kind = 'user'
            """, id, Self.erased, time)
        for table: SQL in ["budget", "rate_limit"] {
            _ = try tx.execute(
                "update " + table + """
                     set name = $2, updated_at = $3, revision = revision + 1
                    where owner_id = $1 and owner_kind = 'user'
                    """, id, Self.erased, time)
        }
        _ = try tx.execute("delete from idempotency_key where actor_id = $1", id)
        // What he asked others to agree to, and what he said to them.
        _ = try tx.execute("update approval set body = null, reason = '' where requester_id = $1", id)
        _ = try tx.execute("update approval_vote set comment = '' where subject_id = $1", id)
    }
}
