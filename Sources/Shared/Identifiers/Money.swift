/// An amount of money in nano-US-dollars (1 USD = 1,000,000,000).
///
/// The range is about 9.2 billion USD either way. Arithmetic that would leave it saturates on the expensive side or
/// returns nil; it never traps and never wraps.
package struct NanoUSD: Hashable, Comparable, Sendable, CustomStringConvertible {
    package var amount: Int64

    package init(_ amount: Int64) { self.amount = amount }

    package static let zero = NanoUSD(0)
    package static let max = NanoUSD(.max)

    package static func < (left: NanoUSD, right: NanoUSD) -> Bool { left.amount < right.amount }

    /// The sum, or the largest amount when the sum does not fit.
    package func addingSaturating(_ other: NanoUSD) -> NanoUSD {
        let (sum, overflow) = self.amount.addingReportingOverflow(other.amount)
        guard overflow else { return NanoUSD(sum) }
        return NanoUSD(other.amount < 0 ? .min : .max)
    }

    /// Decimal dollars with up to nine places and at least two, for reading: `12.50`, `0.000000125`.
    package var description: String {
        let magnitude = self.amount.magnitude
        let whole = magnitude / 1_000_000_000
        var places = String(magnitude % 1_000_000_000)
        places = String(repeating: "0", count: 9 - places.count) + places
        while places.count > 2, places.last == "0" { places.removeLast() }
        return "\(self.amount < 0 ? "-" : "")\(whole).\(places)"
    }

    /// Reads decimal dollars with at most nine places; nil for anything else or out of range.
    package init?(usd text: String) {
        var digits = Array(text.utf8)
        var negative = false
        if digits.first == UInt8(ascii: "-") {
            negative = true
            digits.removeFirst()
        }
        let parts = digits.split(separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
        guard let whole = parts.first, !whole.isEmpty, whole.count <= 10 else { return nil }
        let fraction = parts.count == 2 ? parts[1] : []
        guard parts.count == 1 || (1...9).contains(fraction.count) else { return nil }
        // Counted downwards, where there is room for one more.
        var value: Int64 = 0
        for digit in whole + fraction {
            guard digit >= UInt8(ascii: "0"), digit <= UInt8(ascii: "9") else { return nil }
            let (product, overflowed) = value.multipliedReportingOverflow(by: 10)
            let (sum, carried) = product.subtractingReportingOverflow(Int64(digit - UInt8(ascii: "0")))
            guard !overflowed, !carried else { return nil }
            value = sum
        }
        for _ in fraction.count..<9 {
            let (product, overflowed) = value.multipliedReportingOverflow(by: 10)
            guard !overflowed else { return nil }
            value = product
        }
        guard negative || value != .min else { return nil }
        self.amount = negative ? value : -value
    }
}
