/// What refused a request, or ended it: so that anybody can be told afterwards.
package struct UsageRefusal: Hashable, Sendable {
    /// At which level of the scope tree.
    package var level: BudgetLevel
    /// The budget, the rate limit or the key: the record's code says which.
    package var rule: UUIDValue
    /// What was left, in nano-USD of a budget, in units of a rate limit; 0 where that says nothing.
    package var left: Int64
    /// What was wanted of it, likewise.
    package var needed: Int64

    package init(level: BudgetLevel, rule: UUIDValue, left: Int64 = 0, needed: Int64 = 0) {
        self.level = level
        self.rule = rule
        self.left = left
        self.needed = needed
    }
}

extension UsageRefusal: WireMessage {
    package init(from reader: inout WireReader) throws(WireError) {
        var level: BudgetLevel?
        var rule: BudgetID?
        var left: Int64 = 0
        var needed: Int64 = 0
        while let field = try reader.next() {
            switch field {
            case 1: level = try reader.enumeration("usage.refusal.level")
            case 2: rule = try reader.identifier("usage.refusal.rule")
            case 3: left = try reader.int64()
            case 4: needed = try reader.int64()
            default: try reader.skip()
            }
        }
        guard let level else { throw .missing("usage.refusal.level") }
        guard let rule else { throw .missing("usage.refusal.rule") }
        guard left >= 0, needed >= 0 else { throw .invalid("usage.refusal") }
        self.init(level: level, rule: rule.value, left: left, needed: needed)
    }

    package func write(to writer: inout WireWriter) {
        writer.enumeration(1, self.level)
        writer.bytes(2, self.rule.bytes)
        writer.int64(3, self.left)
        writer.int64(4, self.needed)
    }
}
