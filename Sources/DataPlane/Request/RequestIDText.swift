package import Shared

/// The text of a request id, `req_` and 26 characters, written without an allocation.
package struct RequestIDText: Sendable {
    private var bytes = InlineArray<30, UInt8>(repeating: 0x2D)

    package init(_ id: RequestID) {
        let prefix: StaticString = "req_"
        for index in 0..<4 { self.bytes[index] = prefix.utf8Start[index] }
        let alphabet: StaticString = "0123456789abcdefghjkmnpqrstvwxyz"
        var high = id.value.high
        var low = id.value.low
        for index in stride(from: 29, through: 4, by: -1) {
            self.bytes[index] = alphabet.utf8Start[Int(low & 31)]
            low = low &>> 5 | high &<< 59
            high = high &>> 5
        }
    }

    package func withSpan<Result>(_ body: (Span<UInt8>) -> Result) -> Result { body(self.bytes.span) }
}

/// Request ids of one event loop: version 7 UUIDs from the loop's own generator.
struct RequestIDSource {
    private var state: (UInt64, UInt64)

    init() {
        var random = SystemRandomNumberGenerator()
        self.state = (random.next() | 1, random.next())
    }

    /// xoroshiro128+ (Blackman and Vigna): unique and well spread, which is all that a request id needs.
    private mutating func next() -> UInt64 {
        let result = self.state.0 &+ self.state.1
        let mixed = self.state.1 ^ self.state.0
        self.state.0 = (self.state.0 &<< 24 | self.state.0 &>> 40) ^ mixed ^ (mixed &<< 16)
        self.state.1 = mixed &<< 37 | mixed &>> 27
        return result
    }

    mutating func next(at now: Timestamp) -> RequestID {
        let first = self.next()
        return RequestID(
            UUIDValue(milliseconds: UInt64(clamping: now.milliseconds), random: (first, self.next()))
        )
    }
}
