import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct ThresholdTests {
    @Test func `thresholds are what part of a limit is spent, exactly`() {
        let thresholds = BudgetThresholds(stored: [1, 50, 80, 100, 1000])
        func reached(_ spent: Int64, _ limit: Int64) -> [Int64] {
            thresholds.reached(spent: NanoUSD(spent), limit: NanoUSD(limit))
        }
        #expect(reached(0, 1000) == [] && reached(-5, 1) == [])
        #expect(reached(499, 1000) == [1] && reached(500, 1000) == [1, 50])
        #expect(reached(999, 1000) == [1, 50, 80] && reached(1000, 1000) == [1, 50, 80, 100])
        #expect(reached(9999, 1000) == [1, 50, 80, 100] && reached(10_000, 1000) == [1, 50, 80, 100, 1000])
        // Of three nano-dollars, two are more than a half and less than four fifths.
        #expect(reached(1, 3) == [1] && reached(2, 3) == [1, 50])
        #expect(reached(.max, .max) == [1, 50, 80, 100] && reached(.max - 1, .max) == [1, 50, 80])
        #expect(reached(.max, 1) == [1, 50, 80, 100, 1000])
    }

    @Test func `thresholds are kept as they were said, and refused where they are none`() async throws {
        try await EventFixture.with { fixture in
            let plane = fixture.plane
            let (id, _) = try await fixture.budget()
            #expect(try await plane.send("GET", "/v1/budgets/\(id)")["thresholds"] == [50, 80, 100])
            let (none, _) = try await fixture.budget(["thresholds": []])
            #expect(try await plane.send("GET", "/v1/budgets/\(none)")["thresholds"] == [])
            let changed = try await plane.send(
                "PATCH", "/v1/budgets/\(id)", ["thresholds": [1, 90, 1000]], ifMatch: "*")
            #expect(changed["thresholds"] == [1, 90, 1000])
            #expect(
                try await plane.send("PATCH", "/v1/budgets/\(id)", ["name": "other"], ifMatch: "*")["thresholds"]
                    == [1, 90, 1000])
            let audit = try await plane.send("GET", "/v1/audit-events?organization=\(fixture.fleet.organization)")
            let leaves = audit["items"]?.array?.compactMap { $0["event"]?.text } ?? []
            #expect(leaves.contains { $0.contains("\"thresholds\":[1,90,1000]") })
            let wrong: [(JSONValue, String)] = [
                ([0], "/thresholds/0"), ([50, 1001], "/thresholds/1"), ([50, 50], "/thresholds/1"),
                ([10, 80, 50], "/thresholds/2"), ([1, 2, 3, 4, 5, 6, 7, 8, 9], "/thresholds"),
                (["50"], "/thresholds/0"), (50, "/thresholds"),
            ]
            for (thresholds, pointer) in wrong {
                let patched = try await plane.send(
                    "PATCH", "/v1/budgets/\(id)", ["thresholds": thresholds], ifMatch: "*")
                #expect(patched.status == 400 && patched["pointer"]?.string == pointer, "\(thresholds)")
                let made = try await plane.send(
                    "POST", "/v1/budgets",
                    [
                        "scope": .string(fixture.fleet.project), "name": "b", "amount_usd": "1", "period": "day",
                        "thresholds": thresholds,
                    ])
                #expect(made.status == 400 && made["pointer"]?.string == pointer, "\(thresholds)")
            }
        }
    }

    @Test func `a threshold of a window is told once, whatever is spent, given or taken back afterwards`()
        async throws
    {
        try await EventFixture.with { fixture in
            let (plane, watch) = (fixture.plane, fixture.watch())
            let (id, number) = try await fixture.budget()
            func look() async throws -> [Int64] {
                for _ in 0..<3 { try await watch.lookAll() }
                return try await fixture.percents(id)
            }
            try await fixture.spend(499, of: number)
            #expect(try await look() == [])
            try await fixture.spend(1, of: number)
            #expect(try await look() == [50])
            // What was spent falls under the threshold and rises again.
            func settle(_ amount: Int64) async throws {
                try await plane.database.database.transaction { tx in
                    _ = try tx.execute("update budget_lease set settled = $1", amount)
                }
            }
            try await settle(100)
            #expect(try await look() == [50])
            try await settle(600)
            #expect(try await look() == [50])
            // So does the part of it, when more is given for a while.
            let until = fixture.fleet.clock.now.adding(seconds: 86_400)
            let increase = try await fixture.act(
                "POST", "/v1/budgets/\(id)/increases",
                ["amount_nano_usd": "1000", "until_at": JSONValue(until), "reason": "a launch"])
            try await fixture.spend(200, of: number)
            #expect(try await look() == [50])
            try await fixture.spend(400, of: number)
            #expect(try await look() == [50])
            // Taken back, 1200 of 1000 are spent.
            fixture.fleet.clock.advance(seconds: 1)
            try await fixture.act("DELETE", "/v1/budgets/\(id)/increases/\(increase["id"]?.string ?? "")")
            #expect(try await look() == [50, 80, 100])
            try await fixture.spend(100_000, of: number)
            #expect(try await look() == [50, 80, 100])
            #expect(watch.figures.raised == 3 && watch.figures.failures == 0)
            // A threshold that is new is told as soon as it is there.
            fixture.fleet.clock.advance(seconds: 1)
            #expect(
                try await plane.send("PATCH", "/v1/budgets/\(id)", ["thresholds": [50, 90]], ifMatch: "*").status
                    == 200)
            #expect(try await look() == [50, 80, 100, 90])
            // The next window begins anew.
            fixture.fleet.clock.advance(seconds: 3600)
            try await fixture.spend(500, of: number)
            #expect(try await look() == [50, 80, 100, 90, 50])
            #expect(try await plane.count("budget_account_unseen") == 0)
        }
    }

    @Test(arguments: [nil, ["name": "customer", "value": "acme"]] as [JSONValue?])
    func `an event says which budget, window and amounts it is of`(_ tag: JSONValue?) async throws {
        try await EventFixture.with { fixture in
            let declared = try await fixture.plane.send(
                "PATCH", "/v1/projects/\(fixture.fleet.project)", ["tags": [["name": "customer", "required": true]]],
                ifMatch: "*")
            #expect(declared.status == 200)
            var members: [String: JSONValue] = ["thresholds": [50], "name": "monthly"]
            members["tag"] = tag
            let (id, number) = try await fixture.budget(members)
            try await fixture.spend(700, of: number)
            try await fixture.watch().lookAll()
            let event = try #require(try await fixture.events().first)
            let account = fixture.account(number)
            let start = Timestamp(microseconds: Int64(account.startMinute) * 60_000_000)
            #expect(event["organization"]?.string == fixture.fleet.organization && event["subject"]?.string == id)
            #expect(event["occurred_at"] == JSONValue(fixture.fleet.clock.now))
            #expect(
                event["data"] == [
                    "budget": .string(id), "name": "monthly", "scope": .string(fixture.fleet.project),
                    "tag": tag ?? .null, "hard": false, "threshold_percent": 50, "window": "calendar",
                    "window_starts_at": JSONValue(start),
                    "window_ends_at": JSONValue(start.adding(seconds: 3600)), "limit_nano_usd": "1000",
                    "limit_usd": "0.000001", "spent_nano_usd": "700", "spent_usd": "0.0000007",
                ])
            let read = try await fixture.plane.send("GET", "/v1/events/\(event["id"]?.string ?? "")")
            #expect(read.json == event)
            #expect(try await fixture.plane.send("GET", "/v1/events/evt_01jd3x0r7ze4qbt0xq4v6m2k5n").status == 404)
            // What was spent before there was a budget counts as soon as its window has an account.
            try await Rollups(
                database: fixture.plane.services.database, logger: fixture.plane.database.logger
            ).foldAll()
            fixture.fleet.clock.advance(seconds: 1)
            let late =
                try await fixture.act(
                    "POST", "/v1/budgets",
                    [
                        "scope": .string(fixture.fleet.project), "name": "late", "amount_nano_usd": "700",
                        "period": "hour", "thresholds": [100],
                    ])["id"]?.string ?? ""
            let ask = LeaseAsk(account: Charge(budget: number + 1, startMinute: fixture.account(number).startMinute))
            let request = LeaseRequest(gateway: fixture.process.gateway, sequence: 1, asks: [ask])
            #expect(
                await fixture.fleet.call(
                    fixture.process, "POST", "/dp/v1/leases:renew", request.wireBytes
                ).status == 200)
            try await fixture.watch().lookAll()
            #expect(try await fixture.percents(late) == [100])
        }
    }

    @Test func `budgets that do not count, and those without thresholds, tell nothing`() async throws {
        try await EventFixture.with { fixture in
            let (off, first) = try await fixture.budget()
            let (gone, second) = try await fixture.budget()
            let (none, third) = try await fixture.budget(["thresholds": []])
            let plane = fixture.plane
            try await fixture.spend(2000, of: first, second, third)
            #expect(
                try await plane.send("PATCH", "/v1/budgets/\(off)", ["status": "disabled"], ifMatch: "*").status == 200)
            #expect(try await plane.send("DELETE", "/v1/budgets/\(gone)", ifMatch: "*").status == 204)
            try await fixture.watch().lookAll()
            #expect(try await fixture.events().isEmpty)
            // Enabled again, it is told what it has come to.
            #expect(
                try await plane.send("PATCH", "/v1/budgets/\(off)", ["status": "active"], ifMatch: "*").status == 200)
            try await fixture.watch().lookAll()
            #expect(try await fixture.percents(off) == [50, 80, 100])
            #expect(try await fixture.percents(none) == [])
        }
    }

    @Test func `several that look at once tell each threshold once, and none is forgotten`() async throws {
        try await EventFixture.with { fixture in
            var budgets: [(id: String, number: UInt32)] = []
            for _ in 0..<3 { budgets.append(try await fixture.budget()) }
            let watches = (0..<4).map { _ in fixture.watch() }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for watch in watches {
                    group.addTask { for _ in 0..<30 { try await watch.lookAll() } }
                }
                for _ in 0..<12 {
                    for budget in budgets { try await fixture.spend(100, of: budget.number) }
                }
                try await group.waitForAll()
            }
            try await fixture.watch().lookAll()
            for budget in budgets { #expect(try await fixture.percents(budget.id).sorted() == [50, 80, 100]) }
            #expect(watches.allSatisfy { $0.figures.failures == 0 })
            #expect(try await fixture.plane.count("budget_threshold_crossing") == 9)
        }
    }

    @Test func `a look that ends before its commit has taken nothing`() async throws {
        try await EventFixture.with { fixture in
            struct Killed: Error {}
            let (id, number) = try await fixture.budget()
            let time = fixture.fleet.clock.time
            try await fixture.spend(600, of: number)
            await #expect(throws: Killed.self) {
                try await fixture.plane.services.database.transaction { tx in
                    #expect(try ThresholdWatch.look(&tx, time: time).raised == 1)
                    throw Killed()
                }
            }
            #expect(try await fixture.percents(id) == [])
            try await fixture.watch().lookAll()
            #expect(try await fixture.percents(id) == [50])
        }
    }

    /// A mark for each account, taken a few at a time.
    @Test func `marks are taken so many at a time`() async throws {
        try await EventFixture.with { fixture in
            let (id, number) = try await fixture.budget()
            for _ in 0..<5 { try await fixture.spend(200, of: number) }
            let time = fixture.fleet.clock.time
            let database = fixture.plane.services.database
            let first = try await database.transaction { tx in try ThresholdWatch.look(&tx, time: time, limit: 2) }
            #expect(first.marks == 2 && first.raised == 3)
            let second = try await database.transaction { tx in try ThresholdWatch.look(&tx, time: time, limit: 9) }
            #expect(second.marks == 3 && second.raised == 0)
            #expect(try await fixture.percents(id) == [50, 80, 100])
        }
    }

    @Test func `events are listed newest first, by organization and type, page by page`() async throws {
        try await EventFixture.with { fixture in
            let (_, number) = try await fixture.budget(["thresholds": [1, 2, 3, 4, 5]])
            for _ in 0..<5 {
                fixture.fleet.clock.advance(seconds: 1)
                try await fixture.spend(10, of: number)
                try await fixture.watch().lookAll()
            }
            let path = "/v1/events?organization=\(fixture.fleet.organization)"
            let first = try await fixture.plane.send("GET", path + "&limit=3")
            let cursor = try #require(first["next_cursor"]?.string)
            let second = try await fixture.plane.send("GET", path + "&limit=3&cursor=\(cursor)")
            let all = (first["items"]?.array ?? []) + (second["items"]?.array ?? [])
            #expect(all.map { $0["data"]?["threshold_percent"]?.integer } == [5, 4, 3, 2, 1])
            #expect(second["next_cursor"] == .null)
            let (other, _) = try await fixture.plane.makeProject("other")
            #expect(
                try await fixture.plane.send("GET", "/v1/events?organization=\(other)")["items"]?.array?.isEmpty == true
            )
            #expect(
                try await fixture.plane.send("GET", "/v1/events?type=webhook.test")["items"]?.array?.isEmpty == true)
            #expect(try await fixture.plane.send("GET", "/v1/events?type=nothing").status == 400)
        }
    }

    @Test func `events go after their time, and a threshold is not told again for that`() async throws {
        try await EventFixture.with { fixture in
            let (id, number) = try await fixture.budget(["period": "total"])
            let database = fixture.plane.services.database
            func spend() async throws {
                var record = try fixture.fleet.record()
                record.cost = NanoUSD(900)
                record.charges = [Charge(budget: number, startMinute: 0)]
                let batch = UsageBatch(
                    gateway: fixture.process.gateway, stream: TimeSource.system.newID(),
                    process: fixture.process.number, from: 1, records: [record])
                #expect(try await fixture.fleet.deliver(fixture.process, batch).status == 200)
                try await fixture.watch().lookAll()
            }
            try await spend()
            #expect(try await fixture.percents(id) == [50, 80])
            fixture.fleet.clock.advance(seconds: Events.keptDays * 86_400 - 60)
            try await spend()
            let now = fixture.fleet.clock.now
            let kept = try await database.transaction { tx in try Events.removeOld(&tx, at: now) }
            #expect(kept == 0)
            let later = now.adding(seconds: 120)
            #expect(try await database.transaction { tx in try Events.removeOld(&tx, at: later, limit: 1) } == 1)
            #expect(try await database.transaction { tx in try Events.removeOld(&tx, at: later) } == 1)
            try await spend()
            #expect(try await fixture.percents(id) == [100])
        }
    }
}
