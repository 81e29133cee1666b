import Shared

/// How many values were at most each of some bounds, and the sum of all: a Prometheus histogram.
///
/// Adding a value allocates nothing.
package struct Distribution: Sendable {
    /// Ascending upper bounds, in the unit of the values.
    package let bounds: [Int64]
    /// Values above the bound before and at most this one; one more for those above all.
    package private(set) var counts: [Int]
    package private(set) var sum: Int64 = 0

    package init(_ bounds: [Int64]) {
        self.bounds = bounds
        self.counts = [Int](repeating: 0, count: bounds.count + 1)
    }

    package mutating func add(_ value: Int64) {
        var index = 0
        while index < self.bounds.count && value > self.bounds[index] { index += 1 }
        self.counts[index] += 1
        self.sum = self.sum.addingSaturating(value)
    }

    /// Adds another one of the same bounds.
    package mutating func add(_ other: Distribution) {
        for index in self.counts.indices where index < other.counts.count { self.counts[index] += other.counts[index] }
        self.sum = self.sum.addingSaturating(other.sum)
    }

    package var count: Int { self.counts.reduce(0, +) }
}

/// The bounds of the gateway's histograms; times are in microseconds.
enum Bounds {
    /// Whole requests.
    static let request: [Int64] = [
        1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
        10_000_000, 30_000_000, 60_000_000, 300_000_000,
    ]
    /// What the gateway itself adds.
    static let added: [Int64] = [
        10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 50_000, 250_000, 1_000_000, 5_000_000,
    ]
    // OpenTelemetry's for generative AI:
    // https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/gen-ai/gen-ai-metrics.md
    static let operation: [Int64] = [
        10_000, 20_000, 40_000, 80_000, 160_000, 320_000, 640_000, 1_280_000, 2_560_000, 5_120_000, 10_240_000,
        20_480_000, 40_960_000, 81_920_000,
    ]
    static let firstChunk: [Int64] = [
        1000, 5000, 10_000, 20_000, 40_000, 60_000, 80_000, 100_000, 250_000, 500_000, 750_000, 1_000_000, 2_500_000,
        5_000_000, 7_500_000, 10_000_000,
    ]
    static let outputToken: [Int64] = [
        10_000, 25_000, 50_000, 75_000, 100_000, 150_000, 200_000, 300_000, 400_000, 500_000, 750_000, 1_000_000,
        2_500_000,
    ]
    static let tokens: [Int64] = [
        1, 4, 16, 64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216, 67_108_864,
    ]
}
