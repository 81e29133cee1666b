package import Shared

/// Roles that every deployment has, and that nobody can change.
package enum BuiltInRole: String, Sendable, CaseIterable {
    case owner, admin, billing, developer, auditor, viewer
    // For the instance.
    case `operator`, security

    /// The same in every deployment; they are numbered from 1, and none is ever renumbered.
    package var id: RoleID { RoleID(UUIDValue(high: 0x7000, low: 0x8000_0000_0000_0000 | self.number)) }

    private var number: UInt64 {
        switch self {
        case .owner: 1
        case .admin: 2
        case .billing: 3
        case .developer: 4
        case .auditor: 5
        case .viewer: 6
        case .operator: 7
        case .security: 8
        }
    }

    package init?(_ id: RoleID) {
        guard let role = Self.allCases.first(where: { $0.id == id }) else { return nil }
        self = role
    }

    package var summary: String {
        switch self {
        case .owner: "Everything at its scope."
        case .admin: "Everything but to delete the organization, and to give away what one does not have."
        case .billing: "Budgets, prices, statements and usage."
        case .developer: "Virtual keys, and to see what requests go by and what they cost."
        case .auditor: "To see everything, the audit log and who may do what included."
        case .viewer: "To see what is set up, without credentials, changes and the audit log."
        case .operator: "Gateways and what all organizations share: providers, models, routes, prices."
        case .security: "Users, groups, roles, bindings, tokens; to revoke keys and to fence gateways."
        }
    }

    /// What it was meant for: an organization and what is under it, or the instance.
    package var isForInstance: Bool { self == .operator || self == .security }

    package var permissions: PermissionSet { Self.sets[self] ?? PermissionSet() }

    private static let sets = Dictionary(uniqueKeysWithValues: Self.allCases.map { ($0, PermissionSet($0.contents)) })

    private var contents: [Permission] {
        let reads = Permission.allCases.filter { $0.rawValue.hasSuffix(".read") }
        switch self {
        case .owner: return Permission.allCases
        case .admin:
            return Permission.allCases.filter {
                ![
                    .organizationsDelete, .organizationsCreate, .rolesEscalate, .rolesBind, .breakGlassOpen,
                    .breakGlassClose,
                ].contains($0)
            }
        case .billing:
            return Self.all(of: ["budgets", "price_adjustments", "reratings", "provider_statements", "usage_retention"])
                + [
                    .organizationsRead, .unitsRead, .projectsRead, .virtualKeysRead, .providersRead, .modelsRead,
                    .pricesRead, .pricesCreate, .rateLimitsRead, .usageRead, .eventsRead, .priceProposalsRead,
                    .approvalsRead, .approvalsDecide,
                ]
        case .developer:
            return Self.all(of: ["virtual_keys"]) + [
                .organizationsRead, .unitsRead, .projectsRead, .providersRead, .modelsRead, .routesRead, .pricesRead,
                .budgetsRead, .rateLimitsRead, .usageRead, .serviceAccountsRead, .eventsRead,
            ]
        case .auditor: return reads
        case .viewer:
            return reads.filter {
                ![.auditRead, .changesRead, .credentialsRead, .apiTokensRead, .accessRead, .bindingsRead].contains($0)
            }
        case .operator:
            return Self.all(of: [
                "gateway_groups", "join_tokens", "gateways", "providers", "credentials", "models", "routes", "prices",
                "price_proposals", "trust_root",
            ]) + [
                .organizationsRead, .organizationsCreate, .usageDeclareLost, .eventsRead, .changesRead, .approvalsRead,
                .approvalsDecide,
            ]
        case .security:
            return Self.all(of: [
                "users", "groups", "group_members", "service_accounts", "roles", "bindings", "deny_rules",
                "duty_separations", "access", "api_tokens", "approval_rules", "approvals",
            ]) + [
                .auditRead, .changesRead, .eventsRead, .virtualKeysRead, .virtualKeysRevoke, .gatewaysRead,
                .gatewaysFence,
            ]
        }
    }

    private static func all(of nouns: Set<String>) -> [Permission] {
        Permission.allCases.filter { nouns.contains($0.noun) }
    }
}
