import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct ReportTests {
    /// The sums of a report that the records themselves make: by start of the bucket, status and key.
    private func expected(
        _ fixture: ReportFixture, _ bucket: String, _ zone: String, from: Timestamp, to: Timestamp
    ) async throws -> [String] {
        try await fixture.fleet.plane.database.database.transaction(.readOnly) { tx in
            try tx.query(
                """
                select case when $1 = 'hour' then date_trunc('hour', started_at, $2) else first.at end as at, key_id,
                    status, count(*) as n, sum(input)::bigint as input, sum(cost_nano_usd)::bigint as cost
                from usage_event e left join (
                    -- The first quarter of an hour in which clocks of the zone show a month or a day.
                    select date_trunc($1::text, t at time zone $2::text) as local, min(t) as at
                    from generate_series(date_trunc('day', $3::timestamptz, 'UTC') - interval '40 days',
                        $4::timestamptz, '15 minutes') t group by 1) first
                    on first.local = date_trunc($1::text, e.started_at at time zone $2)
                where started_at >= $3 and started_at < $4 group by 1, 2, 3
                """, bucket, zone, from, to
            ).map { row in
                let at = max(try row.get("at", as: Timestamp.self), from)
                let numbers = [
                    Int64(try row.get("status", as: Int32.self)), try row.get("n"), try row.get("input"),
                    try row.get("cost"),
                ]
                return "\(at) \(try row.get("key_id", as: VirtualKeyID.self)) \(numbers)"
            }.sorted()
        }
    }

    private func found(_ items: [JSONValue]) -> [String] {
        items.map { item in
            let numbers = [
                item["status"]?.integer ?? -1, item["requests"]?.integer ?? -1,
                item["units"]?["input"]?.integer ?? -1, Int64(item["amount_nano_usd"]?.string ?? "") ?? -1,
            ]
            return "\(item["from"]?.string ?? "") \(item["key"]?.string ?? "") \(numbers)"
        }.sorted()
    }

    @Test func `reports are what the records make, in any zone and over the ends of summer`() async throws {
        var random = SeededRandom("reports")
        try await ReportFixture.with { fixture in
            // Nine days around the last Sunday of October 2026, when clocks in Europe are put back.
            let range: Range<Int64> = 1_792_540_800..<1_793_318_400
            try await fixture.store(fixture.random(1500, range, &random))
            for zone in ["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns", "Pacific/Kiritimati"] {
                for bucket in ["hour", "day", "month"] {
                    let from = range.lowerBound + Int64.random(in: 0..<600, using: &random) * 60
                    let to = range.upperBound - Int64.random(in: 0..<600, using: &random) * 60
                    let (start, end) = (
                        Timestamp(microseconds: from * 1_000_000), Timestamp(microseconds: to * 1_000_000)
                    )
                    let query =
                        "group_by=status,key&bucket=\(bucket)&time_zone=\(zone)&from=\(start)&to=\(end)&limit=200"
                    let expected = try await self.expected(fixture, bucket, zone, from: start, to: end)
                    #expect(!expected.isEmpty)
                    #expect(self.found(try await fixture.all(query)) == expected, "\(query)")
                }
            }
        }
    }

    @Test(arguments: [
        // Autumn in America; spring in the south, where Chatham is off by three quarters of an hour; a day that began at
        // one; half an hour of summer time; spring in America.
        ("2026-11-01T12:00:00Z", ["America/Los_Angeles", "America/Havana", "Asia/Tokyo"]),
        ("2026-09-26T14:00:00Z", ["Pacific/Auckland", "Pacific/Chatham", "Asia/Kathmandu"]),
        ("2026-09-06T04:00:00Z", ["America/Santiago", "Pacific/Auckland"]),
        ("2026-10-03T15:30:00Z", ["Australia/Lord_Howe", "Asia/Tokyo", "Pacific/Pago_Pago"]),
        ("2026-03-08T10:00:00Z", ["America/Los_Angeles", "Pacific/Kiritimati", "Asia/Kolkata"]),
    ])
    func `days are those of the zone where its clock changes`(_ change: String, _ zones: [String]) async throws {
        var random = SeededRandom("reports where clocks change")
        try await ReportFixture.with { fixture in
            let middle = try #require(Timestamp(change)).seconds
            let range = middle - 14 * 86_400..<middle + 14 * 86_400
            try await fixture.store(fixture.random(1200, range, &random))
            for zone in zones {
                for bucket in ["day", "month"] {
                    // Read in several parts, with more segments than are queries of their own.
                    let from = range.lowerBound / 60 * 60 + Int64.random(in: 0..<1440, using: &random) * 60
                    let to = range.upperBound / 60 * 60 - Int64.random(in: 0..<1440, using: &random) * 60
                    let (start, end) = (
                        Timestamp(microseconds: from * 1_000_000), Timestamp(microseconds: to * 1_000_000)
                    )
                    let query =
                        "group_by=status,key&bucket=\(bucket)&time_zone=\(zone)&from=\(start)&to=\(end)&limit=25"
                    let expected = try await self.expected(fixture, bucket, zone, from: start, to: end)
                    #expect(!expected.isEmpty)
                    #expect(self.found(try await fixture.all(query)) == expected, "\(query)")
                }
            }
        }
    }

    @Test func `every filter narrows, every grouping divides the same total`() async throws {
        var random = SeededRandom("report filters")
        try await ReportFixture.with { fixture in
            let range: Range<Int64> = 1_792_540_800..<1_792_800_000
            try await fixture.store(fixture.random(400, range, &random))
            let period = "from=2026-10-20T00:00:00Z&to=2026-10-30T00:00:00Z"
            func total(_ items: [JSONValue]) -> Int64 { items.reduce(0) { $0 + ($1["requests"]?.integer ?? 0) } }
            #expect(total(try await fixture.all(period)) == 400)
            // Sets of tags are no filter: see TagReportTests.
            for group in ReportDimension.allCases where group != .tags {
                let name = group.rawValue
                let items = try await fixture.all("group_by=\(name)&\(period)&limit=1")
                #expect(total(items) == 400, "\(name)")
                for item in items {
                    guard let value = item[name], !value.isNull else { continue }
                    let text = value.string ?? value.integer.map { "\($0)" } ?? ""
                    // A unit with all that is under it is more than what is in it itself.
                    let narrowed = total(try await fixture.all("\(name)=\(text)&\(period)"))
                    #expect(narrowed == item["requests"]?.integer, "\(name)=\(text)")
                }
            }
        }
    }

    @Test func `usage is grouped by unit at any depth`() async throws {
        try await ReportFixture.with { fixture in
            let at = try #require(Timestamp("2026-11-02T10:00:00Z"))
            try await fixture.store([
                fixture.record(0, at: at), fixture.record(0, at: at), fixture.record(1, at: at),
            ])
            let period = "from=2026-11-01&to=2026-11-03"
            for (query, unit) in [("", fixture.team), ("&unit_depth=1", fixture.department)] {
                let items = try await fixture.all("group_by=unit&\(period)\(query)")
                #expect(items.count == 2)
                #expect(items.first { $0["unit"]?.string == unit }?["requests"] == 2)
                #expect(items.first { $0["unit"] == .null }?["requests"] == 1)
            }
            for unit in [fixture.team, fixture.department] {
                #expect(try await fixture.all("unit=\(unit)&\(period)").first?["requests"] == 2)
            }
            #expect(try await fixture.all("unit=unit_00000000000000000000000001&\(period)").isEmpty)
        }
    }

    @Test func `a day of the time zone can be named`() async throws {
        try await ReportFixture.with { fixture in
            let times = [
                "2026-10-24T21:59:59Z", "2026-10-24T22:00:00Z", "2026-10-25T22:59:59Z", "2026-10-25T23:00:00Z",
            ]
            try await fixture.store(try times.map { fixture.record(0, at: try #require(Timestamp($0))) })
            let day = try await fixture.get("time_zone=Europe/Berlin&from=2026-10-25&to=2026-10-26&bucket=day")
            #expect(day["items"]?.array?.count == 1)
            let item = day["items"]?.array?.first
            #expect(item?["requests"] == 2)
            #expect(item?["from"] == "2026-10-24T22:00:00.000000Z")
            #expect(item?["to"] == "2026-10-25T23:00:00.000000Z")
            // The hour that is there twice is two hours.
            let hours = try await fixture.all("time_zone=Europe/Berlin&from=2026-10-24&to=2026-10-27&bucket=hour")
            #expect(hours.count == 4)
        }
    }

    @Test(arguments: [
        ("time_zone=Mars/Olympus", "invalid_time_zone"), ("time_zone=CEST", "invalid_time_zone"),
        ("time_zone=%2B02:00", "invalid_time_zone"), ("time_zone=posix/Europe/Berlin", "invalid_time_zone"),
        ("group_by=day", "invalid_parameter"), ("group_by=tag", "invalid_parameter"),
        ("group_by=key,,model", "invalid_parameter"), ("bucket=week", "invalid_parameter"),
        ("from=2026-11-02&to=2026-11-01", "invalid_parameter"), ("from=2026-02-30", "invalid_parameter"),
        ("from=2026-11-02T10:00:30Z", "invalid_parameter"), ("from=yesterday!", "invalid_parameter"),
        ("bucket=minute&from=2026-11-01&to=2026-11-05", "too_many_buckets"), ("format=xml", "invalid_parameter"),
        ("cursor=AAAA", "invalid_cursor"), ("limit=10001", "invalid_parameter"), ("status=abc", "invalid_parameter"),
        ("outcome=fine", "invalid_parameter"), ("key=org_1", "invalid_parameter"),
    ])
    func `what cannot be is refused and says what`(_ query: String, _ code: String) async throws {
        try await TestControlPlane.with { plane in
            let reply = try await plane.send("GET", "/v1/usage?\(query)")
            #expect(reply.status == 400, "\(query)")
            #expect(reply.code == code, "\(query): \(reply.json.text)")
            #expect(
                reply["pointer"]?.string == query.split(separator: "=").first.map(String.init) || query.contains("&"))
        }
    }

    @Test func `names that look like formulas are text in CSV`() async throws {
        try await ReportFixture.with { fixture in
            try await fixture.store([fixture.record(0, at: try #require(Timestamp("2026-11-02T10:00:00Z")))])
            let query = "/v1/usage?group_by=unit,project,key&from=2026-11-01&to=2026-11-03"
            var request = APIRequest(
                "GET", query, headers: ["authorization": "Bearer \(fixture.fleet.plane.root)", "accept": "text/csv"])
            let reply = try await fixture.fleet.plane.send(request)
            #expect(reply.response.header("content-type")?.hasPrefix("text/csv") == true)
            let lines = String(decoding: reply.response.body, as: UTF8.self).split(separator: "\r\n")
            #expect(lines.first?.hasPrefix("from,to,unit,unit_name,project,project_name,key,key_name,requests") == true)
            #expect(lines.count == 2)
            #expect(
                lines.last?.contains("\"Team, \"\"A\"\"\",\(fixture.projects[0]),'-2+3,\(fixture.keys[0]),'@key,1,0,0,")
                    == true)
            #expect(lines.last?.hasSuffix(",1000,0.000001,0") == true)
            request.target += "&unit_depth=1"
            let department = String(decoding: try await fixture.fleet.plane.send(request).response.body, as: UTF8.self)
            #expect(department.contains(",'=cmd|' /C calc'!A0,"))
        }
    }

    @Test func `FOCUS has its mandatory columns, and all the money`() async throws {
        var random = SeededRandom("focus")
        try await ReportFixture.with { fixture in
            let range: Range<Int64> = 1_792_540_800..<1_793_600_000
            let records = fixture.random(200, range, &random)
            try await fixture.store(records)
            let reply = try await fixture.get(
                "format=focus&group_by=key,gateway&time_zone=Europe/Berlin&from=2026-10-20&to=2026-11-10")
            #expect(reply.status == 200)
            let lines = String(decoding: reply.response.body, as: UTF8.self).split(separator: "\r\n").map {
                $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
            }
            let header = try #require(lines.first)
            // Mandatory in FOCUS 1.2.
            for column in [
                "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd",
                "BillingPeriodStart", "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargePeriodEnd",
                "ChargePeriodStart", "ContractedCost", "EffectiveCost", "InvoiceIssuerName", "ListCost",
                "PricingQuantity", "PricingUnit", "ProviderName", "PublisherName", "ServiceCategory", "ServiceName",
            ] {
                #expect(header.contains(column), "\(column)")
            }
            func column(_ name: String) throws -> [String] {
                let index = try #require(header.firstIndex(of: name))
                return lines.dropFirst().map { $0[index] }
            }
            let cost = try column("BilledCost").reduce(Int64(0)) { $0 + (NanoUSD(usd: $1)?.amount ?? .min / 4) }
            #expect(cost == records.reduce(0) { $0 + $1.cost.amount })
            let quantity = try column("ConsumedQuantity").reduce(Int64(0)) { $0 + (Int64($1) ?? .min / 4) }
            let tokens = records.filter { $0.model != nil }.map { $0.counters.promptTokens + $0.counters.outputTokens }
            #expect(quantity == tokens.reduce(0, +))
            #expect(
                Set(try column("BillingPeriodStart")).isSubset(of: ["2026-09-30T22:00:00Z", "2026-10-31T23:00:00Z"]))
            #expect(Set(try column("ServiceCategory")) == ["AI and Machine Learning"])
            #expect(try column("ChargePeriodStart").allSatisfy { $0.hasSuffix(":00:00Z") })
            #expect(Set(try column("ProviderName")) == ["mocked"])
            let keys = Set(try column("ResourceId"))
            #expect(keys == Set(fixture.keys.map(\.description)))
        }
    }
}
