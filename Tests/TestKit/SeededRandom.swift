import Glibc

/// Random numbers that can be had again: the seed is printed, and taken from `GATEHOUSE_TEST_SEED` when that is set.
package struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    package init(_ purpose: StaticString) {
        let given = getenv("GATEHOUSE_TEST_SEED").flatMap { UInt64(String(cString: $0)) }
        let seed = given ?? UInt64.random(in: 0...UInt64(UInt32.max))
        self.state = seed
        print("\(purpose): GATEHOUSE_TEST_SEED=\(seed)")
    }

    /// Part of another one's numbers, which printed its seed.
    package init(seed: UInt64) { self.state = seed }

    /// SplitMix64.
    package mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
