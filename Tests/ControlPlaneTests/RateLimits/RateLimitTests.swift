import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct RateLimitTests {
    private func body(_ scope: String, _ more: [String: JSONValue] = [:]) -> JSONValue {
        .object(
            ["scope": .string(scope), "name": "l", "meter": "requests", "amount": 60, "period": "minute"]
                .merging(more) { $1 })
    }

    @Test func `a rate limit is kept as it was said, changed and deleted`() async throws {
        try await TestControlPlane.with { plane in
            let (organization, project) = try await plane.makeProject()
            let key = try await plane.make("/v1/virtual-keys", ["project": .string(project), "name": "k"]).id
            for scope in [organization, project, key] {
                let made = try await plane.make("/v1/rate-limits", self.body(scope))
                #expect(made["scope"]?.string == scope && made["organization"]?.string == organization)
                #expect(made["amount"] == 60 && made["burst"] == 60 && made["period"] == "minute")
                #expect(made["strict"] == false && made["away"] == "open" && made["status"] == "active")
                #expect(try await plane.send("GET", "/v1/rate-limits/\(made.id)").json == made.json)
            }
            let places = try await plane.make(
                "/v1/rate-limits", ["scope": .string(key), "name": "p", "meter": "concurrent_requests", "amount": 5])
            #expect(places["period"] == .null && places["burst"] == .null)
            let all = try await plane.send("GET", "/v1/rate-limits?organization=\(organization)")["items"]?.array ?? []
            #expect(all.count == 4)
            let id = all[0]["id"]?.string ?? ""
            // A burst that is the amount stays so, another stays what it is.
            var changed = try await plane.send("PATCH", "/v1/rate-limits/\(id)", ["amount": 90], ifMatch: "*")
            #expect(changed["amount"] == 90 && changed["burst"] == 90)
            changed = try await plane.send(
                "PATCH", "/v1/rate-limits/\(id)", ["burst": 7, "strict": true, "away": "deny"], ifMatch: "*")
            #expect(changed["burst"] == 7 && changed["strict"] == true && changed["away"] == "deny")
            changed = try await plane.send(
                "PATCH", "/v1/rate-limits/\(id)", ["amount": 10, "status": "disabled"], ifMatch: "*")
            #expect(changed["amount"] == 10 && changed["burst"] == 7 && changed["status"] == "disabled")
            #expect(try await plane.send("GET", "/v1/rate-limits/\(id)/status")["gateways"] == [])
            #expect(try await plane.send("DELETE", "/v1/rate-limits/\(id)", ifMatch: "*").status == 204)
            #expect(try await plane.send("GET", "/v1/rate-limits/\(id)").status == 404)
            #expect(try await plane.send("GET", "/v1/rate-limits/\(id)/status").status == 404)
        }
    }

    @Test func `what is no rate limit is refused where it stands`() async throws {
        try await TestControlPlane.with { plane in
            let (organization, project) = try await plane.makeProject()
            func refusal(_ more: [String: JSONValue]) async throws -> String? {
                let reply = try await plane.send("POST", "/v1/rate-limits", self.body(project, more))
                return reply.status == 400 ? reply["pointer"]?.string : "\(reply.status)"
            }
            #expect(try await refusal(["scope": "prj_01jd3x0r7ze4qbt0xq4v6m2k5n"]) == "/scope")
            #expect(try await refusal(["amount": 0]) == "/amount")
            #expect(try await refusal(["amount": 100_000_000_001]) == "/amount")
            #expect(try await refusal(["burst": 0]) == "/burst")
            #expect(try await refusal(["meter": "dollars"]) == "/meter")
            #expect(try await refusal(["period": "week"]) == "/period")
            #expect(try await refusal(["meter": "concurrent_requests"]) == "/period")
            #expect(try await refusal(["models": ["mdl_01jd3x0r7ze4qbt0xq4v6m2k5n"]]) == "/models/0")
            let open = try await plane.send(
                "POST", "/v1/rate-limits", ["scope": .string(project), "name": "n", "meter": "requests", "amount": 1])
            #expect(open.status == 400 && open["pointer"] == "/period")
            let places = try await plane.send(
                "POST", "/v1/rate-limits",
                ["scope": .string(project), "name": "n", "meter": "concurrent_requests", "amount": 1, "burst": 2])
            #expect(places.status == 400 && places["pointer"] == "/burst")
            for _ in 0..<6 { _ = try await plane.make("/v1/rate-limits", self.body(project)) }
            #expect(try await plane.send("POST", "/v1/rate-limits", self.body(project)).code == "too_many_rate_limits")
            for _ in 0..<2 { _ = try await plane.make("/v1/rate-limits", self.body(organization)) }
            #expect(
                try await plane.send("POST", "/v1/rate-limits", self.body(organization)).code == "too_many_rate_limits")
        }
    }

    /// What the rule decides is what the database keeps, over many renewals of many processes.
    @Test func `the database keeps what the rule decides`() async throws {
        try await TestFleet.with { fleet in
            let (plane, clock) = (fleet.plane, fleet.clock)
            let rate = try #require(BucketRate(amount: 600, per: .minute, burst: 300))
            let places = try #require(BucketRate(amount: 20, per: nil, burst: 20))
            for body in [
                self.body(fleet.project, ["amount": 600, "burst": 300]),
                ["scope": .string(fleet.project), "name": "p", "meter": "concurrent_requests", "amount": 20],
            ] {
                _ = try await plane.make("/v1/rate-limits", body)
            }
            let numbers = try await plane.database.database.transaction(.readOnly) { tx in
                try tx.query("select number from rate_limit order by number").map {
                    UInt32(truncatingIfNeeded: try $0.get("number", as: Int64.self))
                }
            }
            let rates = Dictionary(uniqueKeysWithValues: zip(numbers, [rate, places]))
            let processes = [try await fleet.enrol(), try await fleet.enrol(), try await fleet.enrol()]
            var random = SeededRandom("share store")
            var pools: [UInt32: SharePool] = [:]
            var states: [UInt32: [Int: (state: ShareState, at: Timestamp)]] = [:]
            for round in 0..<60 {
                clock.advance(seconds: Int64.random(in: 0...(round % 9 == 0 ? 100 : 9), using: &random))
                let now = clock.now
                let index = Int.random(in: 0..<3, using: &random)
                var asks: [ShareAsk] = []
                var expected: [ShareGrant] = []
                for (number, rate) in rates.sorted(by: { $0.key < $1.key })
                where Int.random(in: 0..<4, using: &random) > 0 {
                    let known = states[number]?[index]?.state ?? ShareState()
                    var ask = ShareAsk(limit: number)
                    ask.generation = known.generation
                    ask.share = known.target
                    ask.granted = known.granted
                    ask.returned = min(known.granted, known.returned + Int64.random(in: 0...40_000, using: &random))
                    ask.borrowed = known.borrowed + (round % 7 == 0 ? 1500 : 0)
                    ask.want = Int64.random(in: 0...BucketRate.parts, using: &random)
                    ask.need = Int64.random(in: 0...5, using: &random) * 1000
                    ask.largest = 1000
                    asks.append(ask)
                    var pool = pools[number] ?? SharePool(granules: rate.capacity, filledAt: now)
                    var state = known
                    if let at = states[number]?[index]?.at {
                        state.isSilent = at <= now.adding(seconds: -ShareRules.silentSeconds)
                    }
                    var others = ShareOthers()
                    for (other, entry) in states[number] ?? [:] {
                        if entry.at <= now.adding(seconds: -ShareRules.silentSeconds) {
                            guard entry.state.share > 0 else { continue }
                            let since = entry.at.adding(seconds: ShareRules.silentSeconds)
                            others.silentSince = max(others.silentSince ?? since, since)
                        } else if other != index {
                            others.shares += entry.state.share
                            others.fresh += entry.state.fresh
                            others.held += entry.state.granted - entry.state.returned
                            if entry.at > now.adding(seconds: -ShareRules.sharingSeconds), entry.state.want > 0 {
                                others.wants.append(entry.state.want)
                            }
                        }
                    }
                    expected.append(
                        ShareRules.renew(
                            &state, &pool, ask, sequence: Int64(round), of: rate, others: others, isFrozen: false,
                            now: now))
                    pools[number] = pool
                    states[number, default: [:]][index] = (state, now)
                }
                var request = LeaseRequest(gateway: processes[index].gateway, sequence: Int64(round), asks: [])
                request.shares = asks
                let response = await fleet.call(processes[index], "POST", "/dp/v1/leases:renew", request.wireBytes)
                #expect(response.status == 200, "\(String(decoding: response.body, as: UTF8.self))")
                let reply = try await self.open(response.body, plane)
                #expect(reply.shares == expected, "round \(round)")
            }
            let stored = try await plane.database.database.transaction(.readOnly) { tx in
                try tx.query(
                    """
                    select l.number, p.granules, p.filled_at, p.parts_left from rate_limit_pool p
                    join rate_limit l on l.id = p.limit_id
                    """
                ).map { row in
                    (
                        try row.get("number", as: Int64.self),
                        SharePool(
                            granules: try row.get("granules"), filledAt: try row.get("filled_at"),
                            left: try row.get("parts_left"))
                    )
                }
            }
            for (number, pool) in stored { #expect(pools[UInt32(number)] == pool) }
            #expect(stored.count == 2)
        }
    }

    @Test func `a process that is over leaves its share, and an unknown limit is said to be one`() async throws {
        try await TestFleet.with { fleet in
            let (plane, clock) = (fleet.plane, fleet.clock)
            let limit = try await plane.make("/v1/rate-limits", self.body(fleet.project)).id
            let process = try await fleet.enrol()
            var ask = ShareAsk(limit: 1)
            (ask.want, ask.need, ask.largest) = (BucketRate.parts, 1000, 1000)
            var request = LeaseRequest(gateway: process.gateway, sequence: 1, asks: [])
            var odd = ShareAsk(limit: 77)
            odd.granted = 5
            request.shares = [ask, odd]
            let response = await fleet.call(process, "POST", "/dp/v1/leases:renew", request.wireBytes)
            let reply = try await self.open(response.body, plane)
            // Alone it gets everything: all that flows, and what is there.
            #expect(reply.shares.map(\.limit) == [1, 77] && reply.shares.map(\.isUnknown) == [false, true])
            #expect(reply.shares[0].share == BucketRate.parts && reply.shares[0].granted == 60_000)
            #expect(reply.shares[0].left == 0)
            let status = try await plane.send("GET", "/v1/rate-limits/\(limit)/status")
            let gateways = status["gateways"]?.array ?? []
            // The status is asked by the plane's own clock, and the fleet's stands at another time.
            #expect(gateways.count <= 1)
            // Its next process says that it is over.
            let next = process.another()
            clock.advance(seconds: 1)
            var second = LeaseRequest(gateway: next.gateway, sequence: 1, asks: [], settled: [process.number])
            second.shares = [ask]
            let answer = await fleet.call(next, "POST", "/dp/v1/leases:renew", second.wireBytes)
            let shares = try await self.open(answer.body, plane).shares
            #expect(shares.first?.share == BucketRate.parts)
            #expect(try await plane.count("rate_limit_share") == 1)
            // What it had is gone with it, and until it was said to be over it may have used all that flows.
            #expect(shares.first?.granted == 0)
            // Nothing is said for long by that one: what flows is there again from when its part could be given away.
            clock.advance(seconds: ShareRules.silentSeconds + 2)
            let last = next.another()
            var third = LeaseRequest(gateway: last.gateway, sequence: 1, asks: [])
            third.shares = [ask]
            let late = await fleet.call(last, "POST", "/dp/v1/leases:renew", third.wireBytes)
            let granted = try await self.open(late.body, plane).shares.first?.granted
            #expect(granted == 2000)
        }
    }

    private func open(_ body: [UInt8], _ plane: TestControlPlane) async throws -> LeaseReply {
        let keys = plane.services.keys
        let root = try await plane.services.database.transaction(.readOnly) { tx in
            try SigningKeys.load(&tx, keys: keys).root
        }
        let payload = root.open(try Envelope(wire: body), as: .leaseReply)
        return try LeaseReply(wire: try #require(payload))
    }
}
