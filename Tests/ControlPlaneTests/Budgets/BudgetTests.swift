import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct BudgetTests {
    private func body(_ scope: String, _ more: [String: JSONValue] = [:]) -> JSONValue {
        .object(
            ["scope": .string(scope), "name": "b", "amount_usd": "12.5", "period": "month"].merging(more) { $1 })
    }

    @Test func `a budget is kept as it was said, changed, increased and deleted`() async throws {
        try await TestControlPlane.with { plane in
            let (organization, project) = try await plane.makeProject()
            let key = try await plane.make("/v1/virtual-keys", ["project": .string(project), "name": "k"]).id
            for scope in [organization, project, key] {
                let made = try await plane.make("/v1/budgets", self.body(scope, ["time_zone": "Europe/Berlin"]))
                #expect(made["scope"]?.string == scope && made["organization"]?.string == organization)
                #expect(made["amount_nano_usd"] == "12500000000" && made["amount_usd"] == "12.50")
                #expect(made["hard"] == true && made["away"] == "deny" && made["carry_over"] == false)
                #expect(made["estimate"] == "bound" && made["lower_max_tokens"] == false)
                #expect(try await plane.send("GET", "/v1/budgets/\(made.id)").json == made.json)
            }
            let all = try await plane.send("GET", "/v1/budgets?organization=\(organization)")["items"]?.array ?? []
            #expect(all.count == 3)
            let id = all[0]["id"]?.string ?? ""
            let changed = try await plane.send(
                "PATCH", "/v1/budgets/\(id)",
                [
                    "amount_nano_usd": "7", "hard": false, "status": "disabled", "estimate": "learned",
                    "lower_max_tokens": true,
                ],
                ifMatch: "*")
            #expect(changed["amount_nano_usd"] == "7" && changed["hard"] == false && changed["status"] == "disabled")
            #expect(changed["estimate"] == "learned" && changed["lower_max_tokens"] == true)
            let learned = try await plane.make(
                "/v1/budgets", self.body(key, ["estimate": "learned", "lower_max_tokens": true]))
            #expect(learned["estimate"] == "learned" && learned["lower_max_tokens"] == true)
            try await self.checkAway(of: learned.id, plane)
            let until = TimeSource.system.now().adding(seconds: 3600)
            let increase = try await plane.make(
                "/v1/budgets/\(id)/increases",
                ["amount_usd": "1", "until_at": JSONValue(until), "reason": "a launch"])
            var status = try await plane.send("GET", "/v1/budgets/\(id)/status")
            #expect(status["limit_nano_usd"] == "1000000007" && status["left_nano_usd"] == "1000000007")
            #expect(try await plane.send("DELETE", "/v1/budgets/\(id)/increases/\(increase.id)").status == 204)
            status = try await plane.send("GET", "/v1/budgets/\(id)/status")
            #expect(status["limit_nano_usd"] == "7" && status["spent_nano_usd"] == "0")
            let listed = try await plane.send("GET", "/v1/budgets/\(id)/increases")
            #expect(listed["items"]?.array?.count == 1)
            #expect(try await plane.send("DELETE", "/v1/budgets/\(id)", ifMatch: "*").status == 204)
            #expect(try await plane.send("GET", "/v1/budgets/\(id)").status == 404)
            #expect(try await plane.send("GET", "/v1/budgets/\(id)/status").status == 404)
        }
    }

    /// What is said of a control plane that is away is kept, changed, and compiled for gateways.
    private func checkAway(of id: String, _ plane: TestControlPlane) async throws {
        func change(_ patch: JSONValue) async throws -> TestControlPlane.Reply {
            try await plane.send("PATCH", "/v1/budgets/\(id)", patch, ifMatch: "*")
        }
        #expect(try await plane.send("GET", "/v1/budgets/\(id)")["away_allowance_usd"] == .null)
        #expect(try await change(["away": "allowance"])["pointer"] == "/away_allowance_usd")
        #expect(try await change(["away_allowance_usd": "1"])["pointer"] == "/away_allowance_usd")
        var changed = try await change(["away": "allowance", "away_allowance_usd": "1.5"])
        #expect(changed["away"] == "allowance" && changed["away_allowance_nano_usd"] == "1500000000", "\(changed)")
        changed = try await change(["away_allowance_nano_usd": "7"])
        #expect(changed["away"] == "allowance" && changed["away_allowance_nano_usd"] == "7")
        changed = try await change(["name": "another"])
        #expect(changed["away"] == "allowance" && changed["away_allowance_nano_usd"] == "7")
        changed = try await change(["away": "open"])
        #expect(changed["away"] == "open" && changed["away_allowance_usd"] == .null)
    }

    @Test func `what is no budget is refused where it stands`() async throws {
        try await TestControlPlane.with { plane in
            let (organization, project) = try await plane.makeProject()
            let (_, other) = try await plane.makeProject("other")
            func refusal(_ more: [String: JSONValue], scope: String? = nil) async throws -> String? {
                let reply = try await plane.send("POST", "/v1/budgets", self.body(scope ?? project, more))
                return reply.status == 400 ? reply["pointer"]?.string : "\(reply.status)"
            }
            let nobody = "prj_01jd3x0r7ze4qbt0xq4v6m2k5n"
            #expect(try await refusal([:], scope: nobody) == "/scope")
            #expect(try await refusal(["amount_nano_usd": "5"]) == "/amount_usd")
            #expect(try await refusal(["amount_usd": "0"]) == "/amount_usd")
            #expect(try await refusal(["estimate": "guess"]) == "/estimate")
            #expect(try await refusal(["away": "allowance"]) == "/away_allowance_usd")
            #expect(try await refusal(["away_allowance_usd": "1"]) == "/away_allowance_usd")
            #expect(
                try await refusal(["away": "allowance", "away_allowance_nano_usd": "0"]) == "/away_allowance_nano_usd")
            #expect(try await refusal(["amount_usd": "-1"]) == "/amount_usd")
            #expect(try await refusal(["amount_usd": "1000000001"]) == "/amount_usd")
            #expect(try await refusal(["period": "fortnight"]) == "/period")
            #expect(try await refusal(["time_zone": "CEST"]) == "/time_zone")
            #expect(try await refusal(["time_zone": "Europe/Nowhere"]) == "/time_zone")
            #expect(try await refusal(["models": ["mdl_01jd3x0r7ze4qbt0xq4v6m2k5n"]]) == "/models/0")
            // What another organization owns is not there.
            let provider = try await plane.make(
                "/v1/providers", ["name": "v", "kind": "mock", "scope": .string(other)]
            ).id
            #expect(try await refusal(["providers": [.string(provider)]]) == "/providers/0")
            let budget = try await plane.make("/v1/budgets", self.body(project))
            let past = TimeSource.system.now().adding(seconds: -5)
            let increase = try await plane.send(
                "POST", "/v1/budgets/\(budget.id)/increases",
                ["amount_usd": "1", "until_at": JSONValue(past), "reason": "late"])
            #expect(increase.status == 400 && increase["pointer"] == "/until_at")
            // So many of one subject, and so many on one line.
            for _ in 0..<3 { _ = try await plane.make("/v1/budgets", self.body(project)) }
            #expect(try await plane.send("POST", "/v1/budgets", self.body(project)).code == "too_many_budgets")
            for _ in 0..<4 { _ = try await plane.make("/v1/budgets", self.body(organization)) }
            let unit = try await plane.make("/v1/units", ["name": "u", "parent": .string(organization)]).id
            // 4 of the organization and 4 of the unit are 8, but 4 of the project stand below the organization too.
            for _ in 0..<4 { _ = try await plane.make("/v1/budgets", self.body(unit)) }
            let below = try await plane.make("/v1/projects", ["name": "p2", "parent": .string(unit)]).id
            #expect(try await plane.send("POST", "/v1/budgets", self.body(below)).code == "too_many_budgets")
        }
    }

    /// The database's own calendar says where windows of any zone begin and end.
    @Test func `windows are those of the database's time zones`() async throws {
        try await TestControlPlane.with { plane in
            let (organization, _) = try await plane.makeProject()
            var random = SeededRandom("budget zones")
            let zones = [
                "UTC", "Europe/Berlin", "America/New_York", "America/Havana", "Australia/Lord_Howe", "Asia/Kathmandu",
                "Pacific/Chatham", "Africa/Casablanca", "America/Santiago", "Asia/Beirut",
            ]
            let now = TimeSource.system.now()
            for zone in zones {
                let made = try await plane.make(
                    "/v1/budgets", self.body(organization, ["time_zone": .string(zone), "period": "day"]))
                let instants = (0..<120).map { _ in
                    Timestamp(
                        microseconds: now.microseconds
                            + Int64.random(in: -700 * 86_400...700 * 86_400, using: &random) * 1_000_000)
                }
                let periods = [BudgetPeriod.day, .week, .month, .quarter, .year]
                let found = try await plane.database.database.transaction(.readOnly) { tx in
                    let row = try tx.query("select since, offsets from zone_offset where zone = $1", zone)[0]
                    let since: [Int64] = try row.get("since")
                    let offsets: [Int64] = try row.get("offsets")
                    let table = ZoneOffsets(
                        zip(since, offsets).map { .init(since: $0, offset: Int32(clamping: $1)) })
                    return try instants.flatMap { instant in
                        try periods.map { period in
                            // The boundaries around it, in the order of time: the last one at or before it counts.
                            let rows = try tx.query(
                                """
                                select (date_trunc($1, $2::timestamptz at time zone $3) + s * $4::text::interval)
                                    at time zone $3 as at from generate_series(-1, 2) s order by s
                                """, period.name, instant, zone, period == .quarter ? "3 months" : "1 \(period.name)")
                            let starts: [Timestamp] = try rows.map { try $0.get("at") }
                            let start = starts.last { $0 <= instant }
                            return (
                                BudgetWindow.containing(instant, period, in: table ?? .utc), start,
                                starts.first { $0 > instant }, period, instant
                            )
                        }
                    }
                }
                for (window, start, end, period, instant) in found {
                    #expect(window.start == start, "\(zone) \(period) \(instant)")
                    #expect(window.end == end?.microseconds, "\(zone) \(period) \(instant)")
                }
                #expect(try await plane.send("DELETE", "/v1/budgets/\(made.id)", ifMatch: "*").status == 204)
            }
        }
    }

    @Test func `a budget knows what its window had cost before it was made, and carries over what is left`()
        async throws
    {
        try await TestFleet.with { fleet in
            let process = try await fleet.enrol()
            let (plane, clock) = (fleet.plane, fleet.clock)
            func deliver(_ cost: Int64, _ charges: [Charge] = []) async throws {
                var record = try fleet.record()
                record.cost = NanoUSD(cost)
                record.charges = charges
                let batch = UsageBatch(
                    gateway: process.gateway, stream: TimeSource.system.newID(), process: process.number, from: 1,
                    records: [record])
                #expect(try await fleet.deliver(process, batch).status == 200)
                try await Rollups(database: plane.services.database, logger: plane.database.logger).foldAll()
            }
            try await deliver(1_000_000)
            clock.advance(seconds: 1)
            // Through the API of the fleet, whose clock is the one that moves.
            let reply = await fleet.api.respond(
                to: APIRequest(
                    "POST", "/v1/budgets",
                    headers: ["authorization": "Bearer \(plane.root)", "content-type": "application/json"],
                    body: self.body(fleet.project, ["period": "hour", "carry_over": true, "amount_usd": "0.01"]).utf8))
            let made = try JSONParser.parse(reply.body)
            let id = try #require(made["id"]?.string)
            let number = try await plane.database.database.transaction(.readOnly) { tx in
                UInt32(truncatingIfNeeded: try tx.query("select number from budget")[0].get("number", as: Int64.self))
            }
            func account() -> Charge {
                Charge(
                    budget: number, startMinute: BudgetWindow.containing(clock.now, .hour, in: .utc).startMinute)
            }
            func renew(_ sequence: Int64, want: Int64 = 0, final: Charge? = nil, posted: Int64 = 0) async throws
                -> LeaseGrant
            {
                var ask = LeaseAsk(account: final ?? account())
                ask.want = want
                ask.posted = posted
                ask.granted = posted
                ask.isFinal = final != nil
                let request = LeaseRequest(gateway: process.gateway, sequence: sequence, asks: [ask])
                let response = await fleet.call(process, "POST", "/dp/v1/leases:renew", request.wireBytes)
                #expect(response.status == 200, "\(String(decoding: response.body, as: UTF8.self))")
                let keys = plane.services.keys
                let root = try await plane.services.database.transaction(.readOnly) { tx in
                    try SigningKeys.load(&tx, keys: keys).root
                }
                let payload = root.open(try Envelope(wire: response.body), as: .leaseReply)
                let bytes = try #require(payload)
                return try #require(try LeaseReply(wire: bytes).grants.first)
            }
            // A cent, of which a tenth was spent before there was a budget: half of the rest for the only gateway.
            let first = try await renew(1, want: 5_000_000)
            #expect(first.granted == 5_000_000 && first.left == 4_000_000 && !first.isUnknown)
            let charge = account()
            try await deliver(2_000_000, [charge])
            let at = "?at=\(clock.now)".replacing("+", with: "%2B")
            let status = try await plane.send("GET", "/v1/budgets/\(id)/status\(at)")
            #expect(status["spent_nano_usd"] == "3000000" && status["escrow_nano_usd"] == "3000000")
            #expect(status["left_nano_usd"] == "4000000")
            // What another organization's record says it is charged to is not.
            #expect(try await renew(2, final: charge, posted: 2_000_000).granted == 5_000_000)
            clock.advance(seconds: 3600)
            // 7 of 10 million were left over.
            let next = try await renew(3, want: 100_000_000)
            #expect(next.granted + next.left == 17_000_000)
            // A window that is none, and a budget that is none.
            var ask = LeaseAsk(account: Charge(budget: number, startMinute: charge.startMinute + 7))
            ask.want = 5
            let odd = LeaseRequest(
                gateway: process.gateway, sequence: 4,
                asks: [ask, LeaseAsk(account: Charge(budget: number + 9, startMinute: charge.startMinute))])
            #expect(await fleet.call(process, "POST", "/dp/v1/leases:renew", odd.wireBytes).status == 200)
            let accounts = try await plane.count("budget_account")
            #expect(accounts == 2)
            // Nobody asks in another gateway's name.
            let foreign = LeaseRequest(gateway: TimeSource.system.newID(), sequence: 5, asks: [])
            #expect(
                await fleet.call(process, "POST", "/dp/v1/leases:renew", foreign.wireBytes).code == "foreign_leases")
        }
    }
}
