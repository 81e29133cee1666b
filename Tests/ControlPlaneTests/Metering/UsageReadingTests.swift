import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct UsageReadingTests {
    private func insert(_ plane: TestControlPlane, _ organization: OrganizationID, _ key: VirtualKeyID) async throws {
        try await plane.database.database.transaction { tx in
            for number in 1...5 {
                _ = try tx.execute(
                    """
                    insert into usage_event select timestamptz '2026-11-22 10:00:00+00', $1, $2::bigint,
                        gen_random_uuid(), gen_random_uuid(), $3, $3, $4, null, null, null, null, null, 0::smallint,
                        timestamptz '2026-11-22 09:59:00+00', 1000, 10, 200::smallint, 1::smallint, true, false,
                        1::smallint, 1, 1, '', 100, 0, 0, 0, 50, 0, 0, 0, 0, 1, 9007199254740993, 9007199254740993
                    """, UsageStreamID(UUIDValue(high: 1, low: 1)), number, organization, key
                )
            }
        }
    }

    @Test func `records are walked in the order of their arrival`() async throws {
        try await TestControlPlane.with { plane in
            let key: VirtualKeyID = TimeSource.system.newID()
            try await self.insert(plane, TimeSource.system.newID(), key)
            let list = "/v1/usage/records?limit=2&from=2026-11-22T00:00:00Z&key=\(key)"
            var target = list
            var seen: Set<String> = []
            for _ in 0..<3 {
                let page = try await plane.send("GET", target)
                for item in page["items"]?.array ?? [] {
                    seen.insert(item["request"]?.string ?? "")
                    #expect(item["amount_nano_usd"] == "9007199254740993")
                    #expect(item["units"]?["input"] == 100)
                    #expect(item["outcome"] == "completed")
                }
                guard let cursor = page["next_cursor"]?.string else { break }
                target = "\(list)&cursor=\(cursor)"
            }
            #expect(seen.count == 5)
            let none = try await plane.send("GET", "/v1/usage/records?from=2026-11-22T10:00:00Z")
            #expect(none["items"] == [])
            let one = try await plane.send("GET", "\(list)&request=\(seen.first ?? "")")
            #expect(one["items"]?.array?.count == 1)
        }
    }

    /// One record at each of these ages in hours.
    private func insert(_ plane: TestControlPlane, ages: [Int64], request: RequestID) async throws {
        try await plane.database.database.transaction { tx in
            for (number, age) in ages.enumerated() {
                _ = try tx.execute(
                    """
                    insert into usage_event select now() - $1::bigint * interval '1 hour', $2, $3::bigint, $4,
                        gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), null, null, null,
                        null, null, 0, now() - $1::bigint * interval '1 hour', 1000, 10, 200, 1, true, false, 1, 1, 1,
                        '', 100, 0, 0, 0, 50, 0, 0, 0, 0, 1, 7, 7
                    """, age, UsageStreamID(UUIDValue(high: 1, low: 1)), Int64(number), request
                )
            }
        }
    }

    @Test func `a list without a beginning goes back a day, and its pages follow each other`() async throws {
        try await TestControlPlane.with { plane in
            let ages: [Int64] = [800, 90, 30, 23, 20, 9, 2, 1, 0]
            let request: RequestID = TimeSource.system.newID()
            try await self.insert(plane, ages: ages, request: request)
            let now = TimeSource.system.now()
            func walk(_ filter: String) async throws -> [JSONValue] {
                var found: [JSONValue] = []
                var cursor = ""
                while found.count <= ages.count {
                    let page = try await plane.send("GET", "/v1/usage/records?limit=2\(filter)\(cursor)")
                    #expect(page.status == 200, "\(page.json.text)")
                    found += page["items"]?.array ?? []
                    guard let next = page["next_cursor"]?.string else { break }
                    cursor = "&cursor=\(next)"
                }
                let arrivals = found.map { $0["ingested_at"]?.string ?? "" }
                #expect(arrivals == arrivals.sorted())
                return found
            }
            #expect(try await walk("").count == 6)
            let all = try await walk("&from=\(now.adding(seconds: -1000 * 3600))")
            #expect(all.count == 9)
            #expect(try await walk("&from=\(now.adding(seconds: -100 * 3600))").count == 8)
            #expect(try await walk("&to=\(now.adding(seconds: -15 * 3600))").count == 3)
            // The identifier says when it was made: now.
            #expect(try await walk("&request=\(request)").count == 6)
            #expect(try await walk("&request=\(request)&from=1970-01-01T00:00:00Z").count == 9)
            #expect(try await walk("&from=2999-01-01T00:00:00Z").isEmpty)
        }
    }

    @Test func `the log says how a request was decided and what it took, and is narrowed by that`() async throws {
        try await ReportFixture.with { fixture in
            let at = fixture.fleet.clock.now
            var refused = fixture.record(0, at: at, cost: 0)
            (refused.outcome, refused.status, refused.code) = (.refused, 403, "model_not_allowed")
            (refused.model, refused.provider) = (nil, nil)
            var retried = fixture.record(1, at: at, cost: 77)
            (retried.attempts, retried.durationMicroseconds, retried.firstByteMicroseconds) = (3, 900_000, 250_000)
            retried.owner = UUIDValue(high: 5, low: 5)
            retried.snapshot = SnapshotVersion(epoch: 2, version: 41)
            try await fixture.store([refused, retried])
            let plane = fixture.fleet.plane
            func list(_ filter: String) async throws -> [String] {
                let reply = try await plane.send("GET", "/v1/usage/records?\(filter)")
                try #require(reply.status == 200, "\(reply.json.text)")
                return (reply["items"]?.array ?? []).compactMap { $0["request"]?.string }
            }
            let (first, second) = (refused.request.description, retried.request.description)
            #expect(try await list("") == [first, second])
            for filter in ["status=403", "outcome=refused", "key=\(fixture.keys[0])", "unit=\(fixture.department)"] {
                #expect(try await list(filter) == [first], "\(filter)")
            }
            let user = UserID(UUIDValue(high: 5, low: 5))
            for filter in [
                "status=200", "outcome=completed", "user=\(user)", "provider=\(fixture.provider)",
                "model=\(fixture.model)", "project=\(fixture.projects[1])",
            ] {
                #expect(try await list(filter) == [second], "\(filter)")
            }
            let gateway = try await plane.send("GET", "/v1/usage/records")["items"]?.array?.first?["gateway"]?.string
            #expect(try await list("gateway=\(gateway ?? "")") == [first, second])
            #expect(try await list("gateway=gw_00000000000000000000000001").isEmpty)

            let one = try await plane.send("GET", "/v1/usage/records/\(second)")
            #expect(one.status == 200)
            #expect(one["attempts"] == 3 && one["duration_us"] == 900_000 && one["first_byte_us"] == 250_000)
            #expect(one["amount_nano_usd"] == "77" && one["user"]?.string == user.description)
            #expect(one["snapshot"] == ["epoch": 2, "version": 41])
            let other = try await plane.send("GET", "/v1/usage/records/\(first)")
            #expect(other["code"] == "model_not_allowed" && other["outcome"] == "refused" && other["model"] == .null)
            let unknown = try await plane.send("GET", "/v1/usage/records/req_01arz3ndektsv4rrffq69g5fav")
            #expect(unknown.status == 404)
        }
    }
}
