import ControlPlane
import Shared
import TestKit
import Testing

struct StatementReaderTests {
    private func read(_ text: String) throws -> StatementReader.Statement { try StatementReader.read(Array(text.utf8)) }

    @Test func `our own form is read, with sums by day and model`() throws {
        let statement = try self.read(
            """
            \u{FEFF}Day,model,input_tokens,amount_usd\r
            2026-11-02,"a ""quoted"", name",5,0.1\r
            2026-11-01,gpt-4o,10,1.0000000004\r
            2026-11-01,gpt-4o,7,-0.5\r
            2026-11-01,gpt-4o,,0.0000000005\r

            """)
        #expect(statement.format == .plain)
        #expect(
            statement.lines == [
                StatementLine(day: "2026-11-01", model: "gpt-4o", inputTokens: 17, amount: NanoUSD(500_000_001)),
                StatementLine(
                    day: "2026-11-02", model: "a \"quoted\", name", inputTokens: 5, amount: NanoUSD(100_000_000)),
            ])
    }

    @Test func `exports of OpenAI's dashboard are read`() throws {
        let usage = try self.read(
            """
            start_time,end_time,start_time_iso,end_time_iso,project_id,num_model_requests,model,input_tokens,output_tokens,input_cached_tokens
            1761523200,1761523260,2025-10-27T00:00:00+00:00,2025-10-27T00:01:00+00:00,p,3.0,gpt-5,4212,1673,1280
            1761523260,1761523320,2025-10-27T00:01:00+00:00,2025-10-27T00:02:00+00:00,,,,,,
            1761523320,1761523380,,,p,1.0,gpt-5,88,27,0
            """)
        #expect(usage.format == .openAIUsage)
        #expect(
            usage.lines == [
                StatementLine(day: "2025-10-27", model: "gpt-5", requests: 4, inputTokens: 4300, outputTokens: 1700)
            ])
        let cost = try self.read(
            """
            start_time,end_time,start_time_iso,end_time_iso,amount_value,amount_currency,line_item,project_id
            1790467200,1790553600,2026-09-27T00:00:00+00:00,2026-09-28T00:00:00+00:00,,,,
            1790553600,1790640000,2026-09-28T00:00:00,2026-09-29T00:00:00,0.003835980000000000000000000000,usd,"gpt-5-nano, input",p
            1790553600,1790640000,2026-09-28T00:00:00,2026-09-29T00:00:00,0.5,usd,"gpt-5-nano, output",p
            """)
        #expect(cost.format == .openAICost)
        #expect(
            cost.lines == [StatementLine(day: "2026-09-28", model: "gpt-5-nano", amount: NanoUSD(503_835_980))])
    }

    @Test func `exports of Anthropic's console are read`() throws {
        let usage = try self.read(
            """
            usage_date_utc,model_version,api_key,workspace,usage_type,context_window,usage_input_tokens_no_cache,usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,usage_output_tokens,web_search_count
            2026-03-22,claude-sonnet-4-20250514,k,Default,standard,≤ 200k,100,20,3,4000,50,0
            """)
        #expect(usage.format == .anthropicUsage)
        #expect(
            usage.lines == [
                StatementLine(
                    day: "2026-03-22", model: "claude-sonnet-4-20250514", inputTokens: 4123, outputTokens: 50)
            ])
        let cost = try self.read(
            """
            usage_date_utc,model,workspace,api_key,usage_type,context_window,token_type,cost_usd,cost_type
            2026-08-04,Claude Haiku 4.5,Default,k,message,≤ 200k,input_no_cache,0.05,token
            2026-08-04,Claude Haiku 4.5,Default,k,message,≤ 200k,output,0.10,token
            """)
        #expect(cost.format == .anthropicCost)
        #expect(
            cost.lines == [StatementLine(day: "2026-08-04", model: "Claude Haiku 4.5", amount: NanoUSD(150_000_000))])
    }

    @Test(arguments: [
        ("", "Line 1 of the file: the header has the columns of no known form"),
        ("a,b\n1,2", "Line 1 of the file: the header"),
        ("day,model\n2026-11-01,m", "Line 1 of the file: there is no column to compare"),
        ("day,model,requests\n", "there is no usage in it"),
        ("day,model,requests\n2026-11-01,m", "Line 2 of the file: 2 fields, but the header has 3"),
        ("day,model,requests\n\n2026-11-31,m,1", "Line 2 of the file: day must be a day"),
        ("day,model,requests\n2026-11-01,,1", "Line 2 of the file: model must be the name"),
        ("day,model,requests\n2026-11-01,m,-1", "requests must be a whole number"),
        ("day,model,requests\n2026-11-01,m,1.5", "requests must be a whole number"),
        ("day,model,amount_usd\n2026-11-01,m,1e3", "amount_usd must be an amount"),
        ("day,model,amount_usd\n2026-11-01,m,1.00000000000x", "amount_usd must be an amount"),
        ("day,model,requests\n2026-11-01,\"m,1", "Line 2 of the file: a quote is not closed"),
        ("day,model,requests\n2026-11-01,\"m\"x,1", "text after a closing quote"),
        ("start_time,amount_value,amount_currency,line_item\n0,1,eur,m", "amount_currency is not usd"),
    ])
    func `what cannot be read is refused with the line`(_ text: String, _ reason: String) throws {
        let error = #expect(throws: ControlError.self) { try self.read(text) }
        #expect(error?.code == "invalid_statement")
        #expect(error?.detail.contains(reason) == true, "\(error?.detail ?? "")")
    }

    @Test func `no bytes stop it`() {
        var random = SeededRandom("statements")
        let alphabet = Array("day,model,requests\n\"\r1-02.6;\u{FF}".utf8) + [0xFF, 0]
        for _ in 0..<3000 {
            var bytes = Array("day,model,requests\n".utf8)
            for _ in 0..<Int.random(in: 0..<60, using: &random) {
                bytes.append(alphabet[Int.random(in: 0..<alphabet.count, using: &random)])
            }
            if let read = try? StatementReader.read(bytes) { #expect(!read.lines.isEmpty) }
        }
    }

    @Test func `names of invoices find our models`() {
        func id(_ number: UInt64) -> ModelID { ModelID(UUIDValue(high: 1, low: number)) }
        let names = ModelNames([
            (id(1), "gpt-4o"), (id(2), "gpt-4o-mini"), (id(3), "claude-haiku-4-5-20251001"), (id(4), "o3-2025-04-16"),
            (id(5), "o3-2025-06-01"),
        ])
        #expect(names.model(named: "gpt-4o") == id(1))
        #expect(names.model(named: "gpt-4o-2024-08-06") == id(1))
        #expect(names.model(named: "GPT-4o mini") == id(2))
        #expect(names.model(named: "Claude Haiku 4.5") == id(3))
        #expect(names.model(named: "o3-2025-06-01") == id(5))
        // Two of ours are that.
        #expect(names.model(named: "o3") == nil)
        #expect(names.model(named: "gpt-5") == nil)
    }
}
