import ControlPlane
import Glibc
import Postgres
import Shared
import TestKit
import Testing

/// On a populated database, nothing that is done often reads a large table from one end to the other.
@Suite(.timeLimit(.minutes(10)), .enabled(if: getenv("GATEHOUSE_TEST_DATABASE_URL") == nil)) struct QueryPlanTests {
    /// Rows from which on a table is large.
    private static let large = 10_000

    /// What may read a large table whole, and why.
    private static let exceptions: [(query: String, tables: Set<String>, reason: String)] = [
        ("from scope_node n join gateway_group_organization g", ["scope_node"], Self.wholeChunk),
        (
            "where g.group_id = $1 and k.deleted_at is null and p.deleted_at",
            ["virtual_key_secret", "virtual_key", "scope_node"],
            Self.wholeChunk
        ),
        ("select p.id, p.kind, p.base_url, p.status from provider p", ["provider", "scope_node"], Self.wholeChunk),
        (
            "from credential c join provider p on p.id = c.provider_id left join",
            ["credential", "provider", "scope_node", "gateway_group_credential"], Self.wholeChunk
        ),
        ("m.max_output_tokens, m.status from model m", ["model", "provider", "scope_node"], Self.wholeChunk),
        ("select r.id, r.node_id, r.alias, r.status from route r", ["route", "scope_node"], Self.wholeChunk),
        ("from route_target t join route r on r.id = t.route_id", ["route", "route_target"], Self.wholeChunk),
        (
            "b.models from budget b join gateway_group_organization g", ["budget", "virtual_key", "scope_node"],
            Self.wholeChunk
        ),
        (
            "l.models from rate_limit l join gateway_group_organization g",
            ["rate_limit", "virtual_key", "scope_node"],
            Self.wholeChunk
        ),
        (
            "with b as (select * from budget where id = $1), tagged as", ["usage_series"],
            "once for a budget, in the window that it was made in: all series of its organization"
        ),
        ("select case when exists", ["scope_node", "provider", "route"], "stops at the first row that it finds"),
        ("delete from blob b", ["blob", "snapshot"], "once in ten minutes: looks at each, without its bytes"),
        ("from usage_event where ingested_at >= $1 group by 1", ["usage_event"], "once a day everything is checked"),
        ("from usage_minute where starts_at >= $1 group by 1", ["usage_minute"], "once a day everything is checked"),
        ("from usage_hour where starts_at >= $1 group by 1", ["usage_hour"], "once a day everything is checked"),
        (
            "from usage_quarter_day where starts_at >= $1 group by 1", ["usage_quarter_day"],
            "once a day everything is checked"
        ),
        ("from usage_correction", ["usage_correction"], "once a day everything is checked"),
        ("as rerated from rerating", ["rerating"], "adds up one figure of each re-rating, once a minute"),
        ("from usage_day where starts_at >= $1 group by 1", ["usage_day"], "once a day everything is checked"),
        ("from usage_stream) as watermarks", ["usage_stream"], "adds up one figure of each stream, once a minute"),
        ("with cells as materialized", ["usage_series"], "one hash of all series for all records of a round"),
        ("select id, name from", ["virtual_key", "scope_node", "model"], Self.names),
        ("from usage_day d join usage_series s", ["usage_day", "usage_series"], "compares a provider's whole month"),
        (
            "from (select l.series_id, ",
            ["usage_day", "usage_quarter_day", "usage_hour", "usage_series", "usage_tag_set"], Self.report
        ),
        ("select * from usage_event where", ["usage_event"], "looks for what is rare, one window after the other"),
        (
            "delete from snapshot where ctid", ["snapshot", "gateway", "gateway_status"],
            "here most are to be removed: at most 5000 at a time"
        ),
    ]
    /// What is not needed at every hour of the day: whether today's partition is read whole depends on how much is in it.
    private static let occasional: Set<String> = ["select * from usage_event where"]
    private static let names = "the names of up to ten thousand rows of a report: then the whole table is less to read"
    private static let report = "a report of a month reads half of two months' sums"
    private static let wholeChunk = "a chunk type of a snapshot is made of all its rows, when one of them has changed"

    @Test func `no query reads a large table whole, but for those that are known to`() async throws {
        try await TestControlPlane.with { plane in
            let node = try await TestNode.make(plane)
            try await PopulatedDatabase.fill(plane.database)
            let log = try await PlanLog(plane.database)
            try await self.readEverything(plane)
            try await self.change(plane)
            try await self.identify(plane)
            try await self.serve(node, plane)
            try await self.publish(plane)
            try await self.keepHouse(plane)

            let large = try await self.tables(plane)
            let plans = log.plans()
            self.checkScans(plans, large)
            self.checkCoverage(plans)
            self.checkRecords(plans)
            // What is done every minute reads what is new.
            try await self.keepHouse(plane)
            let scanned = Set(log.plans().dropFirst(plans.count).flatMap(\.scannedWhole)).intersection(large)
            #expect(
                !scanned.contains { $0.hasPrefix("usage_") && $0 != "usage_stream" && $0 != "usage_series" },
                "\(scanned)")
        }
    }

    private func checkScans(_ plans: [PlanLog.Plan], _ large: Set<String>) {
        var reported: Set<String> = []
        var excused: Set<String> = []
        for plan in plans {
            for table in plan.scannedWhole where large.contains(table) {
                let name = table.hasPrefix("usage_event") ? "usage_event" : table
                let exception = Self.exceptions.first { $0.tables.contains(name) && plan.query.contains($0.query) }
                if let exception {
                    excused.insert(exception.query)
                } else if reported.insert(plan.query).inserted {
                    Issue.record("\(table) is read whole by: \(plan.query)")
                }
            }
        }
        for exception in Self.exceptions
        where !excused.contains(exception.query) && !Self.occasional.contains(exception.query) {
            Issue.record("an exception that nothing needs: \(exception.query)")
        }
    }

    private func tables(_ plane: TestControlPlane) async throws -> Set<String> {
        let rows = try await plane.database.database.transaction(.readOnly) { tx in
            try tx.query(
                "select relname::text as name from pg_class where relkind = 'r' and reltuples > $1::bigint",
                Int64(Self.large)
            ).map { try $0.get("name", as: String.self) }
        }
        #expect(rows.filter { $0.hasPrefix("usage_event_") }.count >= 4)
        #expect(rows.count > 25, "the database is not populated: \(rows)")
        return Set(rows)
    }

    /// Every statement of a store that reads a large table by what it looks for must have been seen.
    private func checkCoverage(_ plans: [PlanLog.Plan]) {
        for part in [
            "from api_token_secret s join api_token t", "from virtual_key_secret where key_id", "from audit_leaf l",
            "from idempotency_key where actor_id", "from subject_key where subject_id", "from change where id",
            "from change_publication where change_id", "from usage_day", "from usage_event", "from join_token where",
            "update join_token set used_at", "from gateway where id = $1 and status", "insert into gateway_status",
            "insert into usage_stream", "insert into usage_series", "insert into usage_minute",
            "insert into usage_unfolded", "from unnest($1::uuid[], $2::text[]) w", "insert into usage_tag_count",
            "from usage_tag_set where id = any", "from usage_tag_set where tags", "k.tags ->> t.name",
            "with ends as", "n.tags @> jsonb_build_array", "b.tag_name = any",
            "from price_item where price_id",
            "delete from snapshot_dirty", "delete from blob", "delete from idempotency_key", "from scope_closure",
            "from virtual_key_secret s join virtual_key k", "delete from event", "with due as materialized",
            "update webhook_delivery set state", "insert into budget_threshold_crossing",
            "left join budget_account_spent",
            "delete from budget_held_change", "update budget_account a set held",
            "insert into budget_account_unseen", "insert into webhook_delivery", "from snapshot where group_id",
            "from budget_checkpoint k", "insert into budget_checkpoint as c",
            "where w.step < (select k.step from budget_checkpoint", "delete from budget_checkpoint c using (",
            "insert into budget_checkpoint (account_id",
            "delete from join_token",
            "from user_account u where u.id", "from user_account u join group_member m", "lower(u.login) ~>=~",
            "from user_group g where", "from service_account a left join", "from api_token t left join",
            "from api_token_secret where token_id", "with recursive up", "with recursive above",
            "select distinct organization_id from scope_node where id = any", "insert into group_member",
            "update group_member set deleted_at = $2 where group_id",
            "update group_member set deleted_at = $3 where member_id",
            "update role_binding set deleted_at", "update deny_rule set deleted_at = $3",
            "update api_token set revoked_at",
            "update api_token t set last_used_at",
            "delete from api_token_secret", "delete from group_member", "delete from role where",
            "delete from role_binding",
            "delete from deny_rule", "delete from duty_separation",
            "from user_account where id = $1", "update user_account set login = $2", "update api_token set name = $2",
            "update role_binding set reason", "update deny_rule set name = $2", "update virtual_key set name = $2",
            "update budget set name = $2", "update rate_limit set name = $2",
            "delete from idempotency_key where actor_id",
            "insert into subject_key (subject_id, kek_id, wrapped_key, forgotten_at)", "and forgotten_at is not null",
        ] {
            #expect(plans.contains { $0.query.contains(part) }, "not exercised: \(part)")
        }
    }

    /// A list of records without a beginning reads the last day, not every partition.
    private func checkRecords(_ plans: [PlanLog.Plan]) {
        let lists = plans.filter { $0.query.hasPrefix("select * from usage_event") }
        #expect(!lists.isEmpty)
        for list in lists {
            #expect(Set(list.relations).count <= 4, "partitions of \(list.query): \(list.relations)")
        }
    }

    // MARK: What is done

    private func md5(_ name: String, _ plane: TestControlPlane) async throws -> UUIDValue {
        try await plane.database.database.transaction(.readOnly) { tx in
            try tx.query("select md5($1)::uuid as id", name)[0].get("id")
        }
    }

    /// Every GET of the catalogue: as it is, with each of its parameters, and its second page.
    private func readEverything(_ plane: TestControlPlane) async throws {
        var ids: [String: String] = [:]
        for (prefix, letter) in [
            ("org", "o"), ("prj", "p"), ("unit", "u"), ("vk", "k"), ("prv", "v"), ("crd", "c"), ("mdl", "m"),
            ("rte", "r"), ("prc", "x"), ("adj", "y"), ("ppr", "f"), ("rer", "a"), ("gwg", "g"), ("gw", "w"),
            ("chg", "h"), ("req", "q"), ("pst", "y"), ("bud", "b"), ("evt", "d"), ("whk", "j"),
            ("rl", "l"), ("rol", "r"), ("bnd", "b"), ("dny", "d"), ("sod", "d"), ("usr", "s"), ("grp", "g"),
            ("sa", "a"),
            ("tok", "t"), ("apr", "ap"), ("arl", "al"),
        ] {
            ids[prefix] = "\(prefix)_\(Crockford.encode(try await self.md5("\(letter)1", plane)))"
        }
        let resources = [
            "organizations": "org", "projects": "prj", "units": "unit", "virtual-keys": "vk", "providers": "prv",
            "credentials": "crd", "models": "mdl", "routes": "rte", "prices": "prc", "gateway-groups": "gwg",
            "gateways": "gw", "changes": "chg", "price-adjustments": "adj", "price-proposals": "ppr",
            "reratings": "rer", "provider-statements": "pst", "budgets": "bud", "events": "evt",
            "webhooks": "whk", "rate-limits": "rl", "decisions": "req", "users": "usr",
            "groups": "grp", "service-accounts": "sa", "api-tokens": "tok",
            "roles": "rol", "bindings": "bnd", "deny-rules": "dny", "duty-separations": "sod",
            "approvals": "apr", "approval-rules": "arl",
        ]
        let minute = TimeSource.system.now().microseconds / 60_000_000 * 60_000_000
        let values: [String: String?] = [
            "organization": ids["org"], "project": ids["prj"], "key": ids["vk"], "model": ids["mdl"],
            "provider": ids["prv"], "parent": ids["org"], "group": ids["gwg"], "request": ids["req"],
            "alias": "alias-1", "status": "removed", "lane": "denials", "group_by": "key,unit,status,tag:team",
            "tag": "team=t7",
            "unit": ids["unit"], "bucket": "day", "time_zone": "Europe/Berlin", "outcome": "completed",
            "gateway": ids["gw"], "user": nil, "limit": "200",
            "from": Timestamp(microseconds: minute - 86_400_000_000).description,
            "to": Timestamp(microseconds: minute).description, "format": "focus", "state": "pending",
            "type": "budget.threshold_crossed", "permission": "budgets.read", "login": "user-12", "scope": ids["unit"],
            "subject": ids["usr"],
        ]
        let ofIdentity: [String: String?] = ["status": "disabled", "group": ids["grp"]]
        let ofApprovals: [String: String?] = ["status": "pending"]
        for endpoint in plane.api.catalogue.endpoints where endpoint.method == .get && endpoint.auth.permission != nil {
            let noun = endpoint.path.description.split(separator: "/").dropFirst().first.map(String.init) ?? ""
            let path = endpoint.path.description.replacing(
                "{id}", with: ids[endpoint.operation == "usage.record" ? "req" : resources[noun] ?? ""] ?? "")
            // What is asked about somebody is asked about a place of his.
            let isAbout = endpoint.query.contains { $0.isRequired }
            let required = endpoint.query.filter { $0.isRequired || (isAbout && $0.name == "scope") }.map {
                "\($0.name)=\((values[$0.name] ?? nil) ?? "")"
            }
            let asked = required.isEmpty ? path : path + "?" + required.joined(separator: "&")
            let first = try await plane.send("GET", asked)
            // Records there have identifiers of no time, and may be older than what is looked through.
            let isOfRequest = ["usage.record", "decisions.get"].contains(endpoint.operation)
            #expect([200, 503].contains(first.status) || isOfRequest, "\(path): \(first.json.text)")
            var queries = endpoint.query.compactMap { parameter -> String? in
                let isOfIdentity = ["users", "groups", "service-accounts"].contains(noun)
                let own = isOfIdentity ? ofIdentity : noun == "approvals" ? ofApprovals : [:]
                let value = own[parameter.name] ?? values[parameter.name]
                return (value ?? nil).map { "\(parameter.name)=\($0)" }
            }
            if let cursor = first["next_cursor"]?.string { queries += queries.map { "\($0)&cursor=\(cursor)" } }
            for query in queries {
                let more = required.filter { !query.contains($0) }.map { "&" + $0 }.joined()
                let reply = try await plane.send("GET", "\(path)?\(query)\(more)")
                // The second page of one list is not one of each other.
                #expect([200, 400].contains(reply.status), "\(path)?\(query): \(reply.json.text)")
            }
        }
    }

    /// Creates, changes and deletes one of each noun, and repeats a creation.
    private func change(_ plane: TestControlPlane) async throws {
        let organization = try await plane.make("/v1/organizations", ["name": "new"])
        let unit = try await plane.make("/v1/units", ["name": "u", "parent": .string(organization.id)])
        let project = try await plane.make(
            "/v1/projects", ["name": "p", "parent": .string(unit.id), "tags": [["name": "team"]]])
        #expect(
            try await plane.send("PATCH", "/v1/projects/\(project.id)", ["tags": []], ifMatch: "*").status == 200)
        let known = "vk_\(Crockford.encode(try await self.md5("k1", plane)))"
        for model in ["alias-1", "nowhere"] {
            let told = try await plane.send(
                "POST", "/v1/explain", ["key": .string(known), "model": .string(model), "tags": ["team": "t7"]])
            #expect(told.status == 200, "\(told.json.text)")
        }
        // One of a large organization, whose projects declare no tag, and which has thousands of tags.
        let large = "org_\(Crockford.encode(try await self.md5("o1", plane)))"
        let body: JSONValue = ["scope": .string(large), "name": "b", "amount_usd": "1", "period": "month"]
        let tagged = body.object?.merging(["tag": ["name": "customer", "value": "a"]]) { $1 } ?? [:]
        #expect(try await plane.send("POST", "/v1/budgets", .object(tagged))["pointer"] == "/tag/name")
        let whole = try await plane.make("/v1/budgets", body)
        #expect(try await plane.send("DELETE", "/v1/budgets/\(whole.id)", ifMatch: "*").status == 204)
        // Budgets of a tag, below the project and above it, hold its declaration.
        let declared = try await plane.make(
            "/v1/projects",
            ["name": "d", "parent": .string(unit.id), "tags": [["name": "customer", "required": true]]])
        for scope in [declared.id, organization.id] {
            let tag: JSONValue = ["name": "customer", "value": "acme"]
            let budget = try await plane.make(
                "/v1/budgets",
                ["scope": .string(scope), "name": "b", "amount_usd": "1", "period": "month", "tag": tag])
            let limit = try await plane.make(
                "/v1/rate-limits",
                [
                    "scope": .string(scope), "name": "l", "meter": "requests", "amount": 5, "period": "hour",
                    "tag": tag,
                ])
            #expect(
                try await plane.send("PATCH", "/v1/projects/\(declared.id)", ["tags": []], ifMatch: "*").status == 409)
            for path in ["budgets/\(budget.id)", "rate-limits/\(limit.id)"] {
                #expect(try await plane.send("DELETE", "/v1/\(path)", ifMatch: "*").status == 204)
            }
        }
        #expect(try await plane.send("DELETE", "/v1/projects/\(declared.id)").status == 204)
        let key = try await plane.send(
            "POST", "/v1/virtual-keys", ["project": .string(project.id), "name": "k"], key: "once")
        let again = try await plane.send(
            "POST", "/v1/virtual-keys", ["project": .string(project.id), "name": "k"], key: "once")
        #expect(again.id == key.id)
        let provider = try await plane.make(
            "/v1/providers", ["name": "v", "kind": "mock", "scope": .string(organization.id)])
        let credential = try await plane.make(
            "/v1/credentials", ["provider": .string(provider.id), "name": "c", "secret": "sk-0123456789"])
        let model = try await plane.make("/v1/models", ["provider": .string(provider.id), "name": "m"])
        _ = try await plane.make(
            "/v1/prices", ["model": .string(model.id), "items": [["meter": "input", "usd_per_million": "1"]]])
        _ = try await plane.make(
            "/v1/price-adjustments",
            ["organization": .string(organization.id), "provider": .string(provider.id), "factor_ppm": 900_000])
        let proposal = try await plane.make(
            "/v1/price-proposals",
            [
                "provider": .string(provider.id),
                "entries": [["model": "m", "items": [["meter": "input", "usd_per_million": "2"]]]],
            ])
        #expect(try await plane.send("POST", "/v1/price-proposals/\(proposal.id)/approve").status == 200)
        let route = try await plane.make(
            "/v1/routes",
            [
                "alias": "a", "scope": .string(organization.id),
                "targets": [["model": .string(model.id), "credential": .string(credential.id)]],
            ])
        let rotated = try await plane.send("POST", "/v1/virtual-keys/\(key.id)/rotate", ["overlap_seconds": 60])
        #expect(rotated.status < 300, "\(rotated.json.text)")
        #expect(
            try await plane.send("POST", "/v1/credentials/\(credential.id)/rotate", ["secret": "sk-9876543210"]).status
                < 300)
        for (path, id) in [
            ("organizations", organization.id), ("units", unit.id), ("projects", project.id), ("virtual-keys", key.id),
            ("providers", provider.id), ("credentials", credential.id), ("models", model.id), ("routes", route.id),
        ] {
            let patch: JSONValue = path == "routes" ? ["status": "disabled"] : ["name": "changed"]
            let patched = try await plane.send("PATCH", "/v1/\(path)/\(id)", patch, ifMatch: "*")
            #expect(patched.status == 200, "\(path): \(patched.json.text)")
        }
        for (path, id) in [
            ("routes", route.id), ("virtual-keys", key.id), ("credentials", credential.id), ("models", model.id),
            ("providers", provider.id), ("projects", project.id), ("units", unit.id),
            ("organizations", organization.id),
        ] {
            let deleted = try await plane.send("DELETE", "/v1/\(path)/\(id)")
            #expect(deleted.status == 204, "\(path): \(deleted.json.text)")
        }
        _ = try await plane.send("DELETE", "/v1/organizations/org_\(Crockford.encode(try await self.md5("o1", plane)))")
        _ = try await plane.send("DELETE", "/v1/projects/prj_\(Crockford.encode(try await self.md5("p1", plane)))")
        #expect(try await plane.send("GET", "/v1/projects/\(project.id)", token: plane.powerless).status == 403)
    }

    /// Users, groups, service accounts and tokens, as those of an organization see and change them.
    private func identify(_ plane: TestControlPlane) async throws {
        let setting = try await TestIdentity(plane)
        let large = "org_\(Crockford.encode(try await self.md5("o1", plane)))"
        let unit = "unit_\(Crockford.encode(try await self.md5("u1", plane)))"
        let users = [
            try await setting.user("small", of: setting.acme, .owner),
            try await setting.user("large", of: large, .owner),
            try await setting.user("unit", of: large, .owner, at: unit),
            try await setting.user("both", of: nil, .owner, at: large),
        ]
        try await setting.bind(users[3].id, .owner, at: setting.acme)
        for user in users {
            for noun in ["users", "groups", "service-accounts", "api-tokens"] {
                for query in ["", "?status=disabled", "?organization=\(large)", "?organization=\(large)&limit=1"] {
                    let reply = try await plane.send("GET", "/v1/\(noun)\(query)", token: user.token)
                    #expect(reply.status == (noun == "api-tokens" && query.hasPrefix("?status") ? 400 : 200))
                }
            }
            for own in ["me", "me/api-tokens"] {
                #expect(try await plane.send("GET", "/v1/\(own)", token: user.token).status == 200)
            }
        }
        let inLarge = "usr_\(Crockford.encode(try await self.md5("s2", plane)))"
        let inGroup = "grp_\(Crockford.encode(try await self.md5("g2", plane)))"
        let group = try await plane.make("/v1/groups", ["organization": .string(large), "name": "new"])
        let account = try await plane.make("/v1/service-accounts", ["scope": .string(large), "name": "new"])
        for member in [inLarge, inGroup, account.id, users[1].id] {
            #expect(try await plane.send("PUT", "/v1/groups/\(group.id)/members/\(member)").status == 204)
        }
        for path in ["users/\(inLarge)", "service-accounts/\(account.id)"] {
            #expect(try await plane.send("GET", "/v1/\(path)/groups", token: users[1].token).status == 200)
        }
        let body: JSONValue = ["service_account": .string(account.id), "name": "t"]
        let token = try await plane.send("POST", "/v1/api-tokens", body, key: "identify", token: users[1].token)
        #expect(token.status == 201, "\(token.json.text)")
        #expect(
            try await plane.send(
                "POST", "/v1/api-tokens/\(token.id)/rotate", ["overlap_seconds": 1], token: users[1].token
            )
            .status == 200)
        let own: JSONValue = [
            "name": "t", "expires_at": .string(TimeSource.system.now().adding(seconds: 86_400).description),
        ]
        let mine = try await plane.send("POST", "/v1/me/api-tokens", own, token: users[1].token)
        #expect(mine.status == 201, "\(mine.json.text)")
        #expect(try await plane.send("DELETE", "/v1/me/api-tokens/\(mine.id)", token: users[1].token).status == 204)
        for path in [
            "users/\(users[2].id)", "groups/\(group.id)", "service-accounts/\(account.id)", "api-tokens/\(token.id)",
        ] {
            let patched = try await plane.send("PATCH", "/v1/\(path)", ["name": "changed"], ifMatch: "*")
            #expect(patched.status == 200, "\(path): \(patched.json.text)")
        }
        #expect(
            try await plane.send("DELETE", "/v1/groups/\(group.id)/members/\(inLarge)", token: users[1].token).status
                == 204)
        for path in ["users/\(inLarge)", "groups/\(group.id)", "service-accounts/\(account.id)"] {
            let deleted = try await plane.send("DELETE", "/v1/\(path)")
            #expect(deleted.status == 204, "\(path): \(deleted.json.text)")
        }
        let forgotten = try await plane.send("POST", "/v1/users/\(users[2].id)/forget", ["reason": "asked to be"])
        #expect(forgotten.status == 200, "\(forgotten.json.text)")
        let log = try await plane.send("GET", "/v1/audit-events?organization=\(large)")
        #expect(log["items"]?.array?.contains { $0["forgotten"]?.array?.isEmpty == false } == true)
        #expect(try await plane.services.uses.write(to: plane.services.database) > 0)
    }

    /// What gateways call.
    private func serve(_ node: TestNode, _ plane: TestControlPlane) async throws {
        let (organization, project) = try await plane.makeProject("served")
        let member = "/v1/gateway-groups/\(node.group)/organizations/\(organization)"
        #expect(try await plane.send("PUT", member).status == 204)
        let made = try await plane.send("POST", "/v1/join-tokens", ["group": JSONValue(node.group)])
        let token = try #require(made["secret"]?.string.flatMap { JoinToken(parsing: $0) }?.token)
        #expect(await node.enrol(token.secret.reveal()).status == 201)
        let report = StatusReport(
            process: 1, version: SnapshotVersion(epoch: 0, version: 0), manifest: [UInt8](repeating: 0, count: 32),
            keyringEpoch: 0, sequence: 0)
        #expect(await node.call("/dp/v1/status", "POST", body: report.wireBytes).status == 204)
        var record = UsageRecord(
            request: TimeSource.system.newID(), key: TimeSource.system.newID(),
            project: try #require(ProjectID(project)).node)
        record.price = TimeSource.system.newID()
        record.started = TimeSource.system.now()
        record.tags = 1
        let batch = UsageBatch(
            gateway: node.gateway, stream: TimeSource.system.newID(), from: 1, records: [record],
            tagSets: [try #require(TagSet(["team": "new"]))])
        #expect(await node.call("/dp/v1/usage", "POST", body: batch.wireBytes).status == 200)
        let budget = try await plane.make(
            "/v1/budgets",
            ["scope": .string(organization), "name": "b", "amount_usd": "1", "period": "month", "carry_over": true])
        let number: Int64 = try await plane.database.database.transaction(.readOnly) { tx in
            try tx.query("select max(number) as number from budget")[0].get("number")
        }
        let window = BudgetWindow.containing(TimeSource.system.now(), .month, in: .utc)
        var ask = LeaseAsk(account: Charge(budget: UInt32(number), startMinute: window.startMinute))
        ask.want = 1000
        _ = try await plane.make(
            "/v1/budgets",
            [
                "scope": .string(organization), "name": "r", "amount_usd": "1", "period": "month", "window": "rolling",
            ])
        let rolling = LeaseAsk(account: Charge(budget: UInt32(number) + 1, startMinute: 0))
        _ = try await plane.make(
            "/v1/rate-limits",
            ["scope": .string(organization), "name": "l", "meter": "requests", "amount": 5, "period": "hour"])
        let limit: Int64 = try await plane.database.database.transaction(.readOnly) { tx in
            try tx.query("select max(number) as number from rate_limit")[0].get("number")
        }
        var share = ShareAsk(limit: UInt32(limit))
        share.want = BucketRate.parts
        var leases = LeaseRequest(gateway: node.gateway, sequence: 1, asks: [ask, rolling], settled: [9])
        leases.shares = [share]
        #expect(await node.call("/dp/v1/leases:renew", "POST", body: leases.wireBytes).status == 200)
        var charged = UsageRecord(
            request: TimeSource.system.newID(), key: TimeSource.system.newID(), project: record.project)
        charged.started = TimeSource.system.now()
        charged.charges = [ask.account, rolling.account]
        charged.cost = NanoUSD(1_900_000_000)
        let more = UsageBatch(
            gateway: node.gateway, stream: TimeSource.system.newID(), process: 1, from: 1, records: [charged])
        #expect(await node.call("/dp/v1/usage", "POST", body: more.wireBytes).status == 200)
        _ = try await plane.make(
            "/v1/budgets/\(budget.id)/increases",
            ["amount_usd": "1", "until_at": "2199-01-01T00:00:00Z", "reason": "r"])
        let blob = String(repeating: "0", count: 64)
        #expect(await node.call("/dp/v1/blobs/\(blob)").status == 404)
        #expect(await node.call("/dp/v1/roots/1").status == 200)
        #expect(await node.call("/dp/v1/groups/\(node.group)/timestamp").status < 400)
        #expect(await node.enrol(TokenText.generate(.joinToken).secret.reveal()).status == 401)
    }

    /// A whole snapshot of each group, and one after a single key has changed.
    private func publish(_ plane: TestControlPlane) async throws {
        let publisher = Publisher(
            database: plane.services.database,
            listener: Listener(
                config: plane.database.config, channels: ["gatehouse_snapshot"], logger: TestPostgres.logger),
            lock: AdvisoryLock(config: plane.database.config, logger: TestPostgres.logger), keys: plane.services.keys,
            time: .system, logger: TestPostgres.logger
        )
        let running = Task { try await publisher.run() }
        defer { running.cancel() }
        // The first compiles everything, because the group has no key yet.
        for round in 1...3 {
            try await plane.database.database.transaction { tx in
                _ = try tx.execute("update virtual_key set name = $1 where id = md5('k7')::uuid", "round \(round)")
            }
            let before = publisher.figures.published
            while publisher.figures.published == before {
                try #require(publisher.figures.failures == 0)
                try await Task.sleep(for: .milliseconds(50))
            }
        }
    }

    private func keepHouse(_ plane: TestControlPlane) async throws {
        let jobs = Jobs(
            database: plane.services.database,
            lock: AdvisoryLock(config: plane.database.config, logger: TestPostgres.logger), time: .system,
            logger: TestPostgres.logger
        )
        // The first one of all reads everything, the next what is new.
        await jobs.round()
        #expect(jobs.figures.failures == 0)
        try await Rollups(database: plane.services.database, logger: TestPostgres.logger).foldAll()
        await plane.services.denials.flush()
        let watch = ThresholdWatch(
            database: plane.services.database, time: .system, logger: TestPostgres.logger)
        try await watch.lookAll()
        // Nobody listens at any address of theirs: one attempt each, and the rest is not due for some seconds.
        let sender = try WebhookSender(targets: .any) { _ in [] }
        let deliverer = WebhookDeliverer(
            database: plane.services.database, keys: plane.services.keys, sender: sender, time: .system,
            logger: TestPostgres.logger)
        await deliverer.deliverDue()
        #expect(watch.figures.failures == 0 && deliverer.figures.failures == 0)
    }
}
