import Postgres
import Shared
import Synchronization

/// Whether a change that would be made has the approvals that it needs.
///
/// Looked at when the change is complete and before it is recorded: what is asked for would work, and how much it raises
/// is known.
struct ApprovalCheck {
    private let gate: Gate
    private var context: OperationContext { self.gate.access.context }

    init(_ gate: Gate) { self.gate = gate }

    /// The approval that the change is made with; nil when it needs none.
    ///
    /// Throws `ApprovalNeeded` when it lacks some.
    func approval<Value>(for change: Change<Value>, _ tx: inout Transaction) throws -> Approval? {
        // Nobody in particular, gateways, and whoever has the machine, its database and its keys, where no command asks.
        guard let submission = self.context.submission else { return nil }
        let found = self.gate.approvals.found
        let rules = found.rules.filter { found.certain.contains($0.id) || $0.concerns(change.raise) }
        guard !rules.isEmpty, let place = found.places.first, try !BreakGlass.isAccount(self.context.actor, &tx) else {
            return nil
        }
        let open = try ApprovalStore.open(submission, by: self.context.actor, &tx)
        let approval = open.flatMap { self.context.time < $0.expiresAt ? $0 : nil }
        if let named = submission.approval, named != approval?.id {
            throw ControlError.conflict(
                "approval_mismatch",
                "\(named) is not open for this very request: method, path, If-Match and body have to be the same.")
        }
        let tally = ApprovalTally(rules, along: place, at: self.context.time)
        if let approval, tally.unmet(approval, { found.policies[$0] }).isEmpty { return approval }
        throw ApprovalNeeded(
            permission: self.gate.permission, organization: change.organization, place: place, rules: rules,
            submission: submission, before: change.before?.auditState ?? .null,
            after: change.before == nil ? .null : change.after?.auditState ?? .null)
    }
}

/// A change was not made because it lacks approvals; nothing of its transaction is left.
struct ApprovalNeeded: Error {
    let permission: Permission
    let organization: OrganizationID?
    let place: AccessPath
    let rules: [ApprovalRule]
    let submission: Submission
    /// Of what is changed, not created.
    let before: JSONValue
    let after: JSONValue

    /// Most rules that one request remembers: an organization's and the instance's.
    private static let rulesLimit = 100
    /// Most requests of one requester that wait at a time.
    private static let openLimit: Int64 = 100

    /// The approval that is open for this request, made when there is none.
    func note(
        _ id: ApprovalID, _ event: EventID, as context: OperationContext, _ tx: inout Transaction
    ) throws -> (Approval, isNew: Bool) {
        if var open = try ApprovalStore.open(self.submission, by: context.actor, &tx) {
            if context.time < open.expiresAt {
                // Who agreed may not decide any more, or a rule asks for more now.
                let more = self.rules.map(\.id).filter { !open.rules.contains($0) }
                guard open.state == .approved || !more.isEmpty else { return (open, false) }
                // So that those whom a newer rule names can say something to it.
                open.rules = (more + open.rules).prefix(Self.rulesLimit).map { $0 }
                open.state = .pending
                open.decidedAt = nil
                try ApprovalStore.save(open, &tx)
                return (open, false)
            }
            try ApprovalStore.expire(open.id, &tx)
        }
        guard try ApprovalStore.openCount(of: context.actor, at: context.time, &tx) < Self.openLimit else {
            throw ControlError(
                .tooManyRequests, "too_many_approvals",
                "\(Self.openLimit) requests of yours wait for approval; withdraw some at /v1/me/approvals.")
        }
        guard self.submission.body.utf8.count <= Submission.shownLimit else {
            throw ControlError(
                .unprocessable, "too_large_to_approve",
                "Others have to approve this, and cannot be shown a body of more than \(Submission.shownLimit) bytes.")
        }
        let seconds = self.rules.map(\.validSeconds).min() ?? 300
        var scope: ScopeReference?
        if case .node(let node) = self.place.place { scope = try ScopeNodeStore.find(node, &tx)?.reference }
        let approval = Approval(
            id: id, organization: self.place.organization ?? self.organization, scope: scope,
            permission: self.permission.rawValue, method: self.submission.method, path: self.submission.path,
            body: self.submission.body, before: self.before, after: self.after, sha256: self.submission.sha256,
            requester: context.actor, token: context.token,
            reason: self.submission.reason, rules: self.rules.map(\.id), state: .pending, createdAt: context.time,
            expiresAt: context.time.adding(seconds: seconds), decidedAt: nil, change: nil, votes: [])
        guard try ApprovalStore.insert(approval, &tx) else {
            throw ControlError(.unavailable, "busy", "The same request is under way; try again.")
        }
        try approval.tell(event, at: context.time, &tx)
        return (approval, true)
    }

    /// What the caller is told: what is lacking, and what to do.
    func error(_ approval: Approval, _ unmet: [(rule: ApprovalRule, count: Int)]) -> ControlError {
        let (rule, count) =
            unmet.max { $0.rule.required - $0.count < $1.rule.required - $1.count }
            .map { ($0.rule.required, $0.count) } ?? (1, 0)
        var error = ControlError(
            .notAllowed, "approval_required",
            "Nothing was changed: others have to approve this first (\(approval.id), \(count) of \(rule) so far). "
                + "When they have, until \(approval.expiresAt), repeat the very same request.")
        error.approval = approval.id
        return error
    }
}

/// What is found on the way of one change, before it has changed anything: where it is permitted, which rules are about it
/// there, and who may decide.
final class GateApprovals: Sendable {
    struct Found {
        var places: [AccessPath] = []
        var rules: [ApprovalRule] = []
        /// Those that count whatever is changed.
        var certain: Set<ApprovalRuleID> = []
        /// Of the instance and of the organization, where there are rules.
        var policies: [AccessPartition: AccessPolicy] = [:]
    }

    private let state = Mutex(Found())

    var found: Found { self.state.withLock { $0 } }

    /// Looks at one place for which there was a permit.
    func look(
        at place: AccessPath, of gate: Gate, _ tx: inout Transaction
    ) throws {
        self.state.withLock { $0.places.append(place) }
        guard gate.access.context.submission != nil else { return }
        let rules = try ApprovalRuleStore.about(gate.permission, of: place.organization, &tx)
        try self.add(rules.filter { place.contains($0.place) }, at: place, of: gate, &tx)
    }

    /// Has the change need the approvals of a rule, whatever it is.
    func require(_ rule: ApprovalRule, at place: AccessPath, of gate: Gate, _ tx: inout Transaction) throws {
        try self.add([rule], at: place, of: gate, &tx)
        _ = self.state.withLock { $0.certain.insert(rule.id) }
    }

    private func add(
        _ rules: [ApprovalRule], at place: AccessPath, of gate: Gate, _ tx: inout Transaction
    ) throws {
        guard !rules.isEmpty else { return }
        for partition in Set([AccessPartition.instance, AccessPartition(place.organization)])
        where self.state.withLock({ $0.policies[partition] == nil }) {
            let policy = try gate.policy(of: partition, &tx)
            self.state.withLock { $0.policies[partition] = policy }
        }
        self.state.withLock { found in
            found.rules += rules.filter { rule in !found.rules.contains { $0.id == rule.id } }
        }
    }
}

/// Counts what was said to an approval, by rules as they are now and by who may decide now.
struct ApprovalTally {
    private let rules: [ApprovalRule]
    private let path: AccessPath
    private let time: Timestamp

    init(_ rules: [ApprovalRule], along path: AccessPath, at time: Timestamp) {
        self.rules = rules
        self.path = path
        self.time = time
    }

    /// The rules that do not have their approvals, each with how many it has.
    ///
    /// - Parameter policy: of a partition; who is of one for which there is none does not count.
    func unmet(
        _ approval: Approval, _ policy: (AccessPartition) throws -> AccessPolicy?
    ) rethrows -> [(rule: ApprovalRule, count: Int)] {
        var counts = [Int](repeating: 0, count: self.rules.count)
        for vote in approval.votes where vote.approves && vote.voter.id != approval.requester.id {
            guard let policy = try policy(vote.partition) else { continue }
            for (index, rule) in self.rules.enumerated()
            where self.mayDecide(vote.voter, on: rule, by: policy) {
                counts[index] += 1
            }
        }
        return zip(self.rules, counts).filter { $1 < $0.required }.map { (rule: $0, count: $1) }
    }

    /// Whether a subject counts for one of the rules.
    func counts(_ voter: AccessSubject, by policy: AccessPolicy) -> Bool {
        self.rules.contains { self.mayDecide(voter, on: $0, by: policy) }
    }

    private func mayDecide(_ voter: AccessSubject, on rule: ApprovalRule, by policy: AccessPolicy) -> Bool {
        policy.allows(voter, .approvalsDecide, along: self.path, at: self.time) && policy.isApprover(voter, of: rule)
    }
}

extension AccessPath {
    /// The organization that it is in: its outermost node.
    var organization: OrganizationID? {
        let nodes = self.scopes.compactMap { scope -> NodeID? in
            if case .node(let node) = scope { node } else { nil }
        }
        return nodes.last.map { OrganizationID($0.value) }
    }

    /// Its innermost scope.
    var place: AccessScope { self.scopes.first ?? .instance }
}
