import Postgres
package import Shared

/// A file that a provider's usage or costs were read from.
package struct ProviderStatement: Sendable, Audited {
    package let id: ProviderStatementID
    package let provider: ProviderID
    package let format: String
    /// The first and the last day (UTC) that it has lines of.
    package let firstDay: String
    package let lastDay: String
    package let lines: Int64
    let sha256: [UInt8]
    package let createdAt: Timestamp

    init(
        id: ProviderStatementID, provider: ProviderID, _ statement: StatementReader.Statement, sha256: [UInt8],
        at time: Timestamp
    ) {
        self.id = id
        self.provider = provider
        self.format = statement.format.rawValue
        self.firstDay = statement.lines.first?.day ?? ""
        self.lastDay = statement.lines.last?.day ?? ""
        self.lines = Int64(statement.lines.count)
        self.sha256 = sha256
        self.createdAt = time
    }

    init(_ row: Row) throws {
        self.id = try row.get("id")
        self.provider = try row.get("provider_id")
        self.format = try row.get("format")
        self.firstDay = try row.get("first_day")
        self.lastDay = try row.get("last_day")
        self.lines = Int64(try row.get("lines", as: Int32.self))
        self.sha256 = try row.get("sha256")
        self.createdAt = try row.get("created_at")
    }

    package var auditState: JSONValue {
        guard case .object(var members) = self.json else { return self.json }
        members["sha256"] = .string(Hex.encode(self.sha256))
        return .object(members)
    }

    package var json: JSONValue {
        [
            "id": JSONValue(self.id), "provider": JSONValue(self.provider), "format": .string(self.format),
            "first_day": .string(self.firstDay), "last_day": .string(self.lastDay), "lines": .integer(self.lines),
            "created_at": JSONValue(self.createdAt),
        ]
    }

    private static let day = Schema.string(.length(10...10))

    package static let schema = Schema.named(
        "ProviderStatement",
        .object([
            .required("id", .id(ProviderStatementKind.self)), .required("provider", .id(ProviderKindID.self)),
            .required("format", .string(.oneOf(StatementReader.Format.allCases.map(\.rawValue)))),
            .required("first_day", Self.day.described("Days are of UTC.")), .required("last_day", Self.day),
            .required("lines", Schema.count.described("Combinations of day and model.")),
            .required("created_at", .timestamp),
        ])
    )
}

/// What a statement and the records say of one model on one day.
package struct StatementDifference: Sendable {
    package struct Figures: Sendable, Hashable {
        package var requests: Int64?
        package var inputTokens: Int64?
        package var outputTokens: Int64?
        package var amount: NanoUSD?

        /// The members of a JSON object; `null` for what is not said.
        var json: JSONValue {
            func number(_ value: Int64?) -> JSONValue { value.map { .integer($0) } ?? .null }
            return [
                "requests": number(self.requests), "input_tokens": number(self.inputTokens),
                "output_tokens": number(self.outputTokens),
                "amount_nano_usd": self.amount.map { .string(String($0.amount)) } ?? .null,
            ]
        }
    }

    package let day: String
    /// As the provider calls it; as we do where the statement has nothing.
    package let name: String
    /// Ours of that name; nil when there is none.
    package let model: ModelID?
    /// Nil when it says nothing of that day and model.
    package let statement: Figures?
    /// Nil when nothing was recorded.
    package let recorded: Figures?

    /// The statement's figures less ours, where the statement says something.
    package var difference: Figures {
        func less(_ theirs: Int64?, _ ours: Int64?) -> Int64? {
            guard self.statement != nil else { return ours.map { 0 - $0 } }
            return theirs.map { $0 - (ours ?? 0) }
        }
        return Figures(
            requests: less(self.statement?.requests, self.recorded?.requests),
            inputTokens: less(self.statement?.inputTokens, self.recorded?.inputTokens),
            outputTokens: less(self.statement?.outputTokens, self.recorded?.outputTokens),
            amount: less(self.statement?.amount?.amount, self.recorded?.amount?.amount).map { NanoUSD($0) })
    }

    package var json: JSONValue {
        [
            "day": .string(self.day), "name": .string(self.name), "model": JSONValue(self.model),
            "statement": self.statement?.json ?? .null, "recorded": self.recorded?.json ?? .null,
            "difference": self.difference.json,
        ]
    }

    private static let figures = Schema.object(
        ["requests", "input_tokens", "output_tokens"].map {
            .required($0, Schema.integer(Int64.min...Int64.max).orNull)
        } + [.required("amount_nano_usd", Schema.string(.length(1...20)).orNull)])

    package static let schema = Schema.named(
        "StatementDifference",
        .object([
            .required("day", .string(.length(10...10))), .required("name", .string(.length(1...200))),
            .required("model", Schema.id(ModelKind.self).orNull),
            .required("statement", Self.figures.orNull), .required("recorded", Self.figures.orNull),
            .required(
                "difference",
                Self.figures.described("The statement less what was recorded; null where it says nothing.")),
        ])
    )
}
