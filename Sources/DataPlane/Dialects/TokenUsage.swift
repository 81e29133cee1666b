/// What one answer used, as the provider counted it, in tokens.
///
/// Counts are never negative. `uncachedInput`, `cacheRead`, `cacheWrite` and `output` are disjoint: their sum is what
/// was processed. `output` is all of it, nothing taken out; `reasoning`, `audioInput` and `audioOutput` say how much of
/// the input or output is of that kind and are not to be added.
package struct TokenUsage: Equatable, Sendable {
    package var uncachedInput: Int64 = 0
    package var cacheRead: Int64 = 0
    package var cacheWrite: Int64 = 0
    package var output: Int64 = 0
    /// Part of `output`.
    package var reasoning: Int64 = 0
    /// Part of the input.
    package var audioInput: Int64 = 0
    /// Part of `output`.
    package var audioOutput: Int64 = 0
    /// What the provider's own total holds beyond all of the above; 0 when it adds up or no total was given.
    package var unattributed: Int64 = 0

    package init() {}
}

/// The counts of one OpenAI-shaped `usage` object before they are made disjoint.
///
/// `prompt_tokens` and `input_tokens` include what was read from and written to a cache.
struct ReportedUsage {
    var input: Int64 = 0
    var output: Int64 = 0
    var total: Int64?
    var cacheRead: Int64 = 0
    var cacheWrite: Int64 = 0
    var reasoning: Int64 = 0
    var audioInput: Int64 = 0
    var audioOutput: Int64 = 0

    /// The disjoint counts; nil when the numbers contradict each other.
    ///
    /// Each number has at most 18 digits, so no sum here can overflow.
    var disjoint: TokenUsage? {
        let cached = self.cacheRead + self.cacheWrite
        guard cached <= self.input, self.audioInput <= self.input else { return nil }
        var usage = TokenUsage()
        usage.uncachedInput = self.input - cached
        usage.cacheRead = self.cacheRead
        usage.cacheWrite = self.cacheWrite
        usage.audioInput = self.audioInput
        usage.reasoning = self.reasoning
        usage.output = self.output
        usage.audioOutput = self.audioOutput
        let extra = max((self.total ?? 0) - self.input - self.output, 0)
        if self.reasoning > 0, extra == self.reasoning || (self.total == nil && self.reasoning > self.output) {
            // Some providers (xAI) leave reasoning out of the completion's count.
            usage.output += self.reasoning
        } else {
            usage.unattributed = extra
            // Others (seen through OpenRouter) estimate it and come out above the count it is part of.
            usage.reasoning = min(self.reasoning, self.output)
        }
        guard usage.audioOutput <= usage.output else { return nil }
        return usage
    }
}
