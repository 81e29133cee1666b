import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct UsageGapTests {
    private let stream: UsageStreamID = TimeSource.system.newID()

    private func ledger(_ fleet: TestFleet) async throws -> LedgerIdentities {
        let now = fleet.clock.now
        return try await fleet.plane.services.database.transaction(.repeatableReadWrite) { tx in
            try LedgerCheck.run(&tx, now: now).identities
        }
    }

    @Test func `a declared loss is stored, audited, listed and part of the ledger`() async throws {
        try await TestFleet.with { fleet in
            let gateway = try await fleet.enrol()
            #expect(try await fleet.deliver(gateway, fleet.batch(gateway, self.stream, from: 1, count: 3)) == (200, 3))
            // What comes after is checked without reading everything again.
            #expect(try await self.ledger(fleet).holds)
            let batch = try fleet.batch(
                gateway, self.stream, from: 11, count: 2, lost: .init(from: 4, reason: .missing))
            #expect(try await fleet.deliver(gateway, batch) == (200, 12))
            // Again, as after a reply that did not arrive: nothing more is stored.
            #expect(try await fleet.deliver(gateway, batch) == (200, 12))
            #expect(try await fleet.deliver(gateway, fleet.batch(gateway, self.stream, from: 13)) == (200, 13))
            let ledger = try await self.ledger(fleet)
            #expect(ledger.holds)
            #expect([ledger.events, ledger.rejected, ledger.lost, ledger.watermarks] == [6, 0, 7, 13])

            let gaps = try await fleet.plane.send("GET", "/v1/usage/gaps")["items"]?.array
            #expect(gaps?.count == 1)
            let gap = try #require(gaps?.first)
            #expect(gap["gateway"]?.string == gateway.gateway.description)
            #expect(gap["stream"]?.string == self.stream.description)
            #expect(gap["from"] == 4 && gap["to"] == 10 && gap["records"] == 7)
            #expect(gap["reason"] == "missing")
            let events = try await fleet.audited(.usageDeclareLost)
            #expect(events.count == 1)
            let event = try #require(events.first)
            #expect(event["actor"]?["kind"] == "gateway")
            #expect(event["actor"]?["id"]?.string == gateway.gateway.description)
            #expect(event["organization"] == .null)
            #expect(event["after"]?["from"] == 4 && event["after"]?["to"] == 10)
            #expect(fleet.routes.figures.current.lost == 7)
            #expect(fleet.routes.figures.current.stored == 6)
            let check = try await fleet.plane.send("GET", "/v1/ledger/identities")
            #expect(check["records_lost"] == 7 && check["records_delivered"] == 13 && check["holds"] == true)
            // A declaration that vanishes is seen.
            try await fleet.plane.database.database.transaction { tx in _ = try tx.execute("delete from usage_gap") }
            fleet.clock.advance(seconds: 700)
            #expect(try await self.ledger(fleet).holds == false)
        }
    }

    @Test func `a loss that does not begin at the next number stores nothing`() async throws {
        try await TestFleet.with { fleet in
            let gateway = try await fleet.enrol()
            #expect(try await fleet.deliver(gateway, fleet.batch(gateway, self.stream, from: 1, count: 5)) == (200, 5))
            for lostFrom in [1, 4, 5, 7, 9] {
                let batch = try fleet.batch(
                    gateway, self.stream, from: 10, lost: .init(from: lostFrom, reason: .released))
                #expect(try await fleet.deliver(gateway, batch) == (200, 5))
            }
            #expect(try await fleet.deliver(gateway, fleet.batch(gateway, self.stream, from: 10)) == (200, 5))
            #expect(try await fleet.plane.count("usage_gap") == 0)
            #expect(try await fleet.audited(.usageDeclareLost).isEmpty)
            #expect(try await fleet.plane.count("change where permission = 'usage.declare_lost'") == 0)
            #expect(fleet.routes.figures.current.lost == 0)
            #expect(try await self.ledger(fleet).holds)
        }
    }

    @Test func `nobody declares what is lost of another's stream`() async throws {
        try await TestFleet.with { fleet in
            let (gateway, other) = (try await fleet.enrol(), try await fleet.enrol())
            #expect(try await fleet.deliver(gateway, fleet.batch(gateway, self.stream, from: 1)) == (200, 1))
            let lost = UsageLoss(from: 2, reason: .missing)
            let foreign = try fleet.batch(other, self.stream, from: 9, lost: lost)
            #expect(try await fleet.deliver(other, foreign).status == 403)
            let posing = try fleet.batch(gateway, self.stream, from: 9, lost: lost)
            #expect(try await fleet.deliver(other, posing).status == 403)
            #expect(try await fleet.plane.count("usage_gap") == 0)
            #expect(try await self.ledger(fleet).holds)
        }
    }

    @Test func `the same loss declared many times at once is stored once`() async throws {
        try await TestFleet.with { fleet in
            let gateway = try await fleet.enrol()
            for round in 0..<5 {
                let from = 10 * (round + 1)
                let lost = UsageLoss(from: round == 0 ? 1 : from - 9, reason: .missing)
                let batch = try fleet.batch(gateway, self.stream, from: from, lost: lost)
                let lasts = try await withThrowingTaskGroup(of: Int.self) { group in
                    for _ in 0..<6 { group.addTask { try await fleet.deliver(gateway, batch).last } }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                #expect(lasts.allSatisfy { $0 == from })
            }
            #expect(try await fleet.plane.count("usage_gap") == 5)
            #expect(try await fleet.plane.count("usage_event") == 5)
            #expect(try await fleet.audited(.usageDeclareLost).count == 5)
            let ledger = try await self.ledger(fleet)
            #expect(ledger.holds && ledger.lost == 45)
        }
    }

    @Test func `losses are listed a page at a time, newest first, and by gateway`() async throws {
        try await TestFleet.with { fleet in
            let gateways = [try await fleet.enrol(), try await fleet.enrol()]
            var expected: [String] = []
            for number in 0..<7 {
                let gateway = gateways[number % 2]
                let stream: UsageStreamID = TimeSource.system.newID()
                let batch = try fleet.batch(gateway, stream, from: 2, lost: .init(from: 1, reason: .released))
                #expect(try await fleet.deliver(gateway, batch) == (200, 2))
                expected.insert(stream.description, at: 0)
                if number % 3 == 0 { fleet.clock.advance(seconds: 1) }
            }
            var listed: [String] = []
            var path: String? = "/v1/usage/gaps?limit=2"
            while let next = path {
                let page = try await fleet.plane.send("GET", next)
                listed += page["items"]?.array?.compactMap { $0["stream"]?.string } ?? []
                path = page["next_cursor"]?.string.map { "/v1/usage/gaps?limit=2&cursor=\($0)" }
            }
            #expect(listed.count == 7)
            #expect(Set(listed) == Set(expected))
            #expect(listed.first == expected.first)
            let one = try await fleet.plane.send("GET", "/v1/usage/gaps?gateway=\(gateways[1].gateway)")
            #expect(one["items"]?.array?.count == 3)
        }
    }

    @Test func `a record that cannot be is kept as evidence and holds nothing up`() async throws {
        try await TestFleet.with { fleet in
            let gateway = try await fleet.enrol()
            var batch = try fleet.batch(gateway, self.stream, from: 1, count: 6)
            batch.records[0].started = Timestamp(microseconds: .max)
            batch.records[1].started = Timestamp(microseconds: .min)
            batch.records[2].counters.input = .max
            batch.records[3].cost = .max
            #expect(try await fleet.deliver(gateway, batch) == (200, 6))
            #expect(try await fleet.plane.count("usage_rejected where reason = 'it is not possible'") == 4)
            #expect(try await self.ledger(fleet).holds)
        }
    }
}
