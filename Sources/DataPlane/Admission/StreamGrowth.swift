package import Shared

/// How much of a stream's answer is reserved, and how much text may pass before more has to be.
package struct StreamGrowth: Sendable {
    /// What is reserved.
    package private(set) var reserved: CostBound
    /// Tokens of the answer at most.
    private let most: Int64
    /// Tokens for 1024 bytes of text.
    private let perKiB: Int64
    /// Bytes of text from which on it has to be looked at again.
    package private(set) var nextLook: Int64

    /// Nothing that grows.
    package static let none = StreamGrowth()

    private init() {
        self.reserved = CostBound(prompt: 0, output: 0)
        self.most = 0
        self.perKiB = 1
        self.nextLook = .max
    }

    /// - Parameters:
    ///   - reserved: what was reserved before it began.
    ///   - most: tokens of the answer at most.
    ///   - perKiB: tokens for 1024 bytes of text.
    package init(reserved: CostBound, most: Int64, perKiB: Int64) {
        self.reserved = reserved
        self.most = most
        self.perKiB = max(1, perKiB)
        self.nextLook = .max
        self.planNextLook()
    }

    /// Tokens that are in so much text.
    private func tokens(of text: Int64) -> Int64 {
        let (product, overflow) = text.multipliedReportingOverflow(by: self.perKiB)
        return overflow ? .max : product / 1024
    }

    /// What should be reserved now that there is so much text: half as much again as was produced.
    package func next(_ text: Int64) -> CostBound {
        var next = self.reserved
        let produced = min(self.tokens(of: text), .max / 4)
        next.output = min(self.most, max(self.reserved.output, produced + max(produced / 2, Self.step)))
        return next
    }

    /// `next` was reserved.
    package mutating func grow(to next: CostBound) {
        self.reserved = next
        self.planNextLook()
    }

    /// It was not.
    ///
    /// - Returns: true when what is reserved is used up: the stream has to end.
    package mutating func stay(at text: Int64) -> Bool {
        let left = self.reserved.output - self.tokens(of: text)
        guard left > 0 else { return true }
        // An eighth of what is left, and no busy asking at the very end.
        self.nextLook = text + max(Self.leastLook, min(left, .max / 1024) * 1024 / self.perKiB / 8)
        return false
    }

    private mutating func planNextLook() {
        guard self.reserved.output < self.most else {
            self.nextLook = .max
            return
        }
        let output = min(self.reserved.output, .max / 4096)
        self.nextLook = max(1, output / 4 * 3 * 1024 / self.perKiB)
    }

    private static let step: Int64 = 256
    private static let leastLook: Int64 = 64
}
