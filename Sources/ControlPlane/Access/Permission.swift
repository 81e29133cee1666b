/// What may be allowed, each to be held or not.
///
/// The text form is part of the API.
package enum Permission: String, Sendable, CaseIterable {
    case organizationsCreate = "organizations.create"
    case organizationsRead = "organizations.read"
    case organizationsUpdate = "organizations.update"
    case organizationsDelete = "organizations.delete"
    case unitsCreate = "units.create"
    case unitsRead = "units.read"
    case unitsUpdate = "units.update"
    case unitsDelete = "units.delete"
    case projectsCreate = "projects.create"
    case projectsRead = "projects.read"
    case projectsUpdate = "projects.update"
    case projectsDelete = "projects.delete"

    case virtualKeysCreate = "virtual_keys.create"
    case virtualKeysRead = "virtual_keys.read"
    case virtualKeysUpdate = "virtual_keys.update"
    case virtualKeysRotate = "virtual_keys.rotate"
    case virtualKeysRevoke = "virtual_keys.revoke"
    case virtualKeysDelete = "virtual_keys.delete"

    case providersCreate = "providers.create"
    case providersRead = "providers.read"
    case providersUpdate = "providers.update"
    case providersDelete = "providers.delete"
    case credentialsCreate = "credentials.create"
    case credentialsRead = "credentials.read"
    case credentialsUpdate = "credentials.update"
    case credentialsRotate = "credentials.rotate"
    case credentialsDelete = "credentials.delete"
    case modelsCreate = "models.create"
    case modelsRead = "models.read"
    case modelsUpdate = "models.update"
    case modelsDelete = "models.delete"
    case routesCreate = "routes.create"
    case routesRead = "routes.read"
    case routesUpdate = "routes.update"
    case routesDelete = "routes.delete"
    case pricesCreate = "prices.create"
    case pricesRead = "prices.read"
    case priceProposalsCreate = "price_proposals.create"
    case priceProposalsRead = "price_proposals.read"
    case priceProposalsApprove = "price_proposals.approve"
    case priceProposalsReject = "price_proposals.reject"
    case priceAdjustmentsCreate = "price_adjustments.create"
    case priceAdjustmentsRead = "price_adjustments.read"

    case budgetsCreate = "budgets.create"
    case budgetsRead = "budgets.read"
    case budgetsUpdate = "budgets.update"
    case budgetsDelete = "budgets.delete"
    case budgetsIncrease = "budgets.increase"
    case rateLimitsCreate = "rate_limits.create"
    case rateLimitsRead = "rate_limits.read"
    case rateLimitsUpdate = "rate_limits.update"
    case rateLimitsDelete = "rate_limits.delete"

    case eventsRead = "events.read"
    case webhooksCreate = "webhooks.create"
    case webhooksRead = "webhooks.read"
    case webhooksUpdate = "webhooks.update"
    case webhooksRotate = "webhooks.rotate"
    case webhooksTest = "webhooks.test"
    case webhooksDelete = "webhooks.delete"

    case gatewayGroupsCreate = "gateway_groups.create"
    case gatewayGroupsRead = "gateway_groups.read"
    case gatewayGroupsUpdate = "gateway_groups.update"
    case gatewayGroupsAssign = "gateway_groups.assign"
    case joinTokensCreate = "join_tokens.create"
    case gatewaysEnroll = "gateways.enroll"
    case gatewaysRead = "gateways.read"
    case gatewaysDelete = "gateways.delete"
    case gatewaysFence = "gateways.fence"

    case usersCreate = "users.create"
    case usersRead = "users.read"
    case usersUpdate = "users.update"
    case usersDelete = "users.delete"
    /// To erase what is known of a user, for good.
    case usersForget = "users.forget"
    case groupsCreate = "groups.create"
    case groupsRead = "groups.read"
    case groupsUpdate = "groups.update"
    case groupsDelete = "groups.delete"
    /// Who is in a group has what the group has.
    case groupMembersAdd = "group_members.add"
    case groupMembersRemove = "group_members.remove"
    case serviceAccountsCreate = "service_accounts.create"
    case serviceAccountsRead = "service_accounts.read"
    case serviceAccountsUpdate = "service_accounts.update"
    case serviceAccountsDelete = "service_accounts.delete"
    case rolesCreate = "roles.create"
    case rolesRead = "roles.read"
    case rolesUpdate = "roles.update"
    case rolesDelete = "roles.delete"
    /// To put permissions into a role that one does not hold.
    case rolesEscalate = "roles.escalate"
    /// To bind a role with permissions that one does not hold.
    case rolesBind = "roles.bind"
    case bindingsCreate = "bindings.create"
    case bindingsRead = "bindings.read"
    case bindingsUpdate = "bindings.update"
    case bindingsDelete = "bindings.delete"
    case denyRulesCreate = "deny_rules.create"
    case denyRulesRead = "deny_rules.read"
    case denyRulesUpdate = "deny_rules.update"
    case denyRulesDelete = "deny_rules.delete"
    case dutySeparationsCreate = "duty_separations.create"
    case dutySeparationsRead = "duty_separations.read"
    case dutySeparationsUpdate = "duty_separations.update"
    case dutySeparationsDelete = "duty_separations.delete"
    /// Who can do what, and why: `who-can`, `what-can`, `explain`, reviews.
    case accessRead = "access.read"
    case apiTokensCreate = "api_tokens.create"
    case apiTokensRead = "api_tokens.read"
    case apiTokensUpdate = "api_tokens.update"
    case apiTokensRotate = "api_tokens.rotate"
    case apiTokensRevoke = "api_tokens.revoke"

    case approvalRulesCreate = "approval_rules.create"
    case approvalRulesRead = "approval_rules.read"
    case approvalRulesUpdate = "approval_rules.update"
    case approvalRulesDelete = "approval_rules.delete"
    case approvalsRead = "approvals.read"
    /// To agree to what somebody else asked for, or to refuse it.
    case approvalsDecide = "approvals.decide"
    /// What everybody does who asks for what needs approval.
    case approvalsRequest = "approvals.request"

    /// To open the account that may do everything, for a while.
    case breakGlassOpen = "break_glass.open"
    case breakGlassClose = "break_glass.close"

    case changesRead = "changes.read"
    case auditRead = "audit.read"
    case usageRead = "usage.read"
    case reratingsCreate = "reratings.create"
    case reratingsRead = "reratings.read"
    case usageDeclareLost = "usage.declare_lost"
    case usageRetentionUpdate = "usage_retention.update"
    case providerStatementsCreate = "provider_statements.create"
    case providerStatementsRead = "provider_statements.read"
    case providerStatementsDelete = "provider_statements.delete"
    case trustRootRotate = "trust_root.rotate"
}

extension Permission {
    /// `budgets` of `budgets.increase`.
    package var noun: String { String(self.rawValue.prefix { $0 != "." }) }

    /// What lets one see that a thing of the noun is there; nil for nouns that are not read.
    package var reading: Permission? {
        switch self {
        case .groupMembersAdd, .groupMembersRemove: .groupsRead
        case .usageDeclareLost: .gatewaysRead
        default: Permission(rawValue: self.noun + ".read")
        }
    }
}
