package import Shared

/// One request that waits for the agreement of others, or had it: what exactly is asked, by whom, and who said what.
package struct Approval: Sendable, Audited {
    package enum State: String, Sendable, CaseIterable {
        /// More have to approve.
        case pending
        /// Enough have: the requester can repeat the request, once.
        case approved
        case rejected
        case withdrawn
        /// It was carried out.
        case used
        case expired
    }

    /// What one approver said.
    package struct Vote: Sendable {
        package let voter: AccessSubject
        package let partition: AccessPartition
        package let approves: Bool
        package let comment: String
        package let at: Timestamp
    }

    package let id: ApprovalID
    /// Nil for what is the instance's.
    package let organization: OrganizationID?
    /// Where it takes place; nil for the instance.
    package let scope: ScopeReference?
    package let permission: String
    package let method: String
    package let path: String
    package let body: JSONValue
    /// What would be changed, as it was when this was asked for, and as it would be; null for what is created.
    package let before: JSONValue
    package let after: JSONValue
    package let sha256: [UInt8]
    package let requester: Actor
    /// The API token that it was asked with.
    let token: TokenID?
    package let reason: String
    /// The rules that asked for it, those that came while it was open among them.
    package var rules: [ApprovalRuleID]
    package var state: State
    package let createdAt: Timestamp
    package let expiresAt: Timestamp
    package var decidedAt: Timestamp?
    package var change: ChangeID?
    package var votes: [Vote]

    package var place: AccessScope { self.scope.map { .node($0.node) } ?? .instance }

    /// As it is at an instant: what nobody used in time has expired.
    package func state(at time: Timestamp) -> State {
        switch self.state {
        case .pending, .approved: time < self.expiresAt ? self.state : .expired
        case .rejected, .withdrawn, .used, .expired: self.state
        }
    }

    package var auditState: JSONValue {
        [
            "id": JSONValue(self.id), "permission": .string(self.permission), "method": .string(self.method),
            "request_sha256": .string(Hex.encode(self.sha256)),
            "requester": ["kind": .string(self.requester.kind.rawValue), "id": .string(self.requester.text)],
            "rules": JSONValue(self.rules.map(\.description)), "state": .string(self.state.rawValue),
            "expires_at": JSONValue(self.expiresAt),
            "votes": .array(
                self.votes.map {
                    ["by": .string($0.voter.text), "approves": .bool($0.approves), "at": JSONValue($0.at)]
                }),
        ]
    }

    package var auditPersonal: JSONValue {
        [
            "path": .string(self.path), "body": self.body, "reason": .string(self.reason),
            "comments": .array(
                self.votes.map { ["by": .string($0.voter.text), "comment": .string($0.comment)] }),
        ]
    }

    /// Whoever asked: it is in his words.
    package var auditPerson: UserID? { self.requester.kind == .user ? UserID(self.requester.id) : nil }

    package func json(at time: Timestamp) -> JSONValue {
        [
            "id": JSONValue(self.id), "organization": JSONValue(self.organization), "scope": JSONValue(self.scope),
            "status": .string(self.state(at: time).rawValue), "permission": .string(self.permission),
            "method": .string(self.method), "path": .string(self.path), "body": self.body,
            "before": self.before, "after": self.after, "request_sha256": .string(Hex.encode(self.sha256)),
            "requester": ["kind": .string(self.requester.kind.rawValue), "id": .string(self.requester.text)],
            "reason": .string(self.reason), "rules": JSONValue(self.rules.map(\.description)),
            "votes": .array(
                self.votes.map {
                    [
                        "by": .string($0.voter.text), "approves": .bool($0.approves), "comment": .string($0.comment),
                        "at": JSONValue($0.at),
                    ]
                }),
            "created_at": JSONValue(self.createdAt), "expires_at": JSONValue(self.expiresAt),
            "decided_at": JSONValue(self.decidedAt), "change": JSONValue(self.change),
        ]
    }

    // MARK: Schemas

    static let commentLimit = 2000

    package static let schema = Schema.named(
        "Approval",
        .object([
            .required("id", .id(ApprovalKind.self)),
            .required("organization", Schema.id(OrganizationKind.self).orNull),
            .required(
                "scope",
                Schema.id(OrganizationKind.self, UnitKind.self, ProjectKind.self).orNull
                    .described("Where it takes place; null is the instance.")),
            .required("status", .string(.oneOf(State.allCases.map(\.rawValue)))),
            .required("permission", .string(.length(1...64))),
            .required("method", .string(.length(1...16))),
            .required("path", Schema.string(.length(1...4096)).described("With the query.")),
            .required(
                "body", Schema.anyObject.orNull.described("What is asked, without secrets; null for none.")),
            .required(
                "before",
                Schema.anyObject.orNull.described(
                    "What would be changed, as it was when this was asked for: states and numbers, no names. Null for what "
                        + "is created.")),
            .required("after", Schema.anyObject.orNull.described("The same as it would be.")),
            .required(
                "request_sha256",
                Schema.string(.length(64...64)).described(
                    "Of 'METHOD path LF If-Match LF body': it holds for this very request.")),
            .required("requester", Binding.actorSchema), .required("reason", .string(.length(0...500))),
            .required("rules", .array(of: .id(ApprovalRuleKind.self), count: 1...101)),
            .required(
                "votes",
                .array(
                    of: .object([
                        .required("by", .id(UserKind.self, ServiceAccountKind.self)), .required("approves", .bool),
                        .required("comment", .string(.length(0...Self.commentLimit))), .required("at", .timestamp),
                    ]), count: 0...1000)),
            .required("created_at", .timestamp), .required("expires_at", .timestamp),
            .required("decided_at", Schema.timestamp.orNull),
            .required("change", Schema.id(ChangeKind.self).orNull.described("What was done with it.")),
        ])
    )

    package static let decisionSchema = Schema.object([
        .optional("comment", .string(.length(0...Self.commentLimit)))
    ])
}
