// The nouns that have identifiers, and the prefix of each. Append only: a prefix is part of the API.

package enum OrganizationKind: IdentifierKind { package static let prefix = "org" }
package enum UnitKind: IdentifierKind { package static let prefix = "unit" }
package enum ProjectKind: IdentifierKind { package static let prefix = "prj" }
package enum VirtualKeyKind: IdentifierKind { package static let prefix = "vk" }
package enum UserKind: IdentifierKind { package static let prefix = "usr" }
package enum GroupKind: IdentifierKind { package static let prefix = "grp" }
package enum ServiceAccountKind: IdentifierKind { package static let prefix = "sa" }
package enum ProviderKindID: IdentifierKind { package static let prefix = "prv" }
package enum CredentialKind: IdentifierKind { package static let prefix = "crd" }
package enum ModelKind: IdentifierKind { package static let prefix = "mdl" }
package enum RouteKind: IdentifierKind { package static let prefix = "rte" }
package enum PriceKind: IdentifierKind { package static let prefix = "prc" }
package enum AdjustmentKind: IdentifierKind { package static let prefix = "adj" }
package enum PriceProposalKind: IdentifierKind { package static let prefix = "ppr" }
package enum ReratingKind: IdentifierKind { package static let prefix = "rer" }
package enum GatewayGroupKind: IdentifierKind { package static let prefix = "gwg" }
package enum GatewayKind: IdentifierKind { package static let prefix = "gw" }
package enum JoinTokenKind: IdentifierKind { package static let prefix = "jt" }
package enum ChangeKind: IdentifierKind { package static let prefix = "chg" }
package enum RequestKind: IdentifierKind { package static let prefix = "req" }
package enum TokenKind: IdentifierKind { package static let prefix = "tok" }
package enum DeploymentKind: IdentifierKind { package static let prefix = "dep" }
package enum PolicyKind: IdentifierKind { package static let prefix = "pol" }
package enum NodeKind: IdentifierKind { package static let prefix = "node" }
package enum UsageStreamKind: IdentifierKind { package static let prefix = "stm" }
package enum AuditLogKind: IdentifierKind { package static let prefix = "log" }
package enum ProviderStatementKind: IdentifierKind { package static let prefix = "pst" }
package enum BudgetKind: IdentifierKind { package static let prefix = "bud" }
package enum BudgetIncreaseKind: IdentifierKind { package static let prefix = "inc" }
package enum RateLimitKind: IdentifierKind { package static let prefix = "rl" }
package enum EventKind: IdentifierKind { package static let prefix = "evt" }
package enum WebhookKind: IdentifierKind { package static let prefix = "whk" }
package enum RoleKind: IdentifierKind { package static let prefix = "rol" }
package enum BindingKind: IdentifierKind { package static let prefix = "bnd" }
package enum DenyRuleKind: IdentifierKind { package static let prefix = "dny" }
package enum DutySeparationKind: IdentifierKind { package static let prefix = "sod" }
package enum ApprovalKind: IdentifierKind { package static let prefix = "apr" }
package enum ApprovalRuleKind: IdentifierKind { package static let prefix = "arl" }

package typealias OrganizationID = Identifier<OrganizationKind>
package typealias UnitID = Identifier<UnitKind>
package typealias ProjectID = Identifier<ProjectKind>
package typealias VirtualKeyID = Identifier<VirtualKeyKind>
package typealias UserID = Identifier<UserKind>
package typealias GroupID = Identifier<GroupKind>
package typealias ServiceAccountID = Identifier<ServiceAccountKind>
package typealias ProviderID = Identifier<ProviderKindID>
package typealias CredentialID = Identifier<CredentialKind>
package typealias ModelID = Identifier<ModelKind>
package typealias RouteID = Identifier<RouteKind>
package typealias PriceID = Identifier<PriceKind>
package typealias AdjustmentID = Identifier<AdjustmentKind>
package typealias PriceProposalID = Identifier<PriceProposalKind>
package typealias ReratingID = Identifier<ReratingKind>
package typealias GatewayGroupID = Identifier<GatewayGroupKind>
package typealias GatewayID = Identifier<GatewayKind>
package typealias JoinTokenID = Identifier<JoinTokenKind>
package typealias ChangeID = Identifier<ChangeKind>
package typealias RequestID = Identifier<RequestKind>
package typealias TokenID = Identifier<TokenKind>
package typealias DeploymentID = Identifier<DeploymentKind>
/// A policy row of a snapshot: named by the hash of what it says, so that equal policies are one row.
package typealias PolicyID = Identifier<PolicyKind>
/// Any node of the scope tree: an organization, a unit or a project.
package typealias NodeID = Identifier<NodeKind>
/// One append-only sequence of usage records: one event loop of one gateway process.
package typealias UsageStreamID = Identifier<UsageStreamKind>
package typealias AuditLogID = Identifier<AuditLogKind>
package typealias ProviderStatementID = Identifier<ProviderStatementKind>
package typealias BudgetID = Identifier<BudgetKind>
package typealias BudgetIncreaseID = Identifier<BudgetIncreaseKind>
package typealias RateLimitID = Identifier<RateLimitKind>
package typealias EventID = Identifier<EventKind>
package typealias WebhookID = Identifier<WebhookKind>
package typealias RoleID = Identifier<RoleKind>
package typealias BindingID = Identifier<BindingKind>
package typealias DenyRuleID = Identifier<DenyRuleKind>
package typealias DutySeparationID = Identifier<DutySeparationKind>
package typealias ApprovalID = Identifier<ApprovalKind>
package typealias ApprovalRuleID = Identifier<ApprovalRuleKind>

extension Identifier {
    /// The same value as a node of the scope tree.
    package var node: NodeID { NodeID(self.value) }
}
