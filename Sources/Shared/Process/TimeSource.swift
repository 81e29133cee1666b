#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Where time comes from; injected everywhere, so that tests and simulations own it.
package struct TimeSource: Sendable {
    /// The wall clock.
    package let now: @Sendable () -> Timestamp
    /// Nanoseconds on a clock that never goes back and counts suspended time (CLOCK_BOOTTIME).
    package let uptime: @Sendable () -> UInt64

    package init(now: @escaping @Sendable () -> Timestamp, uptime: @escaping @Sendable () -> UInt64) {
        self.now = now
        self.uptime = uptime
    }

    package static let system = TimeSource(
        now: {
            let time = Self.read(CLOCK_REALTIME)
            return Timestamp(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
        },
        uptime: {
            let time = Self.read(CLOCK_BOOTTIME)
            return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
        }
    )

    private static func read(_ clock: clockid_t) -> timespec {
        var time = timespec()
        clock_gettime(clock, &time)
        return time
    }

    /// A new version 7 identifier at the current time.
    package func newID<Kind: IdentifierKind>(_: Kind.Type = Kind.self) -> Identifier<Kind> {
        var random = SystemRandomNumberGenerator()
        return Identifier(
            UUIDValue(
                milliseconds: UInt64(clamping: self.now().milliseconds),
                random: (random.next(), random.next())
            )
        )
    }
}
