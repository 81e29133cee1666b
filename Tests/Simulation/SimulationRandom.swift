import Shared

/// Random numbers of one seed.
struct SimulationRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { self.state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func below(_ bound: Int) -> Int { Int(self.next() % UInt64(max(1, bound))) }
    /// True once in so many times.
    mutating func chance(_ one: Int) -> Bool { self.below(one) == 0 }
    mutating func pick<Element>(_ elements: [Element]) -> Element { elements[self.below(elements.count)] }
    mutating func id<Kind: IdentifierKind>() -> Identifier<Kind> {
        Identifier(UUIDValue(high: self.next() | 1, low: self.next()))
    }
}
