package import Logging
package import Postgres
package import Shared

/// The nouns of the control plane over one database, and the endpoints made of them.
package struct ControlPlaneServices: Sendable {
    package let database: Database
    package let keys: KeyEncryptionKeys
    package let time: TimeSource
    package let authorizer: Authorizer
    package let reads: Reads
    package let uses = AccessUses()
    package let changes: Changes
    package let metrics = RequestMetrics()
    package let denials: Denials

    package init(database: Database, keys: KeyEncryptionKeys, time: TimeSource, logger: Logger) {
        self.denials = Denials(database: database, keys: keys, time: time, logger: logger)
        self.database = database
        self.keys = keys
        self.time = time
        self.authorizer = Authorizer(cache: AccessCache(time: time), uses: self.uses.bindings)
        self.reads = Reads(database: database, authorizer: self.authorizer)
        self.changes = Changes(database: database, authorizer: self.authorizer, keys: keys, time: time)
    }

    /// The endpoints of every noun.
    package var endpoints: [Endpoint] {
        let catalog = Catalog(
            database: self.database, reads: self.reads, changes: self.changes, keys: self.keys, time: self.time)
        let budgets = Budgets(database: self.database, reads: self.reads, changes: self.changes, time: self.time)
        let identity = Identity(reads: self.reads, changes: self.changes, time: self.time)
        let fleet = Fleet(database: self.database, changes: self.changes, keys: self.keys, time: self.time)
        return OrganizationRoutes.endpoints(
            Organizations(reads: self.reads, changes: self.changes, time: self.time)
        )
            + VirtualKeyRoutes.endpoints(VirtualKeys(reads: self.reads, changes: self.changes, time: self.time))
            + RoleRoutes.endpoints(Roles(reads: self.reads, changes: self.changes, time: self.time))
            + BindingRoutes.endpoints(Bindings(reads: self.reads, changes: self.changes, time: self.time))
            + AccessRoutes.endpoints(
                AccessQuestions(reads: self.reads, authorizer: self.authorizer),
                AccessReviews(reads: self.reads, authorizer: self.authorizer))
            + RuleRoutes.endpoints(
                DenyRules(reads: self.reads, changes: self.changes, time: self.time),
                DutySeparations(reads: self.reads, changes: self.changes, time: self.time))
            + ApprovalRoutes.endpoints(
                ApprovalRules(reads: self.reads, changes: self.changes, time: self.time),
                Approvals(reads: self.reads, changes: self.changes, time: self.time))
            + UserRoutes.endpoints(identity) + GroupRoutes.endpoints(identity)
            + ServiceAccountRoutes.endpoints(identity) + APITokenRoutes.endpoints(identity)
            + OwnRoutes.endpoints(identity)
            + ProviderRoutes.endpoints(catalog) + RouteRoutes.endpoints(catalog) + PriceRoutes.endpoints(catalog)
            + PriceProposalRoutes.endpoints(catalog)
            + BudgetRoutes.endpoints(budgets)
            + RateLimitRoutes.endpoints(RateLimits(reads: self.reads, changes: self.changes, time: self.time))
            + EventRoutes.endpoints(Events(reads: self.reads))
            + WebhookRoutes.endpoints(
                Webhooks(reads: self.reads, changes: self.changes, keys: self.keys, time: self.time)
            )
            + FleetRoutes.endpoints(fleet)
            + ChangeRoutes.endpoints(ChangeHistory(database: self.database, reads: self.reads))
            + AuditRoutes.endpoints(AuditEvents(reads: self.reads))
            + ReratingRoutes.endpoints(Reratings(database: self.database, changes: self.changes, time: self.time))
            + UsageRoutes.endpoints(UsageReading(reads: self.reads))
            + DecisionRoutes.endpoints(Decisions(reads: self.reads, budgets: budgets))
            + RetentionRoutes.endpoints(UsageKeeping(database: self.database, changes: self.changes))
            + StatementRoutes.endpoints(
                Reconciliation(database: self.database, changes: self.changes, time: self.time)
            )
            + ReportRoutes.endpoints(UsageReports(reads: self.reads)) + LedgerRoutes.endpoints(self.database)
    }

    /// The API with the endpoints of every noun, `more` of them, and its own description.
    package func api(
        _ more: [Endpoint] = [], logger: Logger, authenticateGateway: @escaping GatewayAuthenticator
    ) -> API {
        var endpoints = self.endpoints + more
        endpoints.append(OpenAPI.endpoint(describing: endpoints))
        return API(
            catalogue: Catalogue(endpoints),
            authentication: Authentication(database: self.database, authorizer: self.authorizer, uses: self.uses),
            authenticateGateway: authenticateGateway, time: self.time, logger: logger, metrics: self.metrics,
            denials: self.denials
        )
    }

    /// Until gateways can prove who they are, nobody is one.
    package static let noGateways: GatewayAuthenticator = { _, _, _, _ in
        throw ControlError(.unauthenticated, "unauthenticated", "A gateway's assertion is needed.")
    }
}

extension OpenAPI {
    /// `GET /openapi.json`, which describes itself too.
    package static func endpoint(describing endpoints: [Endpoint]) -> Endpoint {
        func make(_ answer: Answer) -> Endpoint {
            Endpoint(
                .get, "/openapi.json", "openapi.get", "This description", auth: .open, success: .json(.anyObject)
            ) { _ in answer }
        }
        return make(.json(Self.document(endpoints + [make(Answer())])))
    }
}
