import Postgres
package import Shared

/// What can be done with rate limits.
package struct RateLimits: ResourceOperations {
    private let reads: Reads
    private let changes: Changes
    private let time: TimeSource

    package init(reads: Reads, changes: Changes, time: TimeSource) {
        self.reads = reads
        self.changes = changes
        self.time = time
    }

    package func get(_ id: RateLimitID, as context: OperationContext) async throws -> RateLimit {
        try await self.reads.perform(.rateLimitsRead, as: context) { tx, sight in try Self.seen(id, sight, &tx) }
    }

    /// A rate limit that the caller sees.
    private static func seen(_ id: RateLimitID, _ sight: Sight, _ tx: inout Transaction) throws -> RateLimit {
        let limit = try RateLimitStore.fetch(id, &tx)
        try sight.require(try limit.subject.place(in: limit.organization, &tx), "rate limit", &tx)
        return limit
    }

    package func list(
        organization: OrganizationID?, _ page: PageRequest, as context: OperationContext
    ) async throws -> Page<RateLimit> {
        let found = try await self.reads.perform(.rateLimitsRead, as: context) { tx, sight in
            try RateLimitStore.list(organization: organization, page, sight, &tx)
        }
        return Page(found, page, position: \.id.bytes)
    }

    /// How gateways share it at the moment.
    package func status(_ id: RateLimitID, as context: OperationContext) async throws -> RateLimitStatus {
        try await self.reads.perform(.rateLimitsRead, as: context) { tx, sight in
            try RateLimitStatus.read(try Self.seen(id, sight, &tx), at: context.time, &tx)
        }
    }

    /// Of a body that `RateLimit.creationSchema` accepts.
    package func create(_ body: JSONValue, as context: OperationContext) async throws -> Resolved<RateLimit> {
        let id: RateLimitID = self.time.newID()
        let outcome = try await self.changes.perform(.rateLimitsCreate, on: Target(id), as: context) { tx, gate in
            let (subject, scope, organization) = try BudgetSubject.find(body, &tx)
            let place = try subject.place(in: organization, &tx)
            let permit = try gate.permit(at: place, &tx, orMissing: BudgetSubject.missing)
            guard let meter = body["meter"]?.string.flatMap({ RateLimitMeter(name: $0) }) else {
                throw ControlError.invalid("A meter is needed.", at: "/meter")
            }
            let period = body["period"]?.string.flatMap { RateLimitPeriod(name: $0) }
            let limit = RateLimit(
                id: id, organization: organization, subject: subject, scope: scope, name: body["name"]?.string ?? "",
                meter: meter, rate: try RateLimit.rate(body, meter: meter, period: period),
                isStrict: body["strict"]?.bool ?? false,
                away: body["away"]?.string.flatMap { BudgetAwayPolicy(name: $0) } ?? .open,
                providers: (body["providers"]?.array ?? []).compactMap { $0.string.flatMap { ProviderID($0) } },
                models: (body["models"]?.array ?? []).compactMap { $0.string.flatMap { ModelID($0) } },
                status: .active, stamps: Stamps(new: context.time)
            )
            try BudgetSubject.checkNarrowing(
                to: limit.models, of: limit.providers, organization: organization, &tx)
            try RateLimitStore.insert(limit, &tx, permit)
            // A request counts for every one above it, and carries each of them: there are only so many.
            try SubjectCount.check("rate_limit", of: subject, limit: RateLimit.limitOfSubject, "rate limits", &tx)
            return Change(limit, in: organization, after: limit)
        }
        return try await outcome.resolved { try await self.get(RateLimitID($0), as: context) }
    }

    package func update(
        _ id: RateLimitID, _ patch: JSONValue, ifRevision: Int64?, as context: OperationContext
    ) async throws -> Resolved<RateLimit> {
        let outcome = try await self.changes.perform(.rateLimitsUpdate, on: Target(id), as: context) { tx, gate in
            let before = try RateLimitStore.fetch(id, &tx, forUpdate: true)
            let permit = try gate.permit(at: try before.subject.place(in: before.organization, &tx), &tx)
            try Revision.check(before.stamps.revision, ifRevision)
            let after = try before.applying(patch, at: context.time)
            try RateLimitStore.save(after, &tx, permit)
            return Change(after, in: before.organization, before: before, after: after)
        }
        return try await outcome.resolved { _ in try await self.get(id, as: context) }
    }

    package func delete(
        _ id: RateLimitID, ifRevision: Int64?, as context: OperationContext
    ) async throws -> [AuditReceipt] {
        try await self.changes.perform(.rateLimitsDelete, on: Target(id), as: context) { tx, gate in
            let before = try RateLimitStore.fetch(id, &tx, forUpdate: true)
            let permit = try gate.permit(at: try before.subject.place(in: before.organization, &tx), &tx)
            try Revision.check(before.stamps.revision, ifRevision)
            try RateLimitStore.remove(id, at: context.time, &tx, permit)
            return Change((), in: before.organization, before: before)
        }.receipts
    }
}
