import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct ReconciliationTests {
    private func send(
        _ plane: TestControlPlane, _ provider: ProviderID, _ text: String
    ) async throws -> TestControlPlane.Reply {
        let request = APIRequest(
            "POST", "/v1/provider-statements?provider=\(provider)",
            headers: ["authorization": "Bearer \(plane.root)", "content-type": "text/csv"], body: Array(text.utf8))
        return try await plane.send(request)
    }

    @Test func `a statement differs from the records by day and model, and by exactly that`() async throws {
        try await ReportFixture.with { fixture in
            let plane = fixture.fleet.plane
            func at(_ text: String) throws -> Timestamp { try #require(Timestamp(text)) }
            try await fixture.store([
                fixture.record(0, at: try at("2026-11-02T00:00:00Z"), cost: 1000),
                fixture.record(1, at: try at("2026-11-02T23:59:59Z"), cost: 500),
                fixture.record(0, at: try at("2026-11-03T00:00:00Z"), cost: 70),
                fixture.record(0, at: try at("2026-11-04T12:00:00Z"), cost: 9),
                // Before and after the statement's days.
                fixture.record(0, at: try at("2026-11-01T23:59:59Z")),
                fixture.record(0, at: try at("2026-11-06T00:00:00Z")),
            ])
            let file = """
                day,model,requests,input_tokens,output_tokens,amount_usd
                2026-11-02,m-1,2,200,41,0.0000015
                2026-11-03,M 1,1,100,20,0.00000008
                2026-11-05,other,7,,,
                """
            let made = try await self.send(plane, fixture.provider, file)
            try #require(made.status == 201, "\(made.json.text)")
            #expect(made["format"] == "plain" && made["lines"] == 3)
            #expect(made["first_day"] == "2026-11-02" && made["last_day"] == "2026-11-05")
            #expect(made.receipt != nil)
            let path = "/v1/provider-statements/\(made.id)"
            let items = try #require(try await plane.send("GET", "\(path)/differences")["items"]?.array)
            #expect(items.map { $0["day"]?.string } == ["2026-11-02", "2026-11-03", "2026-11-04", "2026-11-05"])
            #expect(
                items.map { $0["difference"] } == [
                    ["requests": 0, "input_tokens": 0, "output_tokens": 1, "amount_nano_usd": "0"],
                    ["requests": 0, "input_tokens": 0, "output_tokens": 0, "amount_nano_usd": "10"],
                    ["requests": -1, "input_tokens": -100, "output_tokens": -20, "amount_nano_usd": "-9"],
                    ["requests": 7, "input_tokens": .null, "output_tokens": .null, "amount_nano_usd": .null],
                ])
            #expect(items[0]["model"]?.string == fixture.model.description && items[1]["model"] == items[0]["model"])
            #expect(items[2]["statement"] == .null && items[2]["name"] == "m-1")
            #expect(items[3]["recorded"] == .null && items[3]["model"] == .null)
            // Pages.
            let first = try await plane.send("GET", "\(path)/differences?limit=3")
            let rest = try await plane.send(
                "GET", "\(path)/differences?limit=3&cursor=\(first["next_cursor"]?.string ?? "")")
            #expect((first["items"]?.array ?? []) + (rest["items"]?.array ?? []) == items)
            #expect(rest["next_cursor"] == .null)
            #expect(try await plane.send("GET", "\(path)/differences?cursor=x").status == 400)

            // The same file again is a mistake; what was imported is listed, and can go.
            #expect(try await self.send(plane, fixture.provider, file).status == 409)
            #expect(try await plane.send("GET", "/v1/provider-statements")["items"]?.array?.count == 1)
            #expect(try await plane.send("GET", path).status == 200)
            #expect(try await plane.send("DELETE", path).status == 204)
            #expect(try await plane.send("GET", path).status == 404)
            #expect(try await plane.count("provider_statement_line") == 0)
            #expect(try await fixture.fleet.audited(.providerStatementsCreate).count == 1)
            #expect(try await fixture.fleet.audited(.providerStatementsDelete).count == 1)
        }
    }

    @Test func `a file that cannot be read stores nothing`() async throws {
        try await ReportFixture.with { fixture in
            let plane = fixture.fleet.plane
            let bad = try await self.send(plane, fixture.provider, "day,model,requests\n2026-11-02,m,x\n")
            #expect(bad.status == 400 && bad.code == "invalid_statement")
            #expect(bad["detail"]?.string?.contains("Line 2") == true)
            let stranger: ProviderID = TimeSource.system.newID()
            #expect(try await self.send(plane, stranger, "day,model,requests\n2026-11-02,m,1\n").status == 404)
            #expect(try await plane.send("POST", "/v1/provider-statements").status == 400)
            #expect(try await plane.count("provider_statement") == 0)
        }
    }
}
