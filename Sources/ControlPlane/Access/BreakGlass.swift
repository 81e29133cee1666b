import Postgres
package import Shared

/// The account for the day on which nobody else gets in: it may do everything, and is sealed: it has no role and no token
/// until whoever runs the machine opens it, for a while and with a reason.
package struct BreakGlass: Sendable {
    /// The service account's name.
    package static let name = "break-glass"
    /// Seconds for which it may be opened at most.
    package static let longest: Int64 = 86_400

    /// An opening: until when, and the token, shown once.
    package struct Opening: Sendable {
        package let account: ServiceAccountID
        package let until: Timestamp
        package let token: Secret<String>
    }

    private let changes: Changes
    private let time: TimeSource

    package init(changes: Changes, time: TimeSource) {
        self.changes = changes
        self.time = time
    }

    /// Whether somebody is that account: only whoever opened it, on the machine, acts as it.
    static func isAccount(_ actor: Actor, _ tx: inout Transaction) throws -> Bool {
        guard actor.kind == .serviceAccount else { return false }
        return try BreakGlassStore.isAccount(ServiceAccountID(actor.id), &tx)
    }

    /// Opens it; what was open before ends.
    ///
    /// - Parameter seconds: 60 to a day.
    package func open(reason: String, seconds: Int64, as context: OperationContext) async throws -> Opening {
        guard (1...2000).contains(reason.unicodeScalars.count) else {
            throw ControlError.invalid("A reason is needed, of at most 2000 characters.", at: "reason")
        }
        guard (60...Self.longest).contains(seconds) else {
            throw ControlError.invalid("It is opened for a minute to a day.", at: "seconds")
        }
        let until = context.time.adding(seconds: seconds)
        let text = TokenText.generate(.serviceAccountToken)
        let (fresh, token, binding) = (
            self.time.newID() as ServiceAccountID, self.time.newID() as TokenID, self.time.newID() as BindingID
        )
        let event: EventID = self.time.newID()
        let outcome = try await self.changes.perform(.breakGlassOpen, on: Target(token), as: context) { tx, gate in
            let permit = try gate.permit(at: .instance, &tx)
            let account = try BreakGlassStore.account(orMake: fresh, at: context.time, &tx, permit)
            _ = try BreakGlassStore.seal(account, at: context.time, &tx, permit)
            try BreakGlassStore.open(
                account, binding: binding, token: token, text, reason: reason, until: until, at: context.time, &tx,
                permit)
            let state = BreakGlassState(account: account, until: until, reason: reason)
            try EventStore.raise(state.event(event, Event.breakGlassOpened, context), &tx)
            return Change(Opening(account: account, until: until, token: text.secret), in: nil, after: state)
        }
        guard case .done(let opening, _) = outcome else {
            throw ControlError.conflict("replayed", "It was opened before.")
        }
        return opening
    }

    /// Whether somebody is this account.
    static func isAccount(_ subject: AccessSubject, _ tx: inout Transaction) throws -> Bool {
        guard subject.kind == .serviceAccount else { return false }
        return try BreakGlassStore.find(&tx) == ServiceAccountID(subject.id)
    }

    /// Seals it again, before its time is over.
    ///
    /// - Returns: whether it was open.
    package func close(as context: OperationContext) async throws -> Bool {
        let (fresh, event) = (self.time.newID() as ServiceAccountID, self.time.newID() as EventID)
        let outcome = try await self.changes.perform(.breakGlassClose, on: Target(fresh), as: context) { tx, gate in
            let permit = try gate.permit(at: .instance, &tx)
            let account = try BreakGlassStore.account(orMake: fresh, at: context.time, &tx, permit)
            let wasOpen = try BreakGlassStore.seal(account, at: context.time, &tx, permit)
            let state = BreakGlassState(account: account, until: nil, reason: "")
            if wasOpen { try EventStore.raise(state.event(event, Event.breakGlassClosed, context), &tx) }
            return Change(wasOpen, in: nil, after: state)
        }
        if case .done(let wasOpen, _) = outcome { return wasOpen }
        return false
    }
}

/// What the audit log keeps of it.
private struct BreakGlassState: Audited {
    let account: ServiceAccountID
    let until: Timestamp?
    let reason: String

    var auditState: JSONValue {
        ["account": JSONValue(self.account), "open_until": JSONValue(self.until)]
    }
    var auditPersonal: JSONValue { self.reason.isEmpty ? .null : ["reason": .string(self.reason)] }

    /// What others are told, with the reason as it was given.
    func event(_ id: EventID, _ type: String, _ context: OperationContext) -> Event {
        let actor = context.actor
        var data: [String: JSONValue] = ["by": ["kind": .string(actor.kind.rawValue), "id": .string(actor.text)]]
        if let until {
            data["until"] = JSONValue(until)
            data["reason"] = .string(self.reason)
        }
        return Event(
            id: id, type: type, organization: nil, subject: Target(self.account), occurredAt: context.time,
            data: .object(data))
    }
}

/// The SQL of the account.
private enum BreakGlassStore {
    static func isAccount(_ id: ServiceAccountID, _ tx: inout Transaction) throws -> Bool {
        try tx.queryOne(
            """
            select from service_account
            where id = $1 and organization_id is null and lower(name) = lower($2) and deleted_at is null
            """, id, BreakGlass.name) != nil
    }

    /// The account, held; made when there is none.
    static func account(
        orMake fresh: ServiceAccountID, at time: Timestamp, _ tx: inout Transaction, _: borrowing Permit
    ) throws -> ServiceAccountID {
        _ = try tx.execute(
            """
            insert into service_account (id, name, description, created_at, updated_at)
            values ($1, $2, 'May do everything while it is open.', $3, $3)
            on conflict (access_partition(organization_id), lower(name)) where deleted_at is null do nothing
            """, fresh, BreakGlass.name, time)
        guard let found = try Self.find(held: true, &tx) else {
            throw ControlError.conflict("busy", "The account was removed just now; try again.")
        }
        return found
    }

    /// Nil before it was opened for the first time.
    static func find(held: Bool = false, _ tx: inout Transaction) throws -> ServiceAccountID? {
        let locking: SQL = held ? " for no key update" : ""
        return try tx.queryOne(
            """
            select id from service_account
            where access_partition(organization_id) = access_partition(null) and lower(name) = lower($1)
                and deleted_at is null
            """ + locking, BreakGlass.name
        )?.get("id")
    }

    /// Ends what was open.
    ///
    /// - Returns: whether something still held.
    static func seal(
        _ account: ServiceAccountID, at time: Timestamp, _ tx: inout Transaction, _: borrowing Permit
    ) throws -> Bool {
        _ = try tx.execute(
            "update api_token set revoked_at = $2 where subject_id = $1 and revoked_at is null", account, time)
        let ended = try tx.query(
            """
            update role_binding set deleted_at = $2, updated_at = $2, revision = revision + 1
            where subject_id = $1 and deleted_at is null returning expires_at is null or expires_at > $2 as held
            """, account, time)
        return try ended.contains { try $0.get("held", as: Bool.self) }
    }

    static func open(
        _ account: ServiceAccountID, binding: BindingID, token: TokenID, _ text: TokenText, reason: String,
        until: Timestamp, at time: Timestamp, _ tx: inout Transaction, _ permit: borrowing Permit
    ) throws {
        _ = try tx.execute(
            """
            update service_account set status = 'active', updated_at = $2 where id = $1 and status <> 'active'
            """, account, time)
        let bound = Binding(
            id: binding, organization: nil, subject: AccessSubject(account), role: BuiltInRole.owner.id, scope: nil,
            reason: reason, expiresAt: until, createdBy: permit.actor, stamps: Stamps(new: time))
        try BindingStore.insert(bound, &tx, permit)
        let made = APIToken(
            id: token, publicID: text.publicID, of: AccessSubject(account), in: .instance, at: .instance,
            APIToken.Terms(name: BreakGlass.name, expiresAt: until), by: permit.actor, at: time)
        try APITokenStore.insert(made, &tx, permit)
        try APITokenStore.addSecret(text.digest, to: token, others: time, at: time, &tx, permit)
    }
}
