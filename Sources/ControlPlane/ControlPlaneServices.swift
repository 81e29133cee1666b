package import Logging
package import Postgres
package import Shared

/// The nouns of the control plane over one database, and the endpoints made of them.
package struct ControlPlaneServices: Sendable {
    package let database: Database
    package let keys: KeyEncryptionKeys
    package let time: TimeSource
    package let authorizer: Authorizer
    package let changes: Changes
    package let metrics = RequestMetrics()
    package let denials: Denials

    package init(database: Database, keys: KeyEncryptionKeys, time: TimeSource, logger: Logger) {
        self.denials = Denials(database: database, keys: keys, time: time, logger: logger)
        self.database = database
        self.keys = keys
        self.time = time
        self.authorizer = Authorizer(database: database)
        self.changes = Changes(database: database, authorizer: self.authorizer, keys: keys, time: time)
    }

    /// The endpoints of every noun.
    package var endpoints: [Endpoint] {
        let catalog = Catalog(database: self.database, changes: self.changes, keys: self.keys, time: self.time)
        let budgets = Budgets(database: self.database, changes: self.changes, time: self.time)
        let fleet = Fleet(database: self.database, changes: self.changes, keys: self.keys, time: self.time)
        return OrganizationRoutes.endpoints(
            Organizations(database: self.database, changes: self.changes, time: self.time)
        )
            + VirtualKeyRoutes.endpoints(VirtualKeys(database: self.database, changes: self.changes, time: self.time))
            + ProviderRoutes.endpoints(catalog) + RouteRoutes.endpoints(catalog) + PriceRoutes.endpoints(catalog)
            + PriceProposalRoutes.endpoints(catalog)
            + BudgetRoutes.endpoints(budgets)
            + RateLimitRoutes.endpoints(RateLimits(database: self.database, changes: self.changes, time: self.time))
            + EventRoutes.endpoints(Events(database: self.database))
            + WebhookRoutes.endpoints(
                Webhooks(database: self.database, changes: self.changes, keys: self.keys, time: self.time)
            )
            + FleetRoutes.endpoints(fleet)
            + ChangeRoutes.endpoints(ChangeHistory(database: self.database))
            + AuditRoutes.endpoints(AuditEvents(database: self.database))
            + ReratingRoutes.endpoints(Reratings(database: self.database, changes: self.changes, time: self.time))
            + UsageRoutes.endpoints(UsageReading(database: self.database))
            + DecisionRoutes.endpoints(Decisions(database: self.database, budgets: budgets))
            + RetentionRoutes.endpoints(UsageKeeping(database: self.database, changes: self.changes))
            + StatementRoutes.endpoints(
                Reconciliation(database: self.database, changes: self.changes, time: self.time)
            )
            + ReportRoutes.endpoints(UsageReports(database: self.database)) + LedgerRoutes.endpoints(self.database)
    }

    /// The API with the endpoints of every noun, `more` of them, and its own description.
    package func api(
        _ more: [Endpoint] = [], logger: Logger, authenticateGateway: @escaping GatewayAuthenticator
    ) -> API {
        var endpoints = self.endpoints + more
        endpoints.append(OpenAPI.endpoint(describing: endpoints))
        return API(
            catalogue: Catalogue(endpoints), authorizer: self.authorizer, authenticateGateway: authenticateGateway,
            time: self.time, logger: logger, metrics: self.metrics, denials: self.denials
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
