import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

/// Two processes under one identity: what proves it, and what follows.
@Suite(.timeLimit(.minutes(10))) struct GatewayProcessTests {
    private typealias Process = TestFleet.Process

    private func poll(_ fleet: TestFleet, _ process: Process, issued: Timestamp? = nil) async -> APIResponse {
        await fleet.call(process, "GET", "/dp/v1/groups/\(fleet.group)/timestamp", issued: issued)
    }

    private func start(_ fleet: TestFleet, _ process: Process) async throws -> Int {
        let response = await fleet.call(process, "POST", "/dp/v1/starts")
        return response.status == 200 ? try StartReply(wire: response.body).epoch : -response.status
    }

    private func report(_ fleet: TestFleet, _ process: Process, draining: Bool = false) async -> Int {
        var report = StatusReport(
            process: process.number, version: SnapshotVersion(epoch: 0, version: 0), manifest: [], keyringEpoch: 0,
            sequence: 0)
        report.isDraining = draining
        return await fleet.call(process, "POST", "/dp/v1/status", report.wireBytes).status
    }

    private func isFenced(_ fleet: TestFleet, _ process: Process) async -> Bool {
        let response = await self.poll(fleet, process)
        if response.status == 409 { #expect(response.code == LinkCode.fenced) }
        return response.status == 409
    }

    /// Two processes of which both are fenced.
    private func fencedPair(_ fleet: TestFleet) async throws -> (Process, Process) {
        let first = try await fleet.enrol()
        let second = first.another()
        #expect(try await self.start(fleet, first) == 1)
        #expect(try await self.start(fleet, second) == 2)
        fleet.clock.advance(seconds: 11)
        #expect(await self.isFenced(fleet, first))
        #expect(await self.isFenced(fleet, second))
        return (first, second)
    }

    @Test func `each start has the next epoch, however often it is said`() async throws {
        try await TestFleet.with { fleet in
            let first = try await fleet.enrol()
            let other = try await fleet.enrol()
            #expect(try await self.start(fleet, first) == 1)
            #expect(try await self.start(fleet, first) == 1)
            #expect(try await self.start(fleet, first.another()) == 2)
            #expect(try await self.start(fleet, other) == 1)
            // One that says nothing counts as started with its first call.
            let quiet = first.another()
            #expect(await self.poll(fleet, quiet).status == 304)
            #expect(try await self.start(fleet, quiet) == 3)
        }
    }

    @Test func `starts at once have different epochs, and one process one`() async throws {
        try await TestFleet.with { fleet in
            let first = try await fleet.enrol()
            let all = [first] + (0..<7).map { _ in first.another() }
            let epochs = try await withThrowingTaskGroup(of: (UInt64, Int).self) { group in
                for process in all + all + all {
                    group.addTask { (process.number, try await self.start(fleet, process)) }
                }
                return try await group.reduce(into: [UInt64: Set<Int>]()) { $0[$1.0, default: []].insert($1.1) }
            }
            #expect(epochs.values.allSatisfy { $0.count == 1 })
            #expect(Set(epochs.values.flatMap { $0 }) == Set(1...8))
        }
    }

    @Test func `two that live are both fenced, audited once, and still deliver their usage`() async throws {
        try await TestFleet.with { fleet in
            let (first, second) = try await self.fencedPair(fleet)
            for _ in 0..<3 {
                for process in [first, second] {
                    #expect(await self.isFenced(fleet, process))
                    #expect(try await self.start(fleet, process) == -409)
                    let blob = "/dp/v1/blobs/\(String(repeating: "0", count: 64))"
                    #expect(await fleet.call(process, "GET", blob).status == 409)
                    #expect(await self.report(fleet, process) == 204)
                }
                fleet.clock.advance(seconds: 20)
            }
            for process in [first, second] {
                let stream: UsageStreamID = TimeSource.system.newID()
                #expect(try await fleet.deliver(process, fleet.batch(process, stream, from: 1, count: 2)) == (200, 2))
            }
            let events = try await fleet.audited(.gatewaysFence)
            #expect(events.count == 1)
            #expect(events.first?["organization"] == .null)
            #expect(events.first?["target"]?["id"]?.string == first.gateway.description)
            let named = events.first?["after"]?["processes"]?.array?.compactMap { $0["epoch"]?.integer }
            #expect(Set(named ?? []) == [1, 2])
            #expect(fleet.routes.fencedCount == 2)

            // A moment in which it reported makes it one that is there, and fenced.
            #expect(await self.report(fleet, second) == 204)
            try await fleet.plane.database.database.transaction { tx in
                _ = try tx.execute("update gateway_status set seen_at = now()")
            }
            let shown = try await fleet.plane.send("GET", "/v1/gateways/\(first.gateway)")
            #expect(shown["sync"] == "fenced")
            let processes = shown["processes"]?.array ?? []
            #expect(processes.compactMap { $0["epoch"]?.integer } == [2, 1])
            #expect(processes.allSatisfy { $0["fenced_at"]?.string != nil && $0["process"]?.string?.count == 16 })
            let listed = try await fleet.plane.send("GET", "/v1/gateways")["items"]?.array
            #expect(listed?.first?["processes"] == shown["processes"])
        }
    }

    /// The catalogue says which endpoints there are: whoever adds one has to think of this.
    @Test func `a fenced process is refused everything but to say how it is and what it spent`() async throws {
        try await TestFleet.with { fleet in
            let (first, _) = try await self.fencedPair(fleet)
            var refused: [String] = []
            for endpoint in fleet.routes.endpoints {
                guard case .gateway = endpoint.auth else { continue }
                let target = endpoint.path.description.replacing("{group}", with: "\(fleet.group)")
                    .replacing("{sha256}", with: String(repeating: "0", count: 64))
                let response = await fleet.call(first, endpoint.method.rawValue, target)
                if response.code == LinkCode.fenced { refused.append(endpoint.operation) }
            }
            let all = fleet.routes.endpoints.filter { if case .gateway = $0.auth { true } else { false } }
            #expect(
                Set(all.map(\.operation)).subtracting(refused) == [
                    "dataplane.status", "dataplane.usage", "dataplane.leases",
                ])
        }
    }

    @Test func `a process that is ending renews beside the next, fences nobody and gets no money`() async throws {
        try await TestFleet.with { fleet in
            let old = try await fleet.enrol()
            #expect(try await self.start(fleet, old) == 1)
            let next = old.another()
            #expect(try await self.start(fleet, next) == 2)
            fleet.clock.advance(seconds: 60)
            _ = try await fleet.plane.make(
                "/v1/budgets",
                ["scope": .string(fleet.project), "name": "b", "amount_usd": "1", "period": "total"])
            for (process, isDraining) in [(old, true), (next, false)] {
                var ask = LeaseAsk(account: Charge(budget: 1, startMinute: 0))
                ask.want = 1000
                var request = LeaseRequest(gateway: process.gateway, sequence: 1, asks: [ask])
                request.isDraining = isDraining
                let response = await fleet.call(process, "POST", "/dp/v1/leases:renew", request.wireBytes)
                #expect(response.status == 200)
                let reply = try LeaseReply(wire: try Envelope(wire: response.body).payload)
                #expect((reply.grants[0].granted > 0) == !isDraining)
            }
            #expect(fleet.routes.fencedCount == 0)
        }
    }

    @Test func `a fenced process gets no money`() async throws {
        try await TestFleet.with { fleet in
            let (first, _) = try await self.fencedPair(fleet)
            let live = try await fleet.enrol()
            _ = try await fleet.plane.make(
                "/v1/budgets",
                ["scope": .string(fleet.project), "name": "b", "amount_usd": "1", "period": "total"])
            for (process, isGranted) in [(first, false), (live, true)] {
                var ask = LeaseAsk(account: Charge(budget: 1, startMinute: 0))
                ask.want = 1000
                let request = LeaseRequest(gateway: process.gateway, sequence: 1, asks: [ask])
                let response = await fleet.call(process, "POST", "/dp/v1/leases:renew", request.wireBytes)
                #expect(response.status == 200)
                let reply = try LeaseReply(wire: try Envelope(wire: response.body).payload)
                #expect(reply.grants.count == 1 && (reply.grants[0].granted > 0) == isGranted)
            }
        }
    }

    @Test func `a restart, a quick one after a kill, and a drain beside the next are no two processes`() async throws {
        try await TestFleet.with { fleet in
            var process = try await fleet.enrol()
            #expect(try await self.start(fleet, process) == 1)
            for epoch in 2...6 {
                // The old one calls until it ends, and what it sent may arrive a moment after.
                #expect(await self.poll(fleet, process).status == 304)
                let next = process.another()
                #expect(try await self.start(fleet, next) == epoch)
                #expect(await self.poll(fleet, process).status == 304)
                fleet.clock.advance(seconds: 10)
                #expect(await self.poll(fleet, process).status == 304)
                // Signed before the new one had run for ten seconds, and long under way.
                let issued = fleet.clock.now
                fleet.clock.advance(seconds: 40)
                #expect(await self.poll(fleet, process, issued: issued).status == 304)
                // It drains: says so, and delivers.
                #expect(await self.report(fleet, process, draining: true) == 204)
                let stream: UsageStreamID = TimeSource.system.newID()
                #expect(try await fleet.deliver(process, fleet.batch(process, stream, from: 1)) == (200, 1))
                #expect(await self.poll(fleet, next).status == 304)
                process = next
            }
            #expect(try await fleet.plane.count("gateway_process where fenced_at is not null") == 0)
            #expect(try await fleet.audited(.gatewaysFence).isEmpty)
        }
    }

    @Test func `a report of one that does not drain is proof as well`() async throws {
        try await TestFleet.with { fleet in
            let first = try await fleet.enrol()
            let second = first.another()
            _ = try await self.start(fleet, first)
            _ = try await self.start(fleet, second)
            fleet.clock.advance(seconds: 11)
            #expect(await self.report(fleet, second) == 204)
            #expect(await self.isFenced(fleet, second) == false)
            #expect(await self.report(fleet, first) == 204)
            #expect(await self.isFenced(fleet, second))
            #expect(try await fleet.audited(.gatewaysFence).count == 1)
        }
    }

    @Test func `a new start is well when the others are gone, and is not when one is left`() async throws {
        try await TestFleet.with { fleet in
            let (first, second) = try await self.fencedPair(fleet)
            let healed = first.another()
            #expect(try await self.start(fleet, healed) == 3)
            for _ in 0..<5 {
                fleet.clock.advance(seconds: 20)
                #expect(await self.isFenced(fleet, healed) == false)
            }
            var shown = try await fleet.plane.send("GET", "/v1/gateways/\(first.gateway)")
            #expect(shown["processes"]?.array?.first?["fenced_at"] == .null)
            #expect(shown["processes"]?.array?.count == 3)
            // One of the old ones was not stopped after all.
            #expect(await self.isFenced(fleet, second))
            #expect(await self.isFenced(fleet, healed))
            #expect(try await fleet.audited(.gatewaysFence).count == 2)
            shown = try await fleet.plane.send("GET", "/v1/gateways/\(first.gateway)")
            #expect(shown["processes"]?.array?.allSatisfy { $0["fenced_at"] != .null } == true)
            // They never come back; the next start does.
            #expect(await self.isFenced(fleet, first))
            let last = first.another()
            #expect(try await self.start(fleet, last) == 4)
            fleet.clock.advance(seconds: 60)
            #expect(await self.isFenced(fleet, last) == false)
        }
    }

    @Test func `many calls at once fence once`() async throws {
        try await TestFleet.with { fleet in
            let first = try await fleet.enrol()
            let second = first.another()
            _ = try await self.start(fleet, first)
            _ = try await self.start(fleet, second)
            fleet.clock.advance(seconds: 11)
            await withTaskGroup(of: Void.self) { group in
                for number in 0..<24 {
                    group.addTask { _ = await self.poll(fleet, number % 3 == 0 ? second : first) }
                }
            }
            #expect(await self.isFenced(fleet, first))
            #expect(await self.isFenced(fleet, second))
            #expect(try await fleet.audited(.gatewaysFence).count == 1)
            #expect(fleet.routes.fencedCount == 2)
        }
    }

    @Test func `one gateway's processes are none of another's business`() async throws {
        try await TestFleet.with { fleet in
            let (first, _) = try await self.fencedPair(fleet)
            let other = try await fleet.enrol()
            // Even under the very number.
            let same = Process(gateway: other.gateway, key: other.key, number: first.number)
            #expect(try await self.start(fleet, same) == 1)
            fleet.clock.advance(seconds: 100)
            #expect(await self.isFenced(fleet, same) == false)
        }
    }

    @Test func `processes are remembered up to a bound, and one that was forgotten is noticed`() async throws {
        try await TestFleet.with { fleet in
            let first = try await fleet.enrol()
            _ = try await self.start(fleet, first)
            var newest = first
            for _ in 0..<40 {
                newest = first.another()
                _ = try await self.start(fleet, newest)
            }
            #expect(try await fleet.plane.count("gateway_process") == 32)
            // It was forgotten: its next call is as a start, which the newest's next call shows to be one of two.
            #expect(await self.poll(fleet, first).status == 304)
            fleet.clock.advance(seconds: 11)
            #expect(await self.isFenced(fleet, newest))
            #expect(await self.isFenced(fleet, first))
        }
    }

    @Test func `a database that is put back knows the live process again`() async throws {
        try await TestFleet.with { fleet in
            let process = try await fleet.enrol()
            _ = try await self.start(fleet, process)
            try await fleet.plane.database.database.transaction { tx in
                _ = try tx.execute("delete from gateway_process")
            }
            fleet.clock.advance(seconds: 100)
            for _ in 0..<3 {
                #expect(await self.poll(fleet, process).status == 304)
                fleet.clock.advance(seconds: 100)
            }
            #expect(try await fleet.plane.count("gateway_process") == 1)
        }
    }

    @Test func `what proves two processes`() {
        let now = Timestamp(microseconds: 1_800_000_000_000_000)
        func process(_ epoch: Int64, _ fenced: Bool = false) -> GatewayProcess {
            GatewayProcess(number: UInt64(epoch), epoch: epoch, startedAt: now, fencedAt: fenced ? now : nil)
        }
        func verdict(
            _ own: GatewayProcess?, _ newest: GatewayProcess?, issued: Int64 = 11, at: Int64 = 11
        ) -> ProcessStanding.Verdict {
            ProcessStanding(own: own, newest: newest).verdict(
                issued: now.adding(seconds: issued), now: now.adding(seconds: at))
        }
        #expect(verdict(nil, nil) == .unknown)
        #expect(verdict(nil, process(1)) == .unknown)
        #expect(verdict(process(1), process(1)) == .live)
        #expect(verdict(process(1), process(2)) == .second)
        #expect(verdict(process(1), process(2), at: 10) == .live)
        #expect(verdict(process(1), process(2), issued: 10, at: 60) == .live)
        #expect(verdict(process(1), process(2), issued: 40, at: 5) == .live)
        #expect(verdict(process(2, true), process(2, true)) == .fenced)
        #expect(verdict(process(1, true), process(2, true)) == .fenced)
        #expect(verdict(process(1, true), process(2)) == .second)
        #expect(verdict(process(1, true), process(2), at: 5) == .fenced)
        #expect(verdict(process(1), process(2, true)) == .second)
    }
}
