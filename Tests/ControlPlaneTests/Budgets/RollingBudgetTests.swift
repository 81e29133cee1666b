import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

/// Budgets whose window rolls, from the API to what gateways are granted.
@Suite(.timeLimit(.minutes(10))) struct RollingBudgetTests {
    /// One rolling budget, its account, and a process that spends of it.
    private final class Spender {
        let fixture: EventFixture
        let id: String
        let account: Charge
        private(set) var granted: Int64 = 0
        private var posted: Int64 = 0
        private var sequence: Int64 = 0

        init(_ fixture: EventFixture, _ more: [String: JSONValue] = [:]) async throws {
            self.fixture = fixture
            let body: [String: JSONValue] = [
                "scope": .string(fixture.fleet.project), "name": "b", "amount_nano_usd": "1000", "period": "minute",
                "window": "rolling",
            ]
            let made = try await fixture.act("POST", "/v1/budgets", .object(body.merging(more) { $1 }))
            let id = try #require(made["id"]?.string)
            self.id = id
            let number: Int64 = try await fixture.plane.database.database.transaction(.readOnly) { tx in
                try tx.query("select max(number) as number from budget")[0].get("number")
            }
            self.account = Charge(budget: UInt32(number), startMinute: 0)
        }

        /// Says what was spent, and asks for what a request needs.
        ///
        /// - Returns: what is granted on top, and what is left then.
        @discardableResult
        func renew(need: Int64 = 0) async throws -> (more: Int64, left: Int64) {
            var ask = LeaseAsk(account: self.account)
            (ask.granted, ask.posted) = (self.granted, self.posted)
            // What was granted before and not spent is given back.
            ask.returned = max(0, self.granted - self.posted)
            (ask.need, ask.want) = (need, need)
            self.sequence += 1
            let request = LeaseRequest(
                gateway: self.fixture.process.gateway, sequence: self.sequence, asks: [ask])
            let reply = await self.fixture.fleet.call(
                self.fixture.process, "POST", "/dp/v1/leases:renew", request.wireBytes)
            #expect(reply.status == 200, "\(String(decoding: reply.body, as: UTF8.self))")
            let (database, keys) = (self.fixture.plane.services.database, self.fixture.plane.services.keys)
            let root = try await database.transaction(.readOnly) { tx in try SigningKeys.load(&tx, keys: keys).root }
            let bytes = try #require(root.open(try Envelope(wire: reply.body), as: .leaseReply))
            let grant = try #require(try LeaseReply(wire: bytes).grants.first)
            #expect(!grant.isUnknown)
            defer { self.granted = grant.granted }
            return (grant.granted - self.granted, grant.left)
        }

        /// Usage arrives, charged to it, and is looked at.
        func spend(_ cost: Int64, looksAt clock: TimeSource? = nil) async throws {
            var record = try self.fixture.fleet.record()
            record.cost = NanoUSD(cost)
            record.charges = [self.account]
            let batch = UsageBatch(
                gateway: self.fixture.process.gateway, stream: TimeSource.system.newID(),
                process: self.fixture.process.number, from: 1, records: [record])
            #expect(try await self.fixture.fleet.deliver(self.fixture.process, batch).status == 200)
            self.posted += cost
            try await ThresholdWatch(
                database: self.fixture.plane.services.database, time: clock ?? self.fixture.fleet.clock.time,
                logger: self.fixture.plane.database.logger
            ).lookAll()
        }

        func status() async throws -> (spent: String?, left: String?) {
            let status = try await self.fixture.act("GET", "/v1/budgets/\(self.id)/status")
            let now = self.fixture.fleet.clock.now
            #expect(status["window_ends_at"] == JSONValue(now) && status["forecast_usd"] == .null)
            #expect(status["limit_nano_usd"] == "1000")
            return (status["spent_nano_usd"]?.string, status["left_nano_usd"]?.string)
        }
    }

    @Test func `what was spent comes back when it leaves the window, and not before`() async throws {
        try await EventFixture.with { fixture in
            let clock = fixture.fleet.clock
            let spender = try await Spender(fixture)
            #expect(try await spender.renew(need: 600) == (600, 400))
            try await spender.spend(600)
            clock.advance(seconds: 30)
            #expect(try await spender.renew(need: 400) == (400, 0))
            try await spender.spend(400)
            #expect(try await spender.status() == ("1000", "0"))
            #expect(try await spender.renew(need: 1) == (0, 0))
            // A minute later it is gone for the window, and a second later for every replica's clock.
            clock.advance(seconds: 30)
            #expect(try await spender.renew(need: 1) == (0, 0))
            clock.advance(seconds: 1)
            #expect(try await spender.status() == ("400", "600"))
            #expect(try await spender.renew(need: 601) == (600, 0))
            try await spender.spend(600)
            clock.advance(seconds: 30)
            #expect(try await spender.status() == ("600", "400"))
            #expect(try await spender.renew(need: 400) == (400, 0))
            try await spender.spend(400)
            // Without usage too, nobody looks: all of it.
            clock.advance(seconds: 600)
            #expect(try await spender.status() == ("0", "1000"))
            #expect(try await spender.renew(need: 1000) == (1000, 0))
            func differences() async throws -> [AccountSums.Difference] {
                try await fixture.plane.database.database.transaction(.repeatableReadOnly) { tx in
                    let ids: [Int64] = try tx.query("select id from budget_account").map { try $0.get("id") }
                    return try AccountSumsStore.differences(of: ids, &tx)
                }
            }
            #expect(try await differences().isEmpty)
            // A checkpoint that says too much is found.
            try await fixture.plane.database.database.transaction { tx in
                _ = try tx.execute("update budget_checkpoint set settled = settled + 1")
            }
            let found = try await differences()
            #expect(found.map(\.checkpoint) == ["2001"] && found.map(\.settled) == ["2000"])
        }
    }

    /// Whoever spends all that he is granted, at every second.
    @Test(arguments: ["minute", "hour"])
    func `in no window more than the amount is granted, and few checkpoints are kept`(_ period: String) async throws {
        try await EventFixture.with { fixture in
            let clock = fixture.fleet.clock
            let window = try #require(BudgetPeriod(name: period).flatMap { RollingWindow($0) })
            let spender = try await Spender(fixture, ["period": .string(period)])
            var random = SeededRandom("rolling window")
            var spent: [(at: Timestamp, cost: Int64)] = []
            var most: Int64 = 0
            for _ in 0..<150 {
                clock.advance(seconds: Int64.random(in: 1...(window.seconds / 30), using: &random))
                let more = try await spender.renew(need: Int64.random(in: 1...200, using: &random)).more
                if more > 0 {
                    try await spender.spend(more)
                    spent.append((clock.now, more))
                }
                let start = clock.now.adding(seconds: -window.seconds)
                let sum = spent.filter { $0.at > start }.reduce(0) { $0 + $1.cost }
                #expect(sum <= 1000)
                most = max(most, sum)
            }
            #expect(most > 900 && spent.reduce(0) { $0 + $1.cost } > 2000)
            let kept = try await fixture.plane.count("budget_checkpoint")
            #expect(kept > 4 && kept <= 64, "\(kept)")
        }
    }

    @Test func `what its subject spent before it was made leaves the window as it came`() async throws {
        try await EventFixture.with { fixture in
            let clock = fixture.fleet.clock
            func use(_ cost: Int64) async throws {
                var record = try fixture.fleet.record()
                record.cost = NanoUSD(cost)
                let batch = UsageBatch(
                    gateway: fixture.process.gateway, stream: TimeSource.system.newID(),
                    process: fixture.process.number, from: 1, records: [record])
                #expect(try await fixture.fleet.deliver(fixture.process, batch).status == 200)
                try await Rollups(
                    database: fixture.plane.services.database, logger: fixture.plane.database.logger
                ).foldAll()
            }
            // In the middle of an hour. Older than a day, in the first hour of the day (by the minute), and later.
            clock.advance(seconds: 5400 - clock.now.seconds % 3600)
            try await use(7)
            clock.advance(seconds: 3600)
            let first = clock.now
            try await use(100)
            clock.advance(seconds: 7200)
            let second = clock.now
            try await use(200)
            clock.advance(seconds: first.adding(seconds: 86_340).seconds - clock.now.seconds)
            let last = clock.now
            try await use(400)
            let spender = try await Spender(fixture, ["period": "day"])
            #expect(try await spender.renew(need: 0).left == 300)
            #expect(try await spender.status() == ("700", "300"))
            // Also while usage arrives that is charged to it.
            #expect(try await spender.renew(need: 50) == (50, 250))
            try await spender.spend(50)
            func left(after instant: Timestamp, seconds: Int64) async throws -> Int64 {
                clock.advance(seconds: instant.adding(seconds: 86_400 + seconds).seconds - clock.now.seconds)
                return try await spender.renew().left
            }
            #expect(try await left(after: first, seconds: -1) == 250)
            #expect(try await left(after: first, seconds: 62) == 350)
            #expect(try await left(after: second, seconds: -1) == 350)
            #expect(try await left(after: second, seconds: 3602) == 550)
            #expect(try await left(after: last, seconds: -1) == 550)
            #expect(try await left(after: last, seconds: 3602) == 1000)
        }
    }

    @Test func `usage that arrives before anybody asked opens the account`() async throws {
        try await EventFixture.with { fixture in
            let spender = try await Spender(fixture)
            try await spender.spend(300)
            #expect(try await spender.status() == ("300", "700"))
            #expect(try await spender.renew(need: 900) == (700, 0))
            fixture.fleet.clock.advance(seconds: 61)
            #expect(try await spender.renew(need: 900) == (900, 100))
        }
    }

    @Test func `a checkpoint by a clock that is ahead gives nothing back too early, and does not stay`() async throws {
        try await EventFixture.with { fixture in
            let clock = fixture.fleet.clock
            let spender = try await Spender(fixture)
            let ahead = TimeSource(now: { clock.now.adding(seconds: 3600) }, uptime: TimeSource.system.uptime)
            try await spender.renew(need: 500)
            try await spender.spend(500, looksAt: ahead)
            clock.advance(seconds: 61)
            #expect(try await spender.status() == ("500", "500"))
            try await spender.spend(1)
            #expect(try await fixture.plane.count("budget_checkpoint") == 1)
            clock.advance(seconds: 61)
            #expect(try await spender.status() == ("0", "1000"))
        }
    }

    @Test func `a threshold of a rolling window is told again after less was spent in between`() async throws {
        try await EventFixture.with { fixture in
            let clock = fixture.fleet.clock
            let spender = try await Spender(fixture, ["thresholds": [50, 80], "hard": false])
            func told() async throws -> [Int64] { try await fixture.percents(spender.id) }
            try await spender.spend(600)
            #expect(try await told() == [50])
            let event = try #require(try await fixture.events().first?["data"])
            #expect(event["window"] == "rolling" && event["spent_nano_usd"] == "600")
            #expect(event["window_starts_at"] == JSONValue(clock.now.adding(seconds: -60)))
            #expect(event["window_ends_at"] == JSONValue(clock.now))
            clock.advance(seconds: 30)
            try await spender.spend(100)
            #expect(try await told() == [50])
            // 600 have left the window; then 500 are reached anew.
            clock.advance(seconds: 31)
            try await spender.spend(10)
            #expect(try await told() == [50])
            try await spender.spend(500)
            #expect(try await told() == [50, 50])
            clock.advance(seconds: 1)
            try await spender.spend(300)
            #expect(try await told() == [50, 50, 80])
            // It fell while nobody spent, and nobody looked.
            clock.advance(seconds: 300)
            try await spender.spend(900)
            #expect(try await told() == [50, 50, 80, 50, 80])
            // Still above: a minute later as much was spent again before the first was gone.
            clock.advance(seconds: 50)
            try await spender.spend(900)
            clock.advance(seconds: 20)
            try await spender.spend(1)
            #expect(try await told() == [50, 50, 80, 50, 80])
        }
    }

    /// Marks that are taken in two rounds are one rise.
    @Test func `a rise that is looked at in parts is told once`() async throws {
        try await EventFixture.with { fixture in
            let spender = try await Spender(fixture, ["thresholds": [50]])
            let (database, time) = (fixture.plane.services.database, fixture.fleet.clock.time)
            for _ in 0..<4 {
                var record = try fixture.fleet.record()
                record.cost = NanoUSD(400)
                record.charges = [spender.account]
                let batch = UsageBatch(
                    gateway: fixture.process.gateway, stream: TimeSource.system.newID(),
                    process: fixture.process.number, from: 1, records: [record])
                #expect(try await fixture.fleet.deliver(fixture.process, batch).status == 200)
            }
            var raised: [Int] = []
            for _ in 0..<4 {
                raised.append(
                    try await database.transaction { tx in try ThresholdWatch.look(&tx, time: time, limit: 1) }.raised)
            }
            #expect(raised == [0, 1, 0, 0])
        }
    }

    @Test func `what means nothing for a rolling window is refused where it stands`() async throws {
        try await TestControlPlane.with { plane in
            let (_, project) = try await plane.makeProject()
            func make(_ more: [String: JSONValue]) async throws -> (status: Int, pointer: String?, body: JSONValue) {
                let body: [String: JSONValue] = [
                    "scope": .string(project), "name": "b", "amount_usd": "1", "period": "day",
                ]
                let reply = try await plane.send("POST", "/v1/budgets", .object(body.merging(more) { $1 }))
                return (reply.status, reply["pointer"]?.string, reply.json)
            }
            func refusal(_ more: [String: JSONValue]) async throws -> String? {
                let made = try await make(["window": "rolling"].merging(more) { $1 })
                return made.status == 400 ? made.pointer : "\(made.status)"
            }
            #expect(try await refusal(["window": "sliding"]) == "/window")
            #expect(try await refusal(["period": "total"]) == "/window")
            #expect(try await refusal(["carry_over": true]) == "/carry_over")
            #expect(try await refusal(["time_zone": "Europe/Berlin"]) == "/time_zone")
            #expect(try await make([:]).body["window"] == "calendar")
            let rolling = try await make(["window": "rolling", "time_zone": "UTC", "carry_over": false]).body
            #expect(rolling["window"] == "rolling" && rolling["period"] == "day")
            let id = rolling["id"]?.string ?? ""
            #expect(try await plane.send("GET", "/v1/budgets/\(id)").json == rolling)
            for patch: JSONValue in [["carry_over": true], ["window": "calendar"], ["period": "hour"]] {
                let reply = try await plane.send("PATCH", "/v1/budgets/\(id)", patch, ifMatch: "*")
                #expect(reply.status == 400 && reply["pointer"]?.string == "/\(patch.object?.keys.first ?? "")")
            }
            let past = try await plane.send("GET", "/v1/budgets/\(id)/status?at=2026-01-01T00:00:00Z")
            #expect(past.status == 400 && past["pointer"] == "at")
            let fine = try await plane.send("PATCH", "/v1/budgets/\(id)", ["amount_usd": "2"], ifMatch: "*")
            #expect(fine.status == 200 && fine["window"] == "rolling")
        }
    }
}
