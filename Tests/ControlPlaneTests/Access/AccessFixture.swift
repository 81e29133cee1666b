import ControlPlane
import Shared
import TestKit
import Testing

/// An organization with one of each thing that an organization has, and what each endpoint is asked with about them.
struct AccessFixture: Sendable {
    /// What an endpoint is asked with.
    struct Ask: Sendable {
        var path: String
        var body: JSONValue?
        /// Of a revision that nothing has: who may is told so, and nothing is changed.
        var isConditional = false
        /// The permission is needed for the instance, although others of the noun are where things are.
        var isOfInstance = false
    }

    let organization: String
    let unit: String
    let project: String
    let owner: TestUser
    /// One who is bound and denied this and that, and asked for nothing.
    let bystander: String
    /// Identifiers by their prefixes.
    private(set) var ids: [String: String] = [:]

    init(_ plane: TestControlPlane) async throws {
        self.organization = try await plane.make("/v1/organizations", ["name": "acme"]).id
        self.unit = try await plane.make("/v1/units", ["name": "acme unit", "parent": .string(self.organization)]).id
        self.project = try await plane.make("/v1/projects", ["name": "acme app", "parent": .string(self.unit)]).id
        // Before there is a separation of duties, which would keep them from being that.
        self.owner = try await plane.user(of: self.organization, with: .owner, at: self.organization)
        _ = try await plane.user(of: self.organization, with: .owner, at: self.organization)
        self.bystander = try await plane.member(of: self.organization).subject
        self.ids = ["org": self.organization, "unit": self.unit, "prj": self.project]
        for (prefix, path) in [
            ("prv", "providers"), ("mdl", "models"), ("crd", "credentials"), ("rte", "routes"), ("prc", "prices"),
            ("vk", "virtual-keys"), ("bud", "budgets"), ("rl", "rate-limits"), ("whk", "webhooks"), ("rol", "roles"),
            ("dny", "deny-rules"), ("sod", "duty-separations"), ("adj", "price-adjustments"), ("usr", "users"),
            ("grp", "groups"), ("sa", "service-accounts"), ("tok", "api-tokens"),
        ] {
            let body = try #require(Self.creations["\(path)"], "\(path)")
            self.ids[prefix] = try await plane.make("/v1/\(path)", body(self, 0)).id
        }
        // One who can be forgotten, and nothing is missing.
        let guest: JSONValue = ["organization": .string(self.organization), "login": "guest", "name": "guest"]
        self.ids["guest"] = try await plane.make("/v1/users", guest).id
        let binding = try await plane.bind(self.bystander, self.ids["rol"] ?? "", at: self.project)
        self.ids["bnd"] = binding.id
        let event = try await plane.send("POST", "/v1/webhooks/\(self.ids["whk"] ?? "")/test")
        self.ids["evt"] = event.id
        let changes = try await plane.send("GET", "/v1/changes?organization=\(self.organization)&limit=1")
        self.ids["chg"] = changes["items"]?.array?.first?["id"]?.string
        let increase = try await plane.send(
            "POST", "/v1/budgets/\(self.ids["bud"] ?? "")/increases", Self.increase)
        self.ids["inc"] = increase.id
        // Nobody gets as far as to delete a group here.
        let rule = try #require(Self.creations["approval-rules"], "approval-rules")
        self.ids["arl"] = try await plane.make("/v1/approval-rules", rule(self, 0)).id
        let asked = try await plane.send("DELETE", "/v1/groups/\(self.ids["grp"] ?? "")", token: self.owner.token)
        self.ids["apr"] = asked["approval"]?.string
        self.ids["req"] = (TimeSource.system.newID() as RequestID).description
    }

    private static let increase: JSONValue = ["amount_usd": "1", "until_at": "2031-01-01T00:00:00Z", "reason": "more"]

    /// Bodies of creations by the last part of the path; a number makes names differ.
    private static let creations: [String: @Sendable (AccessFixture, Int) -> JSONValue] = [
        "units": { ["name": .string("unit \($1)"), "parent": .string($0.organization)] },
        "projects": { ["name": .string("project \($1)"), "parent": .string($0.organization)] },
        "providers": { ["name": .string("provider \($1)"), "kind": "mock", "scope": .string($0.organization)] },
        "models": { ["provider": $0["prv"], "name": .string("model-\($1)")] },
        "credentials": { ["provider": $0["prv"], "name": .string("credential \($1)"), "secret": "sk-something"] },
        "routes": {
            ["scope": .string($0.project), "alias": .string("alias-\($1)"), "targets": [["model": $0["mdl"]]]]
        },
        "prices": { ["model": $0["mdl"], "items": [["meter": "input", "usd_per_million": .string("\($1 + 1)")]]] },
        "price-adjustments": {
            ["organization": .string($0.organization), "factor_ppm": .integer(900_000 + Int64($1)), "reason": "deal"]
        },
        "virtual-keys": { ["project": .string($0.project), "name": .string("key \($1)")] },
        "budgets": {
            ["scope": .string($0.project), "name": .string("budget \($1)"), "amount_usd": "1", "period": "day"]
        },
        "rate-limits": {
            [
                "scope": .string($0.project), "name": .string("limit \($1)"), "meter": "requests", "amount": 10,
                "period": "minute",
            ]
        },
        "webhooks": {
            [
                "organization": .string($0.organization), "name": .string("hook \($1)"),
                "url": "https://hooks.example.com/x", "event_types": ["budget.threshold_crossed"],
            ]
        },
        "users": {
            ["organization": .string($0.organization), "login": .string("login-\($1)"), "name": .string("user \($1)")]
        },
        "groups": { ["organization": .string($0.organization), "name": .string("group \($1)")] },
        "service-accounts": { ["scope": .string($0.organization), "name": .string("account \($1)")] },
        "api-tokens": { ["service_account": $0["sa"], "name": .string("token \($1)")] },
        "roles": {
            ["organization": .string($0.organization), "name": .string("role \($1)"), "permissions": ["events.read"]]
        },
        "deny-rules": {
            [
                "scope": .string($0.project), "name": .string("rule \($1)"), "permissions": ["reratings.read"],
                "reason": "no",
            ]
        },
        "approval-rules": {
            ["scope": .string($0.organization), "name": .string("rule \($1)"), "permissions": ["groups.delete"]]
        },
        "duty-separations": {
            [
                "organization": .string($0.organization), "name": .string("duties \($1)"),
                "first": ["reratings.create"],
                "second": ["provider_statements.create"],
            ]
        },
    ]

    subscript(prefix: String) -> JSONValue { .string(self.ids[prefix] ?? "") }

    /// Everything that nobody else may be told.
    var secrets: [String] { Array(self.ids.values) }

    private static let nouns = [
        "organizations": "org", "units": "unit", "projects": "prj", "providers": "prv", "models": "mdl",
        "credentials": "crd", "routes": "rte", "prices": "prc", "virtual-keys": "vk", "budgets": "bud",
        "rate-limits": "rl", "webhooks": "whk", "roles": "rol", "deny-rules": "dny", "duty-separations": "sod",
        "price-adjustments": "adj", "bindings": "bnd", "events": "evt", "changes": "chg", "usage": "req",
        "decisions": "req", "users": "usr", "groups": "grp",
        "service-accounts": "sa", "api-tokens": "tok", "approvals": "apr", "approval-rules": "arl",
    ]

    /// What an endpoint is asked with; nil for one that nobody has thought of.
    ///
    /// - Parameter number: makes what is created differ.
    func ask(_ endpoint: Endpoint, permission: Permission, number: Int) -> Ask? {
        let parts = endpoint.path.description.split(separator: "/").map(String.init)
        guard parts.count >= 2 else { return nil }
        let noun = parts[1]
        var ask = Ask(
            path: endpoint.path.description
                .replacing("{id}", with: self.ids[Self.nouns[noun] ?? ""] ?? "")
                .replacing("{increase}", with: self.ids["inc"] ?? "")
                .replacing("{member}", with: self.ids["usr"] ?? "")
        )
        switch (endpoint.method, endpoint.operation) {
        case (_, "organizations.create"):
            ask.body = ["name": .string("organization \(number)")]
            ask.isOfInstance = true
        case (_, "price_adjustments.create"):
            ask.body = Self.creations[noun]?(self, number)
            ask.isOfInstance = true
        case (_, "bindings.create"):
            // A role that gives no more than its giver has.
            ask.body = [
                "subject": .string(self.bystander), "role": .string("ROLE"), "scope": .string(self.project),
                "reason": "test",
            ]
        case (_, "deny_rules.create"):
            ask.body = Self.creations[noun]?(self, number).with([
                "permissions": [.string(permission.rawValue)], "subject": .string(self.bystander),
            ])
        case (_, "roles.create"):
            ask.body = Self.creations[noun]?(self, number).with(["permissions": [.string(permission.rawValue)]])
        case (_, "budget_increases.create"): ask.body = Self.increase
        case (_, "users.forget"):
            ask.path = "/v1/users/\(self.ids["guest"] ?? "")/forget"
            ask.body = ["reason": "asked to be"]
        case (_, "credentials.rotate"): ask.body = ["secret": "sk-another"]
        case (_, "virtual_keys.rotate"), (_, "webhooks.rotate"), (_, "api_tokens.rotate"):
            ask.body = ["overlap_seconds": 60]
        case (_, "decisions.explain"): ask.body = ["key": self["vk"], "model": "alias-0"]
        case (_, "approvals.approve"), (_, "approvals.reject"): ask.body = ["comment": "seen"]
        case (.get, "audit_events.list"): ask.path += "?organization=\(self.organization)"
        case (_, "access.who_can"): ask.path += "?permission=budgets.read&scope=\(self.organization)"
        case (_, "access.what_can"): ask.path += "?subject=\(self.ids["sa"] ?? "")&scope=\(self.organization)"
        case (_, "access.explain"):
            ask.path += "?permission=budgets.read&subject=\(self.ids["sa"] ?? "")&scope=\(self.organization)"
        case (_, "access.review"): ask.path += "?organization=\(self.organization)"
        case (_, "access.effect"): ask.body = ["unbind": self["bnd"]]
        // It ends but once: whoever may is told that it is not there any more.
        case (_, "virtual_keys.revoke"), (_, "webhooks.test"), (_, "budget_increases.end"): break
        case (_, "api_tokens.revoke"), (_, "group_members.add"), (_, "group_members.remove"): break
        case (.get, _): break
        case (.post, _) where Self.creations[noun] != nil && parts.count == 2:
            ask.body = Self.creations[noun]?(self, number)
        case (.patch, "bindings.update"):
            ask.body = ["reason": "because"]
            ask.isConditional = true
        case (.patch, "routes.update"):
            ask.body = ["status": "active"]
            ask.isConditional = true
        case (.patch, _):
            ask.body = ["name": "renamed"]
            ask.isConditional = true
        case (.delete, _): ask.isConditional = true
        default: return nil
        }
        return ask
    }
}

extension JSONValue {
    /// An object with the members of another one in place of its own.
    func with(_ other: [String: JSONValue]) -> JSONValue {
        .object((self.object ?? [:]).merging(other) { $1 })
    }
}
