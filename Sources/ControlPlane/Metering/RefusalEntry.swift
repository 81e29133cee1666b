import Postgres
import Shared

/// What refused a request, or ended it, as the API tells it.
struct RefusalEntry {
    let level: BudgetLevel
    /// The budget, the rate limit or the key.
    let id: String
    /// Nano-USD of a budget, units of a rate limit; nil where that says nothing.
    let left: Int64?
    let needed: Int64?

    /// Of a row of `usage_event`; nil where no single rule refused.
    init?(_ row: Row) throws {
        guard let number = try row.optional("refused_level", as: Int64.self),
            let level = BudgetLevel(rawValue: UInt8(clamping: number)),
            let rule = try row.optional("refused_by", as: SQLUUID.self)
        else { return nil }
        let value = UUIDValue(high: rule.high, low: rule.low)
        let code: String = try row.get("code")
        self.level = level
        if Self.budgetCodes.contains(code) {
            self.id = BudgetID(value).description
        } else if Self.limitCodes.contains(code) {
            self.id = RateLimitID(value).description
        } else {
            self.id = VirtualKeyID(value).description
        }
        let counts = Self.counting.contains(code)
        self.left = counts ? try row.optional("refused_left") : nil
        self.needed = counts ? try row.optional("refused_needed") : nil
    }

    private static let budgetCodes: Set<String> = ["budget_exceeded", "budget_unavailable", "cost_unbounded"]
    private static let limitCodes: Set<String> = [
        "rate_limit_exceeded", "rate_limit_unavailable", "request_exceeds_rate_limit",
    ]
    /// Those that say how much there was.
    private static let counting: Set<String> = ["budget_exceeded", "rate_limit_exceeded"]

    static let schema = Schema.object([
        .required("level", .choice("organization", "unit", "project", "user", "key", "tag")),
        .required("id", .id(BudgetKind.self, RateLimitKind.self, VirtualKeyKind.self)),
        .required(
            "left", Schema.decimal.orNull.described("That there was: nano-USD of a budget, units of a rate limit.")),
        .required("needed", Schema.decimal.orNull.described("That the request would have reserved, likewise.")),
    ])

    var json: JSONValue {
        [
            "level": .string(self.level.name.description), "id": .string(self.id),
            "left": self.left.map { .string(String($0)) } ?? .null,
            "needed": self.needed.map { .string(String($0)) } ?? .null,
        ]
    }
}
