package import Postgres
package import Shared

/// What can be done with requests that wait for approval.
package struct Approvals: Sendable {
    private let reads: Reads
    private let changes: Changes
    private let time: TimeSource

    /// Days for which one is kept, whatever became of it; the audit log has it for good.
    package static let keptDays: Int64 = 90

    package init(reads: Reads, changes: Changes, time: TimeSource) {
        self.time = time
        self.reads = reads
        self.changes = changes
    }

    package func get(_ id: ApprovalID, as context: OperationContext) async throws -> Approval {
        try await self.reads.one(.approvalsRead, as: context, "approval", at: \.place) { tx in
            try ApprovalStore.fetch(id, &tx)
        }
    }

    /// Newest first.
    package func list(
        organization: OrganizationID?, state: Approval.State?, _ page: PageRequest, as context: OperationContext
    ) async throws -> Page<Approval> {
        let found = try await self.reads.perform(.approvalsRead, as: context) { tx, sight in
            try ApprovalStore.list(
                organization: organization, state: state, of: nil, at: context.time, page, sight, &tx)
        }
        return Page(found, page, position: \.id.bytes)
    }

    /// Says yes or no; the same approver may change his mind until it is decided.
    ///
    /// One no is enough. Enough yes is what each rule asks for, counted by who may decide now.
    package func decide(
        _ id: ApprovalID, approves: Bool, comment: String, as context: OperationContext
    ) async throws -> Resolved<Approval> {
        let event: EventID = self.time.newID()
        let outcome = try await self.changes.perform(.approvalsDecide, on: Target(id), as: context) { tx, gate in
            let before = try ApprovalStore.fetch(id, &tx, forUpdate: true)
            let permit = try gate.permit(at: before.place, &tx)
            guard case .bindings(let voter, let partition, _) = context.authority else {
                throw ControlError(.notAllowed, "not_an_approver", "Only users and service accounts approve.")
            }
            try before.requireOpen(at: context.time)
            guard voter.id != before.requester.id else {
                throw ControlError(
                    .notAllowed, "own_request", "Nobody decides on what he asked for himself; he can withdraw it.")
            }
            guard try before.token.map({ try APITokenStore.wasShown($0, to: voter, &tx) }) != true else {
                throw ControlError(
                    .notAllowed, "own_request", "Nobody decides on what was asked for with a token that he made.")
            }
            let path = try AccessStore.path(to: before.place, &tx) ?? .instance
            let tally = ApprovalTally(try ApprovalRuleStore.find(before.rules, &tx), along: path, at: context.time)
            guard tally.counts(voter, by: try gate.policy(of: partition, &tx)) else {
                throw ControlError(
                    .notAllowed, "not_an_approver",
                    "The rules that this needs approval by go by others: those whom they name, or users.")
            }
            let vote = Approval.Vote(
                voter: voter, partition: partition, approves: approves, comment: comment, at: context.time)
            try ApprovalStore.save(vote, on: id, &tx, permit)
            var after = before
            after.votes = before.votes.filter { $0.voter != voter } + [vote]
            let isMet = try tally.unmet(after) { try gate.policy(of: $0, &tx) }.isEmpty
            after.state = !approves ? .rejected : isMet ? .approved : .pending
            after.decidedAt = after.state == .pending ? nil : context.time
            try ApprovalStore.save(after, &tx)
            if after.state != .pending { try after.tell(event, at: context.time, &tx) }
            return Change(after, in: before.organization, before: before, after: after)
        }
        return try await outcome.resolved { _ in try await self.get(id, as: context) }
    }

    // MARK: One's own

    /// What the caller asked for, newest first.
    package func listOwn(
        state: Approval.State?, _ page: PageRequest, as context: OperationContext
    ) async throws -> Page<Approval> {
        let found = try await self.reads.perform(.approvalsRead, as: context.own(.approvalsRead)) { tx, sight in
            try ApprovalStore.list(
                organization: nil, state: state, of: context.actor, at: context.time, page, sight, &tx)
        }
        return Page(found, page, position: \.id.bytes)
    }

    package func getOwn(_ id: ApprovalID, as context: OperationContext) async throws -> Approval {
        try await self.reads.perform(.approvalsRead, as: context.own(.approvalsRead)) { tx, _ in
            let approval = try ApprovalStore.fetch(id, &tx)
            guard approval.requester == context.actor else { throw ControlError.hidden("approval") }
            return approval
        }
    }

    /// Takes a request back.
    package func withdraw(_ id: ApprovalID, as context: OperationContext) async throws -> Resolved<Approval> {
        let outcome = try await self.changes.perform(
            .approvalsRequest, on: Target(id), as: context.own(.approvalsRequest)
        ) { tx, gate in
            let before = try ApprovalStore.fetch(id, &tx, forUpdate: true)
            guard before.requester == context.actor else { throw ControlError.hidden("approval") }
            _ = try gate.permit(at: before.place, &tx)
            try before.requireOpen(at: context.time)
            var after = before
            after.state = .withdrawn
            after.decidedAt = context.time
            try ApprovalStore.save(after, &tx)
            return Change(after, in: before.organization, before: before, after: after)
        }
        return try await outcome.resolved { _ in try await self.getOwn(id, as: context) }
    }

    /// Removes some of those that are too old.
    ///
    /// - Returns: how many.
    package static func removeOld(
        _ tx: inout Transaction, at now: Timestamp, limit: Int64 = Removals.limit
    ) throws -> Int {
        try ApprovalStore.remove(before: now.adding(seconds: -Self.keptDays * 86_400), limit: limit, &tx)
    }
}

extension Approval {
    fileprivate func requireOpen(at time: Timestamp) throws(ControlError) {
        let state = self.state(at: time)
        guard state == .pending || state == .approved else {
            throw .conflict("approval_closed", "It is \(state.rawValue): nothing can be said to it any more.")
        }
    }

    /// Tells those who want to know how it stands.
    func tell(_ id: EventID, at time: Timestamp, _ tx: inout Transaction) throws {
        guard let type = Event.type(of: self.state) else { return }
        let data: JSONValue = [
            "approval": JSONValue(self.id), "permission": .string(self.permission),
            "requester": ["kind": .string(self.requester.kind.rawValue), "id": .string(self.requester.text)],
            "scope": JSONValue(self.scope), "expires_at": JSONValue(self.expiresAt),
        ]
        let event = Event(
            id: id, type: type, organization: self.organization, subject: Target(self.id), occurredAt: time, data: data)
        try EventStore.raise(event, &tx)
    }
}
