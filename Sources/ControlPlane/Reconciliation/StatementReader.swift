package import Shared

/// What a provider says of one model on one day (UTC); nil is what it says nothing about.
package struct StatementLine: Sendable, Hashable {
    /// `2026-11-30`.
    package let day: String
    /// As the provider calls it.
    package let model: String
    package var requests: Int64?
    /// Every token of the prompt, cached or not; and every one of the answer.
    package var inputTokens: Int64?
    package var outputTokens: Int64?
    package var amount: NanoUSD?

    package init(
        day: String, model: String, requests: Int64? = nil, inputTokens: Int64? = nil, outputTokens: Int64? = nil,
        amount: NanoUSD? = nil
    ) {
        self.day = day
        self.model = model
        self.requests = requests
        self.inputTokens = inputTokens
        self.outputTokens = outputTokens
        self.amount = amount
    }
}

/// Reads the files that providers and finance departments have, by the columns of their headers.
package enum StatementReader {
    package enum Format: String, Sendable, CaseIterable {
        /// `day`, `model` and any of `requests`, `input_tokens`, `output_tokens`, `amount_usd`.
        case plain
        /// The completions usage and the cost export of OpenAI's dashboard.
        case openAIUsage = "openai_usage"
        case openAICost = "openai_cost"
        /// The usage and the cost export of Anthropic's console.
        case anthropicUsage = "anthropic_usage"
        case anthropicCost = "anthropic_cost"

        /// Columns that a file of this form has in any case.
        var columns: [String] {
            switch self {
            case .plain: ["day", "model"]
            case .openAIUsage: ["start_time", "model", "input_tokens", "output_tokens"]
            case .openAICost: ["start_time", "amount_value", "amount_currency", "line_item"]
            case .anthropicUsage: ["usage_date_utc", "model_version", "usage_output_tokens"]
            case .anthropicCost: ["usage_date_utc", "model", "cost_usd"]
            }
        }
    }

    package struct Statement: Sendable {
        package let format: Format
        /// Sums, by day and model.
        package let lines: [StatementLine]
    }

    package static let bytesLimit = 8 << 20
    package static let rowsLimit = 200_000
    package static let linesLimit = 20_000

    private static let unknownForm =
        "the header has the columns of no known form: day and model, or an export of OpenAI's or Anthropic's"
    private static let nothingToCompare =
        "there is no column to compare: requests, input_tokens, output_tokens or amount_usd"

    /// Throws what is wrong and on which line.
    package static func read(_ bytes: [UInt8]) throws(ControlError) -> Statement {
        do throws(CSVReader.Failure) {
            return try self.parse(bytes)
        } catch {
            throw ControlError(
                .invalid, "invalid_statement", "Line \(error.line) of the file: \(error.reason).", pointer: "")
        }
    }

    private static func parse(_ bytes: [UInt8]) throws(CSVReader.Failure) -> Statement {
        var reader = CSVReader(bytes)
        let header = try reader.next()?.map { $0.lowercased().filter { $0 != " " } } ?? []
        guard let format = Format.allCases.first(where: { $0.columns.allSatisfy(header.contains) }) else {
            throw .init(line: 1, reason: Self.unknownForm)
        }
        if format == .plain,
            !["requests", "input_tokens", "output_tokens", "amount_usd"].contains(where: header.contains)
        {
            throw .init(line: 1, reason: Self.nothingToCompare)
        }
        var sums: [String: StatementLine] = [:]
        var rows = 0
        while true {
            let line = reader.line
            guard let fields = try reader.next() else { break }
            rows += 1
            guard rows <= Self.rowsLimit else { throw .init(line: line, reason: "more than \(Self.rowsLimit) lines") }
            guard fields.count == header.count else {
                throw .init(line: line, reason: "\(fields.count) fields, but the header has \(header.count)")
            }
            let row = StatementRow(
                fields: Dictionary(zip(header, fields), uniquingKeysWith: { first, _ in first }), line: line)
            guard let found = try row.line(format) else { continue }
            let key = found.day + " " + found.model
            sums[key] = sums[key].map { $0.adding(found) } ?? found
            guard sums.count <= Self.linesLimit else {
                throw .init(line: line, reason: "more than \(Self.linesLimit) combinations of day and model")
            }
        }
        guard !sums.isEmpty else { throw .init(line: reader.line, reason: "there is no usage in it") }
        return Statement(format: format, lines: sums.values.sorted { ($0.day, $0.model) < ($1.day, $1.model) })
    }
}

extension StatementLine {
    fileprivate func adding(_ other: StatementLine) -> StatementLine {
        func sum(_ a: Int64?, _ b: Int64?) -> Int64? {
            guard let a, let b else { return a ?? b }
            return a.addingSaturating(b)
        }
        return StatementLine(
            day: self.day, model: self.model, requests: sum(self.requests, other.requests),
            inputTokens: sum(self.inputTokens, other.inputTokens),
            outputTokens: sum(self.outputTokens, other.outputTokens),
            amount: sum(self.amount?.amount, other.amount?.amount).map { NanoUSD($0) })
    }
}
