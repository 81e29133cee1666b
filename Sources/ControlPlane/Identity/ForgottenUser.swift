import Postgres
package import Shared

/// A user of whom nothing is known any more but that he was there.
package struct ForgottenUser: Sendable, Hashable {
    package let id: UserID
    /// Nil for the instance.
    package let organization: OrganizationID?
    package let forgottenAt: Timestamp

    package static let requestSchema = Schema.object([
        .required(
            "reason", Schema.string(.length(1...2000)).described("Why; for the audit log, without his data."))
    ])

    package static let schema = Schema.named(
        "ForgottenUser",
        .object([
            .required("id", .id(UserKind.self)), .required("organization", Schema.id(OrganizationKind.self).orNull),
            .required("forgotten_at", Schema.timestamp.described("When that was done first.")),
        ])
    )

    package var json: JSONValue {
        [
            "id": JSONValue(self.id), "organization": JSONValue(self.organization),
            "forgotten_at": JSONValue(self.forgottenAt),
        ]
    }
}

/// What the audit log keeps of a forgetting.
struct Forgetting: Audited {
    let user: ForgottenUser
    /// What ended with him; nil when he was deleted before.
    let ended: SubjectEnd.Ended?
    let reason: String

    var auditState: JSONValue {
        guard let ended = self.ended?.auditState.object else { return self.user.json }
        return (self.user.json.object ?? [:]).adding(ended)
    }
    /// Under the organization's key, because the user has none any more.
    var auditPersonal: JSONValue { ["reason": .string(self.reason)] }
}
