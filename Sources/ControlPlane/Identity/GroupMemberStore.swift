import Postgres
import Shared

/// The SQL of who is in which group.
enum GroupMemberStore {
    /// The members of a group after a position.
    static func list(
        of group: GroupID, after: AccessSubject?, limit: Int, _ tx: inout Transaction
    ) throws -> [GroupMember] {
        try tx.query(
            """
            select member_kind, member_id, created_at from group_member
            where group_id = $1 and deleted_at is null
                and ($2::text is null or (member_kind, member_id) > ($2, $3::uuid))
            order by member_kind, member_id limit $4
            """, group, after?.kind.rawValue, after?.id, limit
        ).compactMap { row in
            guard let kind = AccessSubject.Kind(rawValue: try row.get("member_kind")) else { return nil }
            return GroupMember(
                member: AccessSubject(kind, try row.get("member_id")), since: try row.get("created_at"))
        }
    }

    /// The groups that somebody is in, by identifier.
    static func groups(of subject: AccessSubject, _ page: PageRequest, _ tx: inout Transaction) throws -> [HeldGroup] {
        try tx.query(
            """
            with recursive up (id, direct) as (
                select group_id, true from group_member
                where member_id = $1 and member_kind = $2 and deleted_at is null
                union
                select m.group_id, false from up u
                join group_member m on m.member_id = u.id and m.member_kind = 'group' and m.deleted_at is null
            )
            select g.id, g.name, g.status, h.direct
            from (select id, bool_or(direct) as direct from up group by id) h join user_group g on g.id = h.id
            where g.deleted_at is null and ($3::uuid is null or g.id > $3)
            order by g.id limit $4
            """, subject.id, subject.kind.rawValue, page.afterID, page.fetchLimit
        ).map { row in
            HeldGroup(
                id: try row.get("id"), name: try row.get("name"), status: try ActiveStatus(row),
                isDirect: try row.get("direct"))
        }
    }

    static func has(_ member: AccessSubject, in group: GroupID, _ tx: inout Transaction) throws -> GroupMember? {
        try tx.queryOne(
            """
            select created_at from group_member
            where group_id = $1 and member_kind = $2 and member_id = $3 and deleted_at is null
            """, group, member.kind.rawValue, member.id
        ).map { GroupMember(member: member, since: try $0.get("created_at")) }
    }

    /// Whether there is such a user, group or service account in a partition.
    static func exists(
        _ subject: AccessSubject, in partition: AccessPartition, _ tx: inout Transaction
    ) throws -> Bool {
        let table: SQL =
            switch subject.kind {
            case .user: "user_account"
            case .group: "user_group"
            case .serviceAccount: "service_account"
            }
        return try tx.queryOne(
            "select true as found from " + table
                + " where id = $1 and access_partition(organization_id) = access_partition($2) and deleted_at is null",
            subject.id, partition.organization
        ) != nil
    }

    /// How groups would be nested if one were put into another.
    struct Nesting {
        /// The group that is put in is above the one that it is put into, or is that itself.
        let isCycle: Bool
        /// Groups on the longest way through both.
        let depth: Int
    }

    static func nesting(of inner: GroupID, in outer: GroupID, _ tx: inout Transaction) throws -> Nesting {
        let row = try tx.queryOne(
            """
            with recursive above (id, depth) as (
                select $1::uuid, 1
                union
                select m.group_id, a.depth + 1 from above a
                join group_member m on m.member_id = a.id and m.member_kind = 'group' and m.deleted_at is null
                where a.depth <= $3::bigint
            ), below (id, depth) as (
                select $2::uuid, 1
                union
                select m.member_id, b.depth + 1 from below b
                join group_member m on m.group_id = b.id and m.member_kind = 'group' and m.deleted_at is null
                where b.depth <= $3::bigint
            )
            select (select bool_or(id = $2) from above) as cycle,
                (select max(depth) from above) + (select max(depth) from below) as depth
            """, outer, inner, UserGroup.depthLimit)
        return Nesting(isCycle: try row?.get("cycle") ?? true, depth: try row?.get("depth") ?? .max)
    }

    static func add(
        _ member: GroupMember, to group: UserGroup, _ tx: inout Transaction, _: borrowing Permit
    ) throws {
        _ = try tx.execute(
            """
            insert into group_member (group_id, member_kind, member_id, organization_id, created_at)
            values ($1, $2, $3, $4::uuid, $5)
            on conflict (group_id, member_kind, member_id) do update
            set deleted_at = null, created_at = excluded.created_at
            """, group.id, member.member.kind.rawValue, member.member.id, group.organization, member.since)
    }

    static func remove(
        _ member: AccessSubject, from group: UserGroup, at time: Timestamp, _ tx: inout Transaction,
        _: borrowing Permit
    ) throws {
        _ = try tx.execute(
            """
            update group_member set deleted_at = $4
            where group_id = $1 and member_kind = $2 and member_id = $3 and deleted_at is null
            """, group.id, member.kind.rawValue, member.id, time)
    }
}
