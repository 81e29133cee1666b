/// How often each value occurred, to within 1.6 %: 64 buckets for each power of two.
package struct Histogram {
    private var counts = [Int](repeating: 0, count: 64 * 60)
    package private(set) var count = 0
    package private(set) var max: UInt64 = 0

    package init() {}

    /// One that nothing can be added to.
    package init(empty: Void) { self.counts = [] }

    package mutating func add(_ value: UInt64) {
        self.counts[Self.bucket(value)] += 1
        self.count += 1
        if value > self.max { self.max = value }
    }

    /// The value that this share (0…1) of all values does not exceed.
    package func value(at share: Double) -> UInt64 {
        let wanted = Int((share * Double(self.count)).rounded(.up))
        var seen = 0
        for (index, count) in self.counts.enumerated() {
            seen += count
            if seen >= wanted && seen > 0 { return min(Self.upperBound(index), self.max) }
        }
        return self.max
    }

    private static func bucket(_ value: UInt64) -> Int {
        guard value >= 64 else { return Int(value) }
        let power = 63 - value.leadingZeroBitCount
        return (power - 5) * 64 + Int(value >> UInt64(power - 6)) - 64
    }

    private static func upperBound(_ bucket: Int) -> UInt64 {
        guard bucket >= 64 else { return UInt64(bucket) }
        let power = bucket / 64 + 5
        return (UInt64(bucket % 64 + 65) << UInt64(power - 6)) - 1
    }

    /// Microseconds of nanosecond values, as JSON.
    package var json: String {
        func microseconds(_ value: UInt64) -> String { "\(value / 1000).\(value / 100 % 10)" }
        let shares = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999)]
        let parts = shares.map { "\"\($0.0)\":\(microseconds(self.value(at: $0.1)))" }
        return "{\(parts.joined(separator: ",")),\"max\":\(microseconds(self.max)),\"count\":\(self.count)}"
    }
}
