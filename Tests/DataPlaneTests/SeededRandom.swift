import Glibc

/// A small, fast, repeatable source of random numbers (Steele, Lea and Flood 2014).
struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { self.state = seed }

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var value = self.state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }

    mutating func below(_ bound: Int) -> Int { Int(self.next() % UInt64(max(bound, 1))) }
    mutating func chance(_ percent: Int) -> Bool { self.below(100) < percent }
    mutating func pick<Element>(_ elements: [Element]) -> Element { elements[self.below(elements.count)] }
}

/// The seed of this run: `GATEHOUSE_SEED`, or a random one; printed so that a failure can be repeated.
let testSeed: UInt64 = {
    var seed = UInt64.random(in: 1...UInt64.max)
    if let text = getenv("GATEHOUSE_SEED"), let given = UInt64(String(cString: text)) { seed = given }
    print("GATEHOUSE_SEED=\(seed)")
    return seed
}()

extension Array where Element == UInt8 {
    init(_ text: String) { self = Array(text.utf8) }

    var text: String { String(decoding: self, as: UTF8.self) }

    /// The array in random pieces, now and then empty ones.
    func split(with random: inout SplitMix64) -> [[UInt8]] {
        var pieces: [[UInt8]] = []
        var at = 0
        while at < self.count {
            let length = random.chance(10) ? 0 : 1 + random.below(random.chance(50) ? 4 : 64)
            let end = Swift.min(at + length, self.count)
            pieces.append(Array(self[at..<end]))
            at = end
        }
        return pieces
    }

    /// A copy with one to three random edits, mostly of the bytes a grammar cares about.
    func mutated(with random: inout SplitMix64, alphabet: [UInt8]) -> [UInt8] {
        var copy = self
        for _ in 0..<(1 + random.below(3)) {
            let byte = random.chance(70) ? random.pick(alphabet) : UInt8(truncatingIfNeeded: random.next())
            let at = random.below(copy.count + 1)
            switch random.below(4) {
            case 0: copy.insert(byte, at: at)
            case 1 where at < copy.count: copy.remove(at: at)
            case 2 where at < copy.count: copy[at] = byte
            default:
                guard copy.count > 1 else { continue }
                let from = random.below(copy.count)
                let piece = Array(copy[from..<Swift.min(from + 1 + random.below(12), copy.count)])
                copy.insert(contentsOf: piece, at: at)
            }
        }
        return copy
    }
}
