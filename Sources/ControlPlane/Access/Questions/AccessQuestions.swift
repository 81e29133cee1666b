import Postgres
import Shared

/// Answers who can do what, and why.
package struct AccessQuestions: Sendable {
    private let reads: Reads
    private let authorizer: Authorizer
    /// An effect on everybody of a large organization takes up to a second.
    private let effects = QuestionSlots(Self.effectLimit)

    /// Effects that are worked out at once.
    package static let effectLimit = 2

    package init(reads: Reads, authorizer: Authorizer) {
        self.reads = reads
        self.authorizer = authorizer
    }

    /// Who may do something at a scope: users and service accounts of its organization, or of the instance.
    ///
    /// - Parameter ofInstance: those of the instance, also at a scope of an organization.
    package func whoCan(
        _ permission: Permission, at scope: ScopeReference?, ofInstance: Bool, after cursor: AccessSubject?, limit: Int,
        as context: OperationContext
    ) async throws -> JSONValue {
        let authorizer = self.authorizer
        return try await self.reads.perform(.accessRead, as: context) { tx, sight in
            let place = try Self.place(scope, sight, &tx)
            let partition = ofInstance ? AccessPartition.instance : place.partition
            let policy = try authorizer.policy(of: partition, &tx)
            let found = policy.holders(of: permission, along: place.path, at: context.time, after: cursor, limit: limit)
            let names = try Self.names(found.holders.map(\.grant.scope), &tx)
            return [
                "items": .array(
                    found.holders.map { ["subject": .string($0.subject.text), "grant": $0.grant.json(names)] }),
                "next_cursor": JSONValue(found.next?.text), "count": .integer(Int64(found.count)),
            ]
        }
    }

    /// What a user, a group or a service account may do at a scope.
    package func whatCan(
        _ subject: AccessSubject, at scope: ScopeReference?, as context: OperationContext
    ) async throws -> JSONValue {
        let authorizer = self.authorizer
        return try await self.reads.perform(.accessRead, as: context) { tx, sight in
            let place = try Self.place(scope, sight, &tx)
            let policy = try authorizer.policy(of: try Self.partition(of: subject, place, &tx), &tx)
            let permissions = policy.permissions(of: subject, along: place.path, at: context.time)
            return [
                "subject": .string(subject.text), "scope": JSONValue(scope), "permissions": permissions.json,
            ]
        }
    }

    /// Whether a subject may do something at a scope: what grants it, what forbids it, or what is missing.
    package func explain(
        _ subject: AccessSubject, _ permission: Permission, at scope: ScopeReference?, as context: OperationContext
    ) async throws -> JSONValue {
        let authorizer = self.authorizer
        return try await self.reads.perform(.accessRead, as: context) { tx, sight in
            let place = try Self.place(scope, sight, &tx)
            let policy = try authorizer.policy(of: try Self.partition(of: subject, place, &tx), &tx)
            let decision = policy.decide(subject, permission, along: place.path, at: context.time)
            let names = try Self.names(decision.scopes, &tx)
            return .object(
                decision.json(names).merging(
                    [
                        "subject": .string(subject.text), "permission": .string(permission.rawValue),
                        "scope": JSONValue(scope),
                    ]
                ) { $1 })
        }
    }

    /// Who would gain and who would lose what by a change, which is not made.
    ///
    /// Throws `unavailable` (`busy`) while others are worked out.
    ///
    /// - Parameter change: of a body that `AccessHypothesis.schema` accepts.
    package func effect(of change: JSONValue, as context: OperationContext) async throws -> JSONValue {
        let authorizer = self.authorizer
        return try await self.effects.use {
            try await self.reads.perform(.accessRead, as: context) { tx, sight in
                let hypothesis = try AccessHypothesis(change, &tx)
                try sight.require(hypothesis.partition.scope, "organization", &tx)
                let policy = try authorizer.policy(of: hypothesis.partition, &tx)
                let effect = policy.effect(of: hypothesis.facts, at: context.time)
                return effect.json(try Self.names(effect.scopes, &tx))
            }
        }
    }

    private struct Place {
        let path: AccessPath
        let partition: AccessPartition
    }

    /// Where a question is about, when the caller may ask there.
    private static func place(
        _ scope: ScopeReference?, _ sight: Sight, _ tx: inout Transaction
    ) throws -> Place {
        guard let scope else {
            guard try sight.sees(.instance, &tx) else { throw Access.denied(.accessRead) }
            return Place(path: .instance, partition: .instance)
        }
        let missing = ControlError.invalid("There is no such organization, unit or project.", at: "scope")
        guard let node = try ScopeNodeStore.find(scope.node, &tx), node.reference == scope,
            try sight.sees(node.scope, &tx), let path = try AccessStore.path(to: node.scope, &tx)
        else { throw missing }
        return Place(path: path, partition: AccessPartition(node.organization))
    }

    /// Whose a subject is: of the place's organization, or of the instance.
    private static func partition(
        of subject: AccessSubject, _ place: Place, _ tx: inout Transaction
    ) throws -> AccessPartition {
        guard let partition = try BindingStore.partition(of: subject, &tx),
            partition == place.partition || partition == .instance
        else { throw ControlError.invalid("There is no such user, group or service account.", at: "subject") }
        return partition
    }

    /// The names of nodes, also of such that are gone.
    static func names(_ scopes: [AccessScope], _ tx: inout Transaction) throws -> ScopeNames {
        let nodes = Set(scopes.compactMap { if case .node(let node) = $0 { node } else { nil } })
        guard !nodes.isEmpty else { return ScopeNames([:]) }
        let rows = try tx.query(
            "select id, kind from scope_node where id = any ($1)", nodes.sorted().map { SQLUUID($0) })
        var references: [NodeID: ScopeReference] = [:]
        for row in rows {
            guard let reference = try ScopeReference(row, kind: "kind", id: "id") else { continue }
            references[reference.node] = reference
        }
        return ScopeNames(references)
    }
}
