package import Shared

/// Who is directly in a group: a user, a service account, or another group with all that are in it.
package struct GroupMember: Sendable, Hashable {
    package let member: AccessSubject
    package let since: Timestamp

    package static let idSchema = Schema.id(UserKind.self, GroupKind.self, ServiceAccountKind.self)

    package static let schema = Schema.named(
        "GroupMember",
        .object([
            .required("member", Self.idSchema), .required("kind", .choice("user", "group", "service_account")),
            .required("created_at", .timestamp),
        ])
    )

    package var json: JSONValue {
        [
            "member": .string(self.member.text), "kind": .string(self.member.kind.rawValue),
            "created_at": JSONValue(self.since),
        ]
    }

    /// Where it stands in the list of members: by kind, and in each kind by identifier.
    var position: [UInt8] { [self.member.kind.ordinal] + self.member.id.bytes }
}

/// A group that somebody is in, and how.
package struct HeldGroup: Sendable, Hashable {
    package let id: GroupID
    package let name: String
    package let status: ActiveStatus
    /// Not only by way of another group.
    package let isDirect: Bool

    package static let schema = Schema.named(
        "HeldGroup",
        .object([
            .required("group", .id(GroupKind.self)), .required("name", .name), .required("status", .activeStatus),
            .required(
                "membership",
                Schema.choice("direct", "inherited").described(
                    "Inherited is what another group is in, and not he himself.")
            ),
        ])
    )

    package var json: JSONValue {
        [
            "group": JSONValue(self.id), "name": .string(self.name), "status": .string(self.status.rawValue),
            "membership": self.isDirect ? "direct" : "inherited",
        ]
    }
}

extension AccessSubject.Kind {
    /// In the order of their names, as the database has it.
    fileprivate var ordinal: UInt8 {
        switch self {
        case .group: 0
        case .serviceAccount: 1
        case .user: 2
        }
    }

    init?(ordinal: UInt8) {
        guard let kind = Self.allCases.first(where: { $0.ordinal == ordinal }) else { return nil }
        self = kind
    }
}
