/// What a price is charged for.
///
/// Numbers are part of the wire format: append only.
package enum Meter: UInt8, CaseIterable, Sendable {
    case input = 1
    case cachedInput = 2
    case cacheWrite5m = 3
    case cacheWrite1h = 4
    case output = 5
    case reasoning = 6
    case audioInput = 7
    case audioOutput = 8
    case image = 9
    case request = 10

    /// The numbers of all cases: what a loop on the request path goes over without an array of cases.
    package static let numbers: ClosedRange<UInt8> = 1...10

    /// The name in the API and in SQL.
    package var name: String {
        switch self {
        case .input: "input"
        case .cachedInput: "cached_input"
        case .cacheWrite5m: "cache_write_5m"
        case .cacheWrite1h: "cache_write_1h"
        case .output: "output"
        case .reasoning: "reasoning"
        case .audioInput: "audio_input"
        case .audioOutput: "audio_output"
        case .image: "image"
        case .request: "request"
        }
    }

    package init?(name: String) {
        guard let meter = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = meter
    }

    /// The meter whose price applies when this one has none: a cached token never costs less than nothing said,
    /// nor more than the book says of its kind.
    package var fallback: Meter? {
        switch self {
        case .cachedInput, .cacheWrite5m, .audioInput: .input
        case .cacheWrite1h: .cacheWrite5m
        case .reasoning, .audioOutput: .output
        case .input, .output, .image, .request: nil
        }
    }
}

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
            }
        }
    }

    /// All tokens of the prompt, which choose the price tier.
    package var promptTokens: Int64 {
        Self.sum(self.input, self.cachedInput, self.cacheWrite5m)
            .addingSaturating(Self.sum(self.cacheWrite1h, self.audioInput, 0))
    }

    package var outputTokens: Int64 {
        Self.sum(self.output, self.reasoning, self.audioOutput)
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
