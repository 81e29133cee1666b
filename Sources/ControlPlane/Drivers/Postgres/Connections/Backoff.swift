/// Growing, jittered pauses between attempts.
struct Backoff: Sendable {
    private let first: Int
    private let longest: Int
    private var attempts = 0

    /// Milliseconds of the first pause's upper bound, and of the longest.
    init(first: Int = 50, longest: Int = 2_000) {
        self.first = first
        self.longest = longest
    }

    /// Between half and the whole of the current bound, which doubles each time.
    mutating func next() -> Duration {
        let bound = min(self.longest, self.first << min(self.attempts, 16))
        self.attempts += 1
        return .milliseconds(Int.random(in: bound / 2...bound))
    }

    mutating func reset() { self.attempts = 0 }
}
