import DataPlane
import Shared
import Testing

/// Figures by model: what is counted, and that nobody can make them grow without end.
@Suite struct ModelTableTests {
    private func record(_ model: ModelID, outcome: RequestOutcome = .completed, output: Int64 = 11) -> UsageRecord {
        var record = UsageRecord(
            request: TimeSource.system.newID(), key: TimeSource.system.newID(), project: TimeSource.system.newID())
        record.model = model
        record.outcome = outcome
        record.isStream = true
        record.durationMicroseconds = 1_030_000
        record.firstByteMicroseconds = 30_000
        record.cost = NanoUSD(7)
        record.counters.input = 100
        record.counters.output = output
        return record
    }

    @Test func `a model's requests are counted by kind and outcome`() {
        var table = ModelTable()
        let model: ModelID = TimeSource.system.newID()
        var asked = 0
        func add(_ record: UsageRecord, _ kind: GenAIOperation) {
            table.add(record, kind, upstreamMicroseconds: 20_000) {
                asked += 1
                return ("m", "openai")
            }
        }
        add(self.record(model), .chat)
        add(self.record(model), .chat)
        add(self.record(model), .embeddings)
        add(self.record(model, outcome: .upstreamFailed), .chat)
        #expect(asked == 3 && table.all.count == 3)
        let chat = table.all[0]
        #expect(chat.durations.count == 2 && chat.durations.sum == 2_060_000 && chat.cost == 14)
        #expect(chat.firstChunks.sum == 40_000)
        // A second for the ten tokens after the first.
        #expect(chat.outputTokenTimes.sum == 200_000)
        #expect(chat.inputTokens.sum == 200 && chat.outputTokens.sum == 22)
        let failed = table.all[2]
        #expect(failed.durations.count == 1 && failed.outputTokens.count == 0)
    }

    @Test func `a bound is no measurement, and one token has no time between two`() {
        var table = ModelTable()
        var estimate = self.record(TimeSource.system.newID())
        estimate.isEstimate = true
        table.add(estimate, .chat, upstreamMicroseconds: 1) { ("m", "openai") }
        table.add(self.record(TimeSource.system.newID(), output: 1), .chat, upstreamMicroseconds: 1) { ("n", "openai") }
        #expect(table.all[0].inputTokens.count == 0 && table.all[0].outputTokenTimes.count == 0)
        #expect(table.all[1].inputTokens.count == 1 && table.all[1].outputTokenTimes.count == 0)
    }

    @Test func `models beyond the bound share a series, and the others go on`() {
        var table = ModelTable()
        let models = (0..<ModelTable.limit + 500).map { _ in TimeSource.system.newID(ModelKind.self) }
        for _ in 0..<3 {
            for model in models { table.add(self.record(model), .chat, upstreamMicroseconds: 1) { ("\(model)", "x") } }
        }
        #expect(table.all.count == ModelTable.limit + 1)
        #expect(table.all[..<ModelTable.limit].allSatisfy { $0.durations.count == 3 })
        let other = table.all[ModelTable.limit]
        #expect(other.series.model == nil && other.durations.count == 1500)

        var sum = ModelTable()
        sum.merge(table)
        sum.merge(table)
        #expect(sum.all.count == ModelTable.limit + 1)
        #expect(sum.all.reduce(0) { $0 + $1.durations.count } == 2 * 3 * models.count)
    }

    @Test func `a name that somebody chose stays one label`() {
        var table = ModelTable()
        table.add(self.record(TimeSource.system.newID()), .chat, upstreamMicroseconds: 1) {
            ("a\"} 1\nforged{x=\"\\", "openai")
        }
        var metrics = MetricsText()
        GenAIMetrics.render(table, to: &metrics)
        #expect(metrics.text.contains(#"gen_ai_request_model="a\"} 1\nforged{x=\"\\""#))
        #expect(!metrics.text.split(separator: "\n").contains { $0.hasPrefix("forged") })
    }
}

@Suite struct LoopLagTests {
    @Test func `the greatest delay is told for a window and the next`() {
        let second: UInt64 = 1_000_000_000
        var now: UInt64 = 100 * second
        var lag = LoopLag(uptime: now)
        #expect(lag.greatest == 0)
        now += LoopLag.interval + 40_000_000
        lag.look(uptime: now)
        #expect(lag.greatest == 40_000_000)
        func look(forSeconds seconds: UInt64) {
            let end = now + seconds * second
            while now < end {
                now += LoopLag.interval
                lag.look(uptime: now)
            }
        }
        look(forSeconds: 16)
        #expect(lag.greatest == 40_000_000)
        look(forSeconds: 16)
        #expect(lag.greatest == 0)
    }
}

@Suite struct DistributionTests {
    @Test func `a value counts up to its bound`() {
        var values = Distribution([10, 20])
        for value in [-1, 0, 10, 11, 20, 21, Int64.max, Int64.max] as [Int64] { values.add(value) }
        #expect(values.counts == [3, 2, 3] && values.count == 8 && values.sum == .max)
        var text = MetricsText()
        text.distribution("x", [("a", "b")], Distribution([1_500_000])) { MetricsText.seconds($0) }
        #expect(text.text.contains(#"x_bucket{a="b",le="1.5"} 0"#))
    }
}
