/// Units used by one request, disjoint: every token is counted under exactly one meter.
///
/// A provider's `prompt_tokens` that includes cached ones is split into `input` and `cachedInput`; `output` has neither
/// the reasoning nor the audio tokens, which stand under their own meters.
package struct UsageCounters: Hashable, Sendable {
    package var input: Int64 = 0
    package var cachedInput: Int64 = 0
    package var cacheWrite5m: Int64 = 0
    package var cacheWrite1h: Int64 = 0
    package var output: Int64 = 0
    package var reasoning: Int64 = 0
    package var audioInput: Int64 = 0
    package var audioOutput: Int64 = 0
    package var images: Int64 = 0
    package var requests: Int64 = 0
    package var imageInput: Int64 = 0
    package var imageOutput: Int64 = 0
    package var inputMilliseconds: Int64 = 0
    package var outputMilliseconds: Int64 = 0
    package var characters: Int64 = 0
    package var pages: Int64 = 0
    package var searches: Int64 = 0

    package init() {}

    package subscript(meter: Meter) -> Int64 {
        get {
            switch meter {
            case .input: self.input
            case .cachedInput: self.cachedInput
            case .cacheWrite5m: self.cacheWrite5m
            case .cacheWrite1h: self.cacheWrite1h
            case .output: self.output
            case .reasoning: self.reasoning
            case .audioInput: self.audioInput
            case .audioOutput: self.audioOutput
            case .image: self.images
            case .request: self.requests
            case .imageInput: self.imageInput
            case .imageOutput: self.imageOutput
            case .inputMilliseconds: self.inputMilliseconds
            case .outputMilliseconds: self.outputMilliseconds
            case .character: self.characters
            case .page: self.pages
            case .search: self.searches
            }
        }
        set {
            switch meter {
            case .input: self.input = newValue
            case .cachedInput: self.cachedInput = newValue
            case .cacheWrite5m: self.cacheWrite5m = newValue
            case .cacheWrite1h: self.cacheWrite1h = newValue
            case .output: self.output = newValue
            case .reasoning: self.reasoning = newValue
            case .audioInput: self.audioInput = newValue
            case .audioOutput: self.audioOutput = newValue
            case .image: self.images = newValue
            case .request: self.requests = newValue
            case .imageInput: self.imageInput = newValue
            case .imageOutput: self.imageOutput = newValue
            case .inputMilliseconds: self.inputMilliseconds = newValue
            case .outputMilliseconds: self.outputMilliseconds = newValue
            case .character: self.characters = newValue
            case .page: self.pages = newValue
            case .search: self.searches = newValue
            }
        }
    }

    /// All tokens of the prompt, which choose the price tier.
    package var promptTokens: Int64 {
        Self.sum(self.input, self.cachedInput, self.cacheWrite5m)
            .addingSaturating(Self.sum(self.cacheWrite1h, self.audioInput, self.imageInput))
    }

    package var outputTokens: Int64 {
        Self.sum(self.output, self.reasoning, self.audioOutput).addingSaturating(max(0, self.imageOutput))
    }

    /// Negative units count as none.
    private static func sum(_ a: Int64, _ b: Int64, _ c: Int64) -> Int64 {
        max(0, a).addingSaturating(max(0, b)).addingSaturating(max(0, c))
    }
}

extension Int64 {
    package func addingSaturating(_ other: Int64) -> Int64 {
        let (sum, overflow) = self.addingReportingOverflow(other)
        return overflow ? (other < 0 ? .min : .max) : sum
    }
}
