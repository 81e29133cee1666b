import ControlPlane
import Postgres
import Shared
import Synchronization
import TestKit
import Testing

/// What a flood of refusals costs: bounded memory, a bounded number of leaves, and no refusal uncounted.
@Suite(.timeLimit(.minutes(10))) struct DenialLaneTests {
    private final class Uptime: Sendable {
        private let nanoseconds = Atomic<UInt64>(0)

        func advance(seconds: UInt64) { self.nanoseconds.add(seconds * 1_000_000_000, ordering: .relaxed) }
        func read() -> UInt64 { self.nanoseconds.load(ordering: .relaxed) }
    }

    static func denial(
        _ caller: Denial.Caller, operation: String = "organizations.list", reason: String = "unknown_credential",
        at microseconds: Int64 = 1_800_000_000_000_000
    ) -> Denial {
        var address: String?
        if case .address(let text) = caller { address = text }
        return Denial(
            caller: caller, operation: operation, reason: reason, target: nil, credential: nil, address: address,
            request: TimeSource.system.newID(), at: Timestamp(microseconds: microseconds)
        )
    }

    private func lane(
        _ plane: TestControlPlane, _ limits: Denials.Limits, uptime: @escaping @Sendable () -> UInt64 = { 0 }
    ) -> Denials {
        Denials(
            database: plane.services.database, keys: plane.services.keys,
            time: TimeSource(now: TimeSource.system.now, uptime: uptime), logger: TestPostgres.logger, limits: limits
        )
    }

    private func events(_ plane: TestControlPlane) async throws -> [JSONValue] {
        try await plane.database.database.transaction(.readOnly) { tx in
            try tx.query(
                """
                select l.leaf from audit_leaf l join audit_log g on g.id = l.log_id where g.lane = 'denials'
                order by l.index
                """
            ).map { try JSONParser.parse(try $0.get("leaf")) }
        }
    }

    private func total(_ events: [JSONValue]) -> Int64 { events.reduce(0) { $0 + ($1["count"]?.integer ?? 0) } }

    @Test func `a hundred thousand refusals of one caller are one event with their number`() async throws {
        try await TestControlPlane.with { plane in
            let lane = self.lane(plane, Denials.Limits())
            for number in 0..<100_000 {
                lane.record(Self.denial(.address("198.51.100.1"), at: Int64(number)))
            }
            #expect(lane.figures.waiting == 1)
            await lane.flush()
            let events = try await self.events(plane)
            #expect(events.map { $0["count"] } == [100_000])
            #expect(events[0]["at"] == JSONValue(Timestamp(microseconds: 0)))
            #expect(events[0]["last_at"] == JSONValue(Timestamp(microseconds: 99_999)))
            #expect(lane.figures.byReason == ["unknown_credential": 100_000])
        }
    }

    @Test func `a hundred thousand refusals of as many callers fill the lane, and are counted all the same`()
        async throws
    {
        try await TestControlPlane.with { plane in
            var limits = Denials.Limits()
            limits.unknown = 300
            limits.burst = 100
            limits.leafInterval = 1_000_000_000
            let clock = Uptime()
            let lane = self.lane(plane, limits, uptime: { clock.read() })
            let known = Actor(kind: .serviceAccount, id: UUIDValue(high: 1, low: 1))
            var most = 0
            for number in 0..<100_000 {
                let address = "2001:db8::\(String(number / 1000, radix: 16)):\(String(number % 1000, radix: 16))"
                lane.record(
                    Self.denial(.address(address), operation: number % 2 == 0 ? "units.get" : "routes.get"))
                most = max(most, lane.figures.waiting)
            }
            #expect(most == 302)
            lane.record(Self.denial(.actor(known), reason: "permission_denied"))
            #expect(lane.figures.dropped == 99_700)
            await lane.flush()
            await lane.flush()
            // The one who is known did not have to queue; of the others, as many as may be written at once.
            var events = try await self.events(plane)
            #expect(events.count == 101)
            #expect(events.filter { $0["actor"]?["kind"] == "service_account" }.count == 1)
            clock.advance(seconds: 10)
            await lane.flush()
            #expect(try await self.events(plane).count == 111)
            await lane.flush(everything: true)
            events = try await self.events(plane)
            #expect(events.count == 303)
            #expect(self.total(events) == 100_001)
            let several = events.filter { $0["actor"]?["kind"] == "several" }
            #expect(several.map { $0["count"]?.integer }.sorted { ($0 ?? 0) < ($1 ?? 0) } == [49_850, 49_850])
            #expect(several.allSatisfy { $0["personal"] == nil })
            #expect(lane.figures.waiting == 0)
        }
    }

    @Test func `what replicas write at once has no gap and the order of time`() async throws {
        try await TestControlPlane.with { plane in
            var random = SeededRandom("denials of replicas")
            var limits = Denials.Limits()
            limits.batch = Int.random(in: 1...7, using: &random)
            let lanes = (0..<3).map { _ in self.lane(plane, limits) }
            var count: Int64 = 0
            for number in 0..<200 {
                let caller = Denial.Caller.address("192.0.2.\(Int.random(in: 0..<40, using: &random))")
                lanes[number % 3].record(Self.denial(caller, at: Int64(number)))
                count += 1
            }
            await withTaskGroup(of: Void.self) { group in
                for lane in lanes { group.addTask { await lane.flush() } }
            }
            #expect(self.total(try await self.events(plane)) == count)
            let gaps = try await plane.count(
                """
                audit_log l where size <> (select count(*) from audit_leaf f where f.log_id = l.id)
                or size <> (select max(index) + 1 from audit_leaf f where f.log_id = l.id)
                """
            )
            #expect(gaps == 0)
            let lane = lanes[0]
            for number in 0..<50 { lane.record(Self.denial(.address("203.0.113.\(number)"), at: Int64(1000 + number))) }
            await lane.flush()
            let last = try await self.events(plane).suffix(50).map { $0["at"] }
            #expect(last == (0..<50).map { JSONValue(Timestamp(microseconds: Int64(1000 + $0))) })
        }
    }

    @Test func `what waits is written when the process is asked to end`() async throws {
        try await TestControlPlane.with { plane in
            var limits = Denials.Limits()
            limits.burst = 1
            let lane = self.lane(plane, limits)
            let running = Task { await lane.run() }
            for number in 0..<30 { lane.record(Self.denial(.address("203.0.113.\(number)"))) }
            running.cancel()
            await running.value
            let events = try await self.events(plane)
            #expect(events.count == 30)
            #expect(lane.figures.waiting == 0)
        }
    }
}
