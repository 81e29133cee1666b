import Shared

/// One row of a file, by column.
struct StatementRow {
    typealias Failure = CSVReader.Failure

    let fields: [String: String]
    let line: Int

    /// What it says; nil when that is nothing, as of a day without usage.
    func line(_ format: StatementReader.Format) throws(Failure) -> StatementLine? {
        switch format {
        case .plain:
            return StatementLine(
                day: try self.day("day"), model: try self.model("model"), requests: try self.count("requests"),
                inputTokens: try self.count("input_tokens"), outputTokens: try self.count("output_tokens"),
                amount: try self.amount("amount_usd"))
        case .openAIUsage:
            guard !self.text("model").isEmpty else { return nil }
            return StatementLine(
                day: try self.start(), model: try self.model("model"), requests: try self.count("num_model_requests"),
                inputTokens: try self.count("input_tokens"), outputTokens: try self.count("output_tokens"))
        case .openAICost:
            guard !self.text("amount_value").isEmpty else { return nil }
            guard self.text("amount_currency").lowercased() == "usd" else {
                throw Failure(line: self.line, reason: "amount_currency is not usd")
            }
            // `gpt-5-nano, input`: what a model was charged for stands behind the comma.
            let item = self.text("line_item").split(separator: ",").first.map { String($0) } ?? ""
            return StatementLine(
                day: try self.start(), model: try self.checked(item, "line_item"),
                amount: try self.amount("amount_value"))
        case .anthropicUsage:
            var input: Int64 = 0
            for column in [
                "usage_input_tokens_no_cache", "usage_input_tokens_cache_write_5m",
                "usage_input_tokens_cache_write_1h", "usage_input_tokens_cache_read",
            ] { input = input.addingSaturating(try self.count(column) ?? 0) }
            return StatementLine(
                day: try self.day("usage_date_utc"), model: try self.model("model_version"), inputTokens: input,
                outputTokens: try self.count("usage_output_tokens"))
        case .anthropicCost:
            guard !self.text("model").isEmpty else { return nil }
            return StatementLine(
                day: try self.day("usage_date_utc"), model: try self.model("model"),
                amount: try self.amount("cost_usd"))
        }
    }

    private func text(_ column: String) -> String {
        let field = self.fields[column] ?? ""
        let start = field.drop { $0 == " " }
        return String(start.reversed().drop { $0 == " " }.reversed())
    }

    private func model(_ column: String) throws(Failure) -> String { try self.checked(self.text(column), column) }

    private func checked(_ text: String, _ column: String) throws(Failure) -> String {
        guard (1...200).contains(text.unicodeScalars.count), !text.unicodeScalars.contains(where: { $0.value < 32 })
        else { throw Failure(line: self.line, reason: "\(column) must be the name of a model, of 1 to 200 characters") }
        return text
    }

    private func day(_ column: String) throws(Failure) -> String {
        let day = String(self.text(column).prefix(10))
        guard let start = Timestamp(day + "T00:00:00Z"), start.seconds >= 0 else {
            throw Failure(line: self.line, reason: "\(column) must be a day, as 2026-11-30")
        }
        return day
    }

    /// The day (UTC) of a bucket of OpenAI's.
    private func start() throws(Failure) -> String {
        if !self.text("start_time_iso").isEmpty { return try self.day("start_time_iso") }
        guard let seconds = Int64(self.text("start_time")), (0..<253_402_300_800).contains(seconds) else {
            throw Failure(line: self.line, reason: "start_time must be a Unix time in seconds")
        }
        return String(Timestamp(microseconds: seconds * 1_000_000).description.prefix(10))
    }

    /// Nil when there is no such column, or nothing in it; exports write whole numbers as `3.0` too.
    private func count(_ column: String) throws(Failure) -> Int64? {
        var text = self.text(column)
        guard !text.isEmpty else { return nil }
        if let point = text.firstIndex(of: "."), text[text.index(after: point)...].allSatisfy({ $0 == "0" }) {
            text = String(text[..<point])
        }
        guard let count = Int64(text), (0...(1 << 53)).contains(count) else {
            throw Failure(line: self.line, reason: "\(column) must be a whole number")
        }
        return count
    }

    /// Dollars with any number of places, to the nearest nano-dollar.
    private func amount(_ column: String) throws(Failure) -> NanoUSD? {
        let text = self.text(column)
        guard !text.isEmpty else { return nil }
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        let places = parts.count == 2 ? parts[1] : ""
        let kept = places.prefix(9)
        let isNegative = text.hasPrefix("-")
        guard places.utf8.allSatisfy({ (48...57).contains($0) }),
            var amount = NanoUSD(usd: kept.isEmpty ? String(parts[0]) : "\(parts[0]).\(kept)")
        else { throw Failure(line: self.line, reason: "\(column) must be an amount in decimal dollars") }
        if let next = places.dropFirst(9).first, next >= "5" {
            amount = amount.addingSaturating(NanoUSD(isNegative ? -1 : 1))
        }
        return amount
    }
}
