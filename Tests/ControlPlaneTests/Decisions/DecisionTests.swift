import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct DecisionTests {
    @Test func `a decision names the rule that refused, and the budgets that were paid into`() async throws {
        try await ReportFixture.with { fixture in
            let plane = fixture.fleet.plane
            let project = fixture.projects[0].description
            let key = fixture.keys[0].description
            let budgets = try await [project, key].asyncMap { scope in
                try await plane.make(
                    "/v1/budgets",
                    ["scope": .string(scope), "name": .string("of \(scope)"), "amount_usd": "1", "period": "total"])
            }
            let limit = try await plane.make(
                "/v1/rate-limits",
                ["scope": .string(project), "name": "slow", "meter": "requests", "amount": 6, "period": "day"])
            let numbers = try await plane.services.database.transaction(.readOnly) { tx in
                try tx.query("select number from budget order by id").map { try $0.get("number", as: Int64.self) }
            }
            let at = fixture.fleet.clock.now
            func refused(_ code: String, _ status: Int, _ level: BudgetLevel, _ rule: UUIDValue) -> UsageRecord {
                var record = fixture.record(0, at: at, cost: 0)
                (record.outcome, record.status, record.code) = (.refused, status, code)
                record.refusal = UsageRefusal(level: level, rule: rule, left: 5, needed: 700)
                return record
            }
            let budget = try #require(BudgetID(budgets[0].id))
            let rate = try #require(RateLimitID(limit.id))
            var paid = fixture.record(0, at: at, cost: 77)
            paid.charges = numbers.reversed().map { Charge(budget: UInt32($0), startMinute: 60) }
            let records = [
                refused("budget_exceeded", 402, .project, budget.value),
                refused("rate_limit_exceeded", 429, .project, rate.value),
                refused("model_not_allowed", 403, .key, fixture.keys[0].value), paid,
            ]
            try await fixture.store(records)
            func decision(_ index: Int) async throws -> TestControlPlane.Reply {
                let reply = try await plane.send("GET", "/v1/decisions/\(records[index].request)")
                #expect(reply.status == 200, "\(reply.json.text)")
                return reply
            }
            let first = try await decision(0)
            #expect(first["decision"] == "refused" && first["code"] == "budget_exceeded" && first["status"] == 402)
            #expect(
                first["refused_by"] == [
                    "level": "project", "id": .string(budgets[0].id), "name": .string("of \(project)"),
                    "scope": .string(project), "left": "5", "needed": "700",
                ])
            #expect(first["paid_into"] == [])
            let second = try await decision(1)
            #expect(second["refused_by"]?["id"]?.string == limit.id && second["refused_by"]?["name"] == "slow")
            let third = try await decision(2)
            #expect(third["refused_by"]?["id"]?.string == key && third["refused_by"]?["name"] == "@key")
            #expect(third["refused_by"]?["left"] == .null && third["refused_by"]?["scope"]?.string == project)
            let served = try await decision(3)
            #expect(
                served["decision"] == "admitted" && served["refused_by"] == .null && served["amount_nano_usd"] == "77")
            let into = served["paid_into"]?.array ?? []
            #expect(into.map { $0["budget"]?.string } == [budgets[1].id, budgets[0].id])
            #expect(
                into.first?["scope"]?.string == key && into.first?["window_starts_at"] == "1970-01-01T01:00:00.000000Z")

            // What is gone is still named by its id; what was never there is not found.
            #expect(try await plane.send("DELETE", "/v1/budgets/\(budgets[0].id)", ifMatch: "*").status == 204)
            let later = try await decision(0)
            #expect(later["refused_by"]?["id"]?.string == budgets[0].id && later["refused_by"]?["name"] == .null)
            #expect(try await decision(3)["paid_into"]?.array?.count == 2)
            #expect(try await plane.send("GET", "/v1/decisions/req_01arz3ndektsv4rrffq69g5fav").status == 404)
            #expect(try await plane.send("GET", "/v1/decisions/nonsense").status == 404)
        }
    }
}

extension Sequence {
    fileprivate func asyncMap<Result>(_ body: (Element) async throws -> Result) async throws -> [Result] {
        var results: [Result] = []
        for element in self { results.append(try await body(element)) }
        return results
    }
}
