import Postgres
package import Shared

extension Catalog {
    package func route(_ id: RouteID, as context: OperationContext) async throws -> Route {
        try await self.reads.one(.routesRead, as: context, "route", at: \.owner.place) { tx in
            try RouteStore.fetch(id, &tx)
        }
    }

    package func routes(
        organization: OrganizationID?, alias: String?, _ page: PageRequest,
        as context: OperationContext
    ) async throws -> Page<Route> {
        let found = try await self.reads.perform(.routesRead, as: context) { tx, sight in
            try RouteStore.list(organization: organization, alias: alias, page, sight, &tx)
        }
        return Page(found, page, position: \.id.bytes)
    }

    package func createRoute(_ body: JSONValue, as context: OperationContext) async throws -> Resolved<Route> {
        let id: RouteID = self.time.newID()
        let outcome = try await self.changes.perform(.routesCreate, on: Target(id), as: context) { tx, gate in
            let owner = try Ownership.resolve(body["scope"]?.string, &tx)
            let permit = try gate.permit(at: owner.place, &tx, orMissing: Ownership.missing)
            let route = Route(
                id: id, owner: owner, alias: body["alias"]?.string ?? "", targets: Route.targets(body["targets"]),
                status: .active, stamps: Stamps(new: context.time)
            )
            try Self.check(route, &tx)
            try RouteStore.insert(route, &tx, permit)
            return Change(route, in: owner.organization, after: route)
        }
        return try await outcome.resolved { try await self.route(RouteID($0), as: context) }
    }

    package func updateRoute(
        _ id: RouteID, _ patch: JSONValue, ifRevision: Int64?, as context: OperationContext
    ) async throws -> Resolved<Route> {
        let outcome = try await self.changes.perform(.routesUpdate, on: Target(id), as: context) { tx, gate in
            let before = try RouteStore.fetch(id, &tx, lock: .update)
            let permit = try gate.permit(at: before.owner.place, &tx)
            try Revision.check(before.stamps.revision, ifRevision)
            let after = before.applying(patch, at: context.time)
            if patch["targets"] != nil { try Self.check(after, &tx) }
            try RouteStore.save(after, &tx, permit)
            return Change(after, in: before.owner.organization, before: before, after: after)
        }
        return try await outcome.resolved { _ in try await self.route(id, as: context) }
    }

    package func deleteRoute(
        _ id: RouteID, ifRevision: Int64?, as context: OperationContext
    ) async throws -> [AuditReceipt] {
        try await self.changes.perform(.routesDelete, on: Target(id), as: context) { tx, gate in
            let before = try RouteStore.fetch(id, &tx, lock: .update)
            let permit = try gate.permit(at: before.owner.place, &tx)
            try Revision.check(before.stamps.revision, ifRevision)
            try RouteStore.remove(id, at: context.time, &tx, permit)
            return Change((), in: before.owner.organization, before: before)
        }.receipts
    }

    /// Targets exist, are visible where the route is, and a credential is one of the model's provider: a route never
    /// lends one organization what another owns.
    private static func check(_ route: Route, _ tx: inout Transaction) throws {
        for (index, target) in route.targets.enumerated() {
            let place = "/targets/\(index)"
            guard let model = try ModelStore.find(target.model, &tx, lock: .share),
                try model.owner.isVisible(to: route.owner, &tx)
            else { throw ControlError.invalid("There is no such model here.", at: "\(place)/model") }
            guard let id = target.credential else { continue }
            let credential = try CredentialStore.find(id, &tx, lock: .share)
            guard credential?.provider == model.provider else {
                throw ControlError.invalid("The model's provider has no such credential.", at: "\(place)/credential")
            }
        }
    }
}
