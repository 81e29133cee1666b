import Postgres
package import Shared

/// What can be done with the rules on what needs approvals.
///
/// Each protects itself: it is changed or deleted only with the approvals that it asks for.
package struct ApprovalRules: ResourceOperations {
    private let reads: Reads
    private let changes: Changes
    private let time: TimeSource

    /// Rules of one organization, or of the instance, at most.
    package static let limit: Int64 = 50

    package init(reads: Reads, changes: Changes, time: TimeSource) {
        self.reads = reads
        self.changes = changes
        self.time = time
    }

    package func get(_ id: ApprovalRuleID, as context: OperationContext) async throws -> ApprovalRule {
        try await self.reads.one(.approvalRulesRead, as: context, "approval rule", at: \.place) { tx in
            try ApprovalRuleStore.fetch(id, &tx)
        }
    }

    package func list(
        organization: OrganizationID?, _ page: PageRequest, as context: OperationContext
    ) async throws -> Page<ApprovalRule> {
        let found = try await self.reads.perform(.approvalRulesRead, as: context) { tx, sight in
            try ApprovalRuleStore.list(organization: organization, page, sight, &tx)
        }
        return Page(found, page, position: \.id.bytes)
    }

    /// Of a body that `ApprovalRule.creationSchema` accepts.
    package func create(_ body: JSONValue, as context: OperationContext) async throws -> Resolved<ApprovalRule> {
        let id: ApprovalRuleID = self.time.newID()
        let outcome = try await self.changes.perform(.approvalRulesCreate, on: Target(id), as: context) { tx, gate in
            let owner = try Ownership.resolve(body["scope"]?.string, &tx)
            let permit = try gate.permit(at: owner.place, &tx, orMissing: Ownership.missing)
            let rule = try ApprovalRule(id, body, at: owner, time: context.time)
            // One after the other, so that the count holds.
            try AccessStore.lock(AccessPartition(owner.organization), &tx)
            guard try ApprovalRuleStore.count(of: owner.organization, &tx) < Self.limit else {
                throw ControlError.conflict("too_many_approval_rules", "There are \(Self.limit) such rules already.")
            }
            try Self.check(rule, gate, at: context.time, &tx)
            try ApprovalRuleStore.insert(rule, &tx, permit)
            return Change(rule, in: owner.organization, after: rule)
        }
        return try await outcome.resolved { try await self.get(ApprovalRuleID($0), as: context) }
    }

    package func update(
        _ id: ApprovalRuleID, _ patch: JSONValue, ifRevision: Int64?, as context: OperationContext
    ) async throws -> Resolved<ApprovalRule> {
        let outcome = try await self.changes.perform(.approvalRulesUpdate, on: Target(id), as: context) { tx, gate in
            let before = try ApprovalRuleStore.fetch(id, &tx, forUpdate: true)
            let permit = try gate.permit(at: before.place, &tx)
            try Revision.check(before.stamps.revision, ifRevision)
            try gate.requireApproval(by: before, &tx)
            let after = try before.applying(patch, at: context.time)
            try Self.check(after, gate, at: context.time, &tx)
            try ApprovalRuleStore.save(after, &tx, permit)
            return Change(after, in: before.organization, before: before, after: after)
        }
        return try await outcome.resolved { _ in try await self.get(id, as: context) }
    }

    package func delete(
        _ id: ApprovalRuleID, ifRevision: Int64?, as context: OperationContext
    ) async throws -> [AuditReceipt] {
        try await self.changes.perform(.approvalRulesDelete, on: Target(id), as: context) { tx, gate in
            let before = try ApprovalRuleStore.fetch(id, &tx, forUpdate: true)
            let permit = try gate.permit(at: before.place, &tx)
            try Revision.check(before.stamps.revision, ifRevision)
            try gate.requireApproval(by: before, &tx)
            try ApprovalRuleStore.remove(id, at: context.time, &tx, permit)
            return Change((), in: before.organization, before: before)
        }.receipts
    }

    /// Refuses a rule that names nobody, or that nobody could satisfy.
    private static func check(
        _ rule: ApprovalRule, _ gate: Gate, at time: Timestamp, _ tx: inout Transaction
    ) throws {
        for (index, approver) in rule.approvers.enumerated() {
            let found = try BindingStore.partition(of: approver, held: true, &tx)
            guard let found, found.organization == nil || found.organization == rule.organization else {
                throw ControlError.invalid(
                    "There is no such user, group or service account.", at: "/approvers/\(index)")
            }
        }
        guard let path = try AccessStore.path(to: rule.place, &tx) else { throw Ownership.missing }
        var able = 0
        for partition in Set([AccessPartition.instance, AccessPartition(rule.organization)]) {
            let policy = try gate.policy(of: partition, &tx)
            let holders = policy.holders(of: .approvalsDecide, along: path, at: time, limit: 10_000).holders
            able += holders.count { policy.isApprover($0.subject, of: rule) }
        }
        guard able >= rule.required else {
            throw ControlError(
                .unprocessable, "too_few_approvers",
                "\(rule.required) have to approve, but only \(able) could: they need approvals.decide there, and to be users or "
                    + "named.", pointer: "/required_approvals")
        }
    }
}

extension AccessPolicy {
    /// Whether a subject is one of those whom a rule goes by, wherever it may decide.
    func isApprover(_ subject: AccessSubject, of rule: ApprovalRule) -> Bool {
        guard !rule.approvers.isEmpty else { return subject.kind == .user }
        if rule.approvers.contains(subject) { return true }
        guard let who = self.active(subject) else { return false }
        return self.withGroups(of: who) { groups in
            rule.approvers.contains { approver in
                approver.kind == .group && self.who(approver).map { groups.contains($0) } == true
            }
        }
    }
}
