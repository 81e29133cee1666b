import Postgres
package import Shared

/// What can be done with deny rules.
package struct DenyRules: ResourceOperations {
    private let reads: Reads
    private let changes: Changes
    private let time: TimeSource

    package init(reads: Reads, changes: Changes, time: TimeSource) {
        self.reads = reads
        self.changes = changes
        self.time = time
    }

    package func get(_ id: DenyRuleID, as context: OperationContext) async throws -> DenyRule {
        try await self.reads.one(.denyRulesRead, as: context, "deny rule", at: \.place) { tx in
            try DenyRuleStore.fetch(id, &tx)
        }
    }

    package func list(
        organization: OrganizationID?, _ page: PageRequest, as context: OperationContext
    ) async throws -> Page<DenyRule> {
        let found = try await self.reads.perform(.denyRulesRead, as: context) { tx, sight in
            try DenyRuleStore.list(organization: organization, page, sight, &tx)
        }
        return Page(found, page, position: \.id.bytes)
    }

    /// Of a body that `DenyRule.creationSchema` accepts.
    package func create(_ body: JSONValue, as context: OperationContext) async throws -> Resolved<DenyRule> {
        let id: DenyRuleID = self.time.newID()
        let outcome = try await self.changes.perform(.denyRulesCreate, on: Target(id), as: context) { tx, gate in
            let owner = try Ownership.resolve(body["scope"]?.string, &tx)
            let permit = try gate.permit(at: owner.place, &tx, orMissing: Ownership.missing)
            let subject = body["subject"]?.string.flatMap { AccessSubject($0) }
            var partition = AccessPartition(owner.organization)
            if let subject {
                guard let found = try BindingStore.partition(of: subject, held: true, &tx),
                    found.organization == nil || found == partition
                else { throw ControlError.invalid("There is no such user, group or service account.", at: "/subject") }
                // Those who run the instance are not shut out by an organization.
                if found != partition {
                    _ = try gate.permit(at: .instance, &tx, orMissing: Access.denied(gate.permission))
                }
                partition = found
            }
            let rule = DenyRule(
                id: id, organization: partition.organization, name: body["name"]?.string ?? "", subject: subject,
                permissions: PermissionSet(body, "permissions"), scope: owner.scope,
                reason: body["reason"]?.string ?? "", expiresAt: body["expires_at"]?.string.flatMap { Timestamp($0) },
                stamps: Stamps(new: context.time))
            try AccessEdit.check([rule.fact], in: partition, as: gate, &tx)
            try DenyRuleStore.insert(rule, &tx, permit)
            return Change(rule, in: owner.organization, after: rule)
        }
        return try await outcome.resolved { try await self.get(DenyRuleID($0), as: context) }
    }

    package func update(
        _ id: DenyRuleID, _ patch: JSONValue, ifRevision: Int64?, as context: OperationContext
    ) async throws -> Resolved<DenyRule> {
        let outcome = try await self.changes.perform(.denyRulesUpdate, on: Target(id), as: context) { tx, gate in
            let before = try DenyRuleStore.fetch(id, &tx, forUpdate: true)
            let permit = try gate.permit(at: before.place, &tx)
            try Revision.check(before.stamps.revision, ifRevision)
            let after = before.applying(patch, at: context.time)
            // One that ends sooner gives back what it denied.
            var facts = [after.fact]
            if after.expiresAt != before.expiresAt { facts.insert(.removedDenial(id), at: 0) }
            try AccessEdit.check(facts, in: after.partition, as: gate, &tx)
            try DenyRuleStore.save(after, &tx, permit)
            return Change(after, in: before.organization, before: before, after: after)
        }
        return try await outcome.resolved { _ in try await self.get(id, as: context) }
    }

    package func delete(
        _ id: DenyRuleID, ifRevision: Int64?, as context: OperationContext
    ) async throws -> [AuditReceipt] {
        try await self.changes.perform(.denyRulesDelete, on: Target(id), as: context) { tx, gate in
            let before = try DenyRuleStore.fetch(id, &tx, forUpdate: true)
            let permit = try gate.permit(at: before.place, &tx)
            try Revision.check(before.stamps.revision, ifRevision)
            try AccessEdit.check([.removedDenial(id)], in: before.partition, as: gate, &tx)
            try DenyRuleStore.remove(id, at: context.time, &tx, permit)
            return Change((), in: before.organization, before: before)
        }.receipts
    }
}
