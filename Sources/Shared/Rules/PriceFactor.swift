/// What a whole price is multiplied by, in parts per million: 1,100,000 is a tenth more, 850,000 is 15 % off.
package struct PriceFactor: Hashable, Sendable {
    /// 0 … 100,000,000.
    package let partsPerMillion: Int64

    package static let range: ClosedRange<Int64> = 0...100_000_000
    /// Changes nothing.
    package static let one = PriceFactor(unchecked: 1_000_000)

    /// Nil out of range.
    package init?(partsPerMillion: Int64) {
        guard Self.range.contains(partsPerMillion) else { return nil }
        self.init(unchecked: partsPerMillion)
    }

    private init(unchecked partsPerMillion: Int64) { self.partsPerMillion = partsPerMillion }
}
