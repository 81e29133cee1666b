import Postgres
import Shared

/// The SQL of approvals and of what was said to them.
enum ApprovalStore {
    private static let columns: SQL = """
        select a.id, a.organization_id, a.scope_id, n.kind as scope_kind, a.permission, a.method, a.path,
            a.body::text as body, a.before::text as before, a.after::text as after, a.request_sha256, a.requester_kind, a.requester_id, a.token_id, a.reason, a.rules, a.state,
            a.created_at, a.expires_at, a.decided_at, a.change_id
        from approval a left join scope_node n on n.id = a.scope_id
        """

    static func fetch(_ id: ApprovalID, _ tx: inout Transaction, forUpdate: Bool = false) throws -> Approval {
        let locking: SQL = forUpdate ? " for update of a" : ""
        let row = try tx.queryOne(self.columns + " where a.id = $1" + locking, id)
        guard let row else { throw ControlError.notFound("approval") }
        return try self.complete([try self.read(row)], &tx)[0]
    }

    /// The one that is open for a request, held; expired or not.
    static func open(
        _ submission: Submission, by requester: Actor, _ tx: inout Transaction
    ) throws -> Approval? {
        let row = try tx.queryOne(
            self.columns + """
                 where a.requester_id = $1 and a.request_sha256 = $2 and a.state in ('pending', 'approved')
                for update of a
                """, requester.id, submission.sha256)
        return try row.map { try self.complete([try self.read($0)], &tx)[0] }
    }

    /// How many a requester has that wait.
    static func openCount(of requester: Actor, at time: Timestamp, _ tx: inout Transaction) throws -> Int64 {
        try tx.queryOne(
            """
            select count(*) as count from approval
            where requester_id = $1 and state in ('pending', 'approved') and expires_at > $2
            """, requester.id, time)?.get("count") ?? 0
    }

    /// Newest first: those that are seen, or those of one requester.
    static func list(
        organization: OrganizationID?, state: Approval.State?, of requester: Actor?, at time: Timestamp,
        _ page: PageRequest, _ sight: Sight, _ tx: inout Transaction
    ) throws -> [Approval] {
        let open: SQL = "a.state in ('pending', 'approved')"
        let found = try tx.query(
            self.columns + """
                 where ($1::uuid is null or a.organization_id = $1) and ($2::uuid is null or a.id < $2)
                and ($4::text is null or ($4 in ('pending', 'approved') and a.state = $4 and a.expires_at > $5)
                    or ($4 = 'expired' and (a.state = 'expired' or (
                """ + open + """
                         and a.expires_at <= $5)))
                        or ($4 not in ('pending', 'approved', 'expired') and a.state = $4))
                    and ($6::uuid is null or a.requester_id = $6) and
                    """ + Sight.condition("a.scope_id", 7) + """
                     order by a.id desc limit $3
                    """, organization, page.afterID, page.fetchLimit, state?.rawValue, time, requester?.id, sight.roots,
            sight.denied, sight.within
        ).map(self.read)
        return try self.complete(found, &tx)
    }

    /// Makes room for another one of the same request.
    static func expire(_ id: ApprovalID, _ tx: inout Transaction) throws {
        _ = try tx.execute(
            "update approval set state = 'expired' where id = $1 and state in ('pending', 'approved')", id)
    }

    /// - Returns: whether it is new: another one of the same request may have been made at the same time.
    static func insert(_ approval: Approval, _ tx: inout Transaction) throws -> Bool {
        try tx.execute(
            """
            insert into approval (id, organization_id, scope_id, permission, method, path, body, request_sha256,
                requester_kind, requester_id, token_id, reason, rules, state, created_at, expires_at,
                before, after)
            values ($1, $2::uuid, $3::uuid, $4, $5, $6, $7::jsonb, $8, $9, $10, $11::uuid, $12, $13, $14, $15, $16, $17::jsonb, $18::jsonb)
            on conflict (requester_id, request_sha256) where state in ('pending', 'approved') do nothing
            """, approval.id, approval.organization, approval.scope?.node, approval.permission, approval.method,
            approval.path, approval.body.isNull ? nil : SQLJSON(approval.body.text), approval.sha256,
            approval.requester.kind.rawValue, approval.requester.id, approval.token, approval.reason,
            approval.rules.map { SQLUUID($0) }, approval.state.rawValue, approval.createdAt, approval.expiresAt,
            approval.before.isNull ? nil : SQLJSON(approval.before.text),
            approval.after.isNull ? nil : SQLJSON(approval.after.text)) > 0
    }

    static func save(_ approval: Approval, _ tx: inout Transaction) throws {
        _ = try tx.execute(
            """
            update approval set state = $2, decided_at = $3::timestamptz, change_id = $4::uuid, rules = $5 where id = $1
            """, approval.id, approval.state.rawValue, approval.decidedAt, approval.change,
            approval.rules.map { SQLUUID($0) })
    }

    static func save(_ vote: Approval.Vote, on id: ApprovalID, _ tx: inout Transaction, _: borrowing Permit) throws {
        _ = try tx.execute(
            """
            insert into approval_vote (approval_id, subject_kind, subject_id, organization_id, approves, comment, created_at)
            values ($1, $2, $3, $4::uuid, $5, $6, $7)
            on conflict (approval_id, subject_id) do update
                set approves = excluded.approves, comment = excluded.comment, created_at = excluded.created_at
            """, id, vote.voter.kind.rawValue, vote.voter.id, vote.partition.organization, vote.approves, vote.comment,
            vote.at)
    }

    /// Removes the oldest of those that were asked for before an instant, with what was said to them.
    ///
    /// Identifiers grow with time, so it is found by them.
    static func remove(before instant: Timestamp, limit: Int64, _ tx: inout Transaction) throws -> Int {
        try tx.execute(
            "delete from approval where id = any (array(select id from approval where id < $1 order by id limit $2))",
            UUIDValue(milliseconds: UInt64(clamping: instant.milliseconds), random: (0, 0)), limit)
    }

    /// With what was said to each, in its order.
    private static func complete(_ approvals: [Approval], _ tx: inout Transaction) throws -> [Approval] {
        guard !approvals.isEmpty else { return [] }
        var votes: [ApprovalID: [Approval.Vote]] = [:]
        for row in try tx.query(
            """
            select v.* from unnest($1::uuid[]) a (id) cross join lateral (
                select approval_id, subject_kind, subject_id, organization_id, approves, comment, created_at
                from approval_vote where approval_id = a.id order by created_at, subject_id limit 1000) v
            """, approvals.map { SQLUUID($0.id) })
        {
            guard let voter = try AccessSubject(row, "subject") else { continue }
            votes[try row.get("approval_id"), default: []].append(
                Approval.Vote(
                    voter: voter, partition: AccessPartition(try row.optional("organization_id")),
                    approves: try row.get("approves"), comment: try row.get("comment"), at: try row.get("created_at")))
        }
        return approvals.map { approval in
            var approval = approval
            approval.votes = votes[approval.id] ?? []
            return approval
        }
    }

    @Sendable private static func read(_ row: Row) throws -> Approval {
        let kind = Actor.Kind(rawValue: try row.get("requester_kind")) ?? .anonymous
        let rules: [SQLUUID] = try row.get("rules")
        func json(_ name: String) throws -> JSONValue {
            try row.optional(name, as: String.self).map { try JSONParser.parse(Array($0.utf8)) } ?? .null
        }
        return Approval(
            id: try row.get("id"), organization: try row.optional("organization_id"),
            scope: try ScopeReference(row, kind: "scope_kind", id: "scope_id"), permission: try row.get("permission"),
            method: try row.get("method"), path: try row.get("path"),
            body: try json("body"), before: try json("before"), after: try json("after"),
            sha256: try row.get("request_sha256"), requester: Actor(kind: kind, id: try row.get("requester_id")),
            token: try row.optional("token_id"),
            reason: try row.get("reason"),
            rules: rules.map { ApprovalRuleID(UUIDValue(high: $0.high, low: $0.low)) },
            state: Approval.State(rawValue: try row.get("state")) ?? .expired, createdAt: try row.get("created_at"),
            expiresAt: try row.get("expires_at"), decidedAt: try row.optional("decided_at"),
            change: try row.optional("change_id"), votes: [])
    }
}
