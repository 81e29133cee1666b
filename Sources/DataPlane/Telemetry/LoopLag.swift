/// By how much an event loop is late: what waits on it waits at least as long.
///
/// The loop is asked to look at the clock at a steady pace; the greatest delay of the last 15 to 30 seconds is kept.
package struct LoopLag {
    /// Nanoseconds from one look to the next.
    package static let interval: UInt64 = 250_000_000
    private static let window: UInt64 = 15_000_000_000

    private var expected: UInt64
    private var windowEnd: UInt64
    private var current: UInt64 = 0
    private var previous: UInt64 = 0

    package init(uptime: UInt64) {
        self.expected = uptime + Self.interval
        self.windowEnd = uptime + Self.window
    }

    package mutating func look(uptime: UInt64) {
        if uptime > self.expected { self.current = max(self.current, uptime - self.expected) }
        self.expected = uptime + Self.interval
        guard uptime >= self.windowEnd else { return }
        self.previous = self.current
        self.current = 0
        self.windowEnd = uptime + Self.window
    }

    /// Nanoseconds.
    package var greatest: UInt64 { max(self.current, self.previous) }
}
