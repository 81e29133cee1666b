package import Shared

/// Something that happened and that others may want to know of: stored first, whether anybody listens or not.
package struct Event: Sendable, Hashable, Audited {
    package let id: EventID
    /// One of `types`, or one of a newer release.
    package let type: String
    /// Nil for the instance.
    package let organization: OrganizationID?
    /// What it is about.
    package let subject: Target
    package let occurredAt: Timestamp
    /// An object; its members depend on the type.
    package let data: JSONValue

    /// A window of a budget reached one of its thresholds.
    package static let budgetThresholdCrossed = "budget.threshold_crossed"
    /// Something waits for others to agree to it; enough of them did; one refused.
    package static let approvalRequested = "approval.requested"
    package static let approvalApproved = "approval.approved"
    package static let approvalRejected = "approval.rejected"
    /// Somebody tries whether a webhook arrives; it goes to that one alone.
    package static let webhookTest = "webhook.test"
    /// Somebody opened the account that may do everything.
    package static let breakGlassOpened = "break_glass.opened"
    /// Somebody sealed it again before its time was over.
    package static let breakGlassClosed = "break_glass.closed"
    /// What webhooks can ask for: those of an organization.
    package static let organizationTypes = [Self.budgetThresholdCrossed] + Self.approvalTypes
    /// And those of the instance.
    package static let instanceTypes = [Self.breakGlassOpened, Self.breakGlassClosed] + Self.approvalTypes
    package static let types =
        [Self.budgetThresholdCrossed, Self.breakGlassOpened, Self.breakGlassClosed] + Self.approvalTypes
    private static let approvalTypes = [Self.approvalRequested, Self.approvalApproved, Self.approvalRejected]

    /// What is told when an approval has come to stand so; nil for nothing.
    static func type(of state: Approval.State) -> String? {
        switch state {
        case .pending: Self.approvalRequested
        case .approved: Self.approvalApproved
        case .rejected: Self.approvalRejected
        case .withdrawn, .used, .expired: nil
        }
    }

    package var auditState: JSONValue {
        ["id": JSONValue(self.id), "type": .string(self.type), "subject": .string(self.subject.text)]
    }

    package var json: JSONValue {
        [
            "id": JSONValue(self.id), "type": .string(self.type), "organization": JSONValue(self.organization),
            "subject": .string(self.subject.text), "occurred_at": JSONValue(self.occurredAt), "data": self.data,
        ]
    }

    /// What a webhook is sent: the same, with the names that receivers of Standard Webhooks look for.
    package var payload: JSONValue {
        [
            "id": JSONValue(self.id), "type": .string(self.type), "organization": JSONValue(self.organization),
            "subject": .string(self.subject.text), "timestamp": JSONValue(self.occurredAt), "data": self.data,
        ]
    }

    package static let schema = Schema.named(
        "Event",
        .object([
            .required("id", .id(EventKind.self)), .required("type", .string(.length(1...64))),
            .required(
                "organization",
                Schema.id(OrganizationKind.self).orNull.described("Whose it is; null for the instance's.")),
            .required("subject", Schema.string(.length(1...64)).described("What it is about.")),
            .required("occurred_at", .timestamp),
            .required(
                "data",
                Schema.anyObject.described(
                    "Its members depend on the type; see docs/budgets.md and docs/access.md.")),
        ])
    )
}
