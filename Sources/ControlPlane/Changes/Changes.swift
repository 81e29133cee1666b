package import Postgres
package import Shared

/// The one door for writes: authorization, transaction, audit leaf, change row and idempotency in one.
package struct Changes: Sendable {
    private let database: Database
    private let authorizer: Authorizer
    private let time: TimeSource
    private let leaves: AuditLeaves

    package init(database: Database, authorizer: Authorizer, keys: KeyEncryptionKeys, time: TimeSource) {
        self.database = database
        self.authorizer = authorizer
        self.time = time
        self.leaves = AuditLeaves(keys: keys)
    }

    /// Runs `body` in a transaction that also records what it did.
    ///
    /// When it, or the record, fails, nothing has happened.
    ///
    /// `body` may run more than once (deadlock, changed plan): it has no effect outside the database. It gets its permit
    /// from the gate, once it knows where the change takes place.
    ///
    /// - Parameter target: what is changed; for a creation, what will have been created.
    package func perform<Value: Sendable>(
        _ permission: Permission, on target: Target, as context: OperationContext,
        _ body: @escaping @Sendable (inout Transaction, Gate) throws -> Change<Value>
    ) async throws -> Outcome<Value> {
        let id: ChangeID = self.time.newID()
        do {
            return try await self.attempt(permission, on: target, as: context, id, body)
        } catch let needed as ApprovalNeeded {
            throw try await self.ask(for: needed, as: context)
        }
    }

    private func attempt<Value: Sendable>(
        _ permission: Permission, on target: Target, as context: OperationContext, _ id: ChangeID,
        _ body: @escaping @Sendable (inout Transaction, Gate) throws -> Change<Value>
    ) async throws -> Outcome<Value> {
        let authorizer = self.authorizer
        let leaves = self.leaves
        return try await self.database.transaction(retrySerialization: 3) { tx in
            let access = try authorizer.access(of: context, &tx)
            guard access.holdsAnywhere(permission) else { throw Access.denied(permission) }
            if let earlier = try IdempotencyStore.begin(&tx, context, target: target) {
                return .replayed(earlier.resource)
            }
            let gate = Gate(authorizer, access: access, permission: permission, target: target)
            let change = try body(&tx, gate)
            let approval = try ApprovalCheck(gate).approval(for: change, &tx)
            try ChangeStore.insert(
                &tx, id: id, permission: permission, target: target, organization: change.organization, context: context
            )
            if let group = change.group { try ChangeStore.markPending(&tx, id, in: group) }
            let record = AuditLeaves.Record(
                change: id, permission: permission, target: target, organization: change.organization,
                before: change.before, after: change.after, approval: approval?.id
            )
            if var approval {
                approval.state = .used
                approval.change = id
                try ApprovalStore.save(approval, &tx)
            }
            let receipts = try leaves.append(&tx, record, context: context, toSystem: change.concernsInstance)
            return .done(change.value, receipts)
        }
    }

    /// Notes that a change waits for approval, unless that is noted already.
    ///
    /// - Returns: what the caller is told.
    private func ask(for needed: ApprovalNeeded, as context: OperationContext) async throws -> ControlError {
        let leaves = self.leaves
        let authorizer = self.authorizer
        let (id, change, event): (ApprovalID, ChangeID, EventID) = (
            self.time.newID(), self.time.newID(), self.time.newID()
        )
        return try await self.database.transaction(retrySerialization: 3) { tx in
            let (approval, isNew) = try needed.note(id, event, as: context, &tx)
            if isNew {
                try ChangeStore.insert(
                    &tx, id: change, permission: .approvalsRequest, target: Target(approval.id),
                    organization: approval.organization, context: context)
                let record = AuditLeaves.Record(
                    change: change, permission: .approvalsRequest, target: Target(approval.id),
                    organization: approval.organization, before: nil, after: approval, approval: nil)
                _ = try leaves.append(&tx, record, context: context, toSystem: approval.organization == nil)
            }
            let tally = ApprovalTally(needed.rules, along: needed.place, at: context.time)
            return needed.error(approval, try tally.unmet(approval) { try authorizer.policy(of: $0, &tx) })
        }
    }

    /// The same for what is the instance's: the permission is needed there.
    package func perform<Value: Sendable>(
        _ permission: Permission, on target: Target, at scope: AccessScope, as context: OperationContext,
        _ body: @escaping @Sendable (inout Transaction, borrowing Permit) throws -> Change<Value>
    ) async throws -> Outcome<Value> {
        try await self.perform(permission, on: target, as: context) { tx, gate in
            let permit = try gate.permit(at: scope, &tx, orMissing: Access.denied(permission))
            return try body(&tx, permit)
        }
    }
}

/// Requests that take effect once.
enum IdempotencyStore {
    struct Earlier {
        let resource: UUIDValue?
    }

    /// Notes the request under its name; returns the earlier one of the same name, once that has committed.
    static func begin(_ tx: inout Transaction, _ context: OperationContext, target: Target) throws -> Earlier? {
        guard let idempotency = context.idempotency else { return nil }
        let isNew = try tx.execute(
            """
            insert into idempotency_key (actor_id, key, request_sha256, status, resource_id, created_at)
            values ($1, $2, $3, $4, $5, $6) on conflict do nothing
            """,
            context.actor.id, idempotency.key, idempotency.requestSHA256, Int32(idempotency.status), target.id,
            context.time
        )
        guard isNew == 0 else { return nil }
        let row = try tx.queryOne(
            "select request_sha256, resource_id from idempotency_key where actor_id = $1 and key = $2",
            context.actor.id, idempotency.key
        )
        guard let row else { throw ControlError(.unavailable, "busy", "The same request is under way; try again.") }
        guard try row.get("request_sha256") == idempotency.requestSHA256 else {
            throw ControlError(
                .unprocessable, "idempotency_key_reused", "The Idempotency-Key was used for another request.",
                pointer: "Idempotency-Key"
            )
        }
        return Earlier(resource: try row.optional("resource_id"))
    }
}
