/// Says which of the bytes after a head are the body, for every framing (RFC 9112 sections 6 and 7).
///
/// Chunk extensions and trailers are checked, bounded and dropped. Bytes are never copied: the caller is told ranges.
package struct BodyDecoder: ~Copyable {
    package enum Step: Equatable, Sendable {
        /// These bytes of the span are body.
        case body(Range<Int>)
        /// The span is used up and the body goes on.
        case needMore
        /// The body is complete; what follows belongs to the next message.
        case complete
        case failed(HTTPFailure)
    }

    private enum State: UInt8 {
        case length, untilClose
        case size, afterSize, sizeLF, data, dataCR, dataLF
        case trailerStart, trailerName, trailerValue, trailerLF, endLF
        case done
    }

    private var state = State.done
    /// Bytes of the body, or of the current chunk, still to come.
    private var remaining = 0
    private var sizeDigits = 0
    private var extensionBytes = 0
    private var trailerBytes = 0
    private var limit = 0
    private var failure: HTTPFailure?
    /// Body bytes told so far.
    package private(set) var bodyBytes = 0

    package init() {}

    /// Begins a body of at most `limit` bytes; a declared length beyond it fails at once.
    package mutating func reset(_ framing: BodyFraming, limit: Int) {
        self.remaining = 0
        self.sizeDigits = 0
        self.extensionBytes = 0
        self.trailerBytes = 0
        self.bodyBytes = 0
        self.limit = limit
        self.failure = nil
        switch framing {
        case .none: self.state = .done
        case .chunked: self.state = .size
        case .untilClose: self.state = .untilClose
        case .length(let length):
            self.state = length > 0 ? .length : .done
            self.remaining = length
            if length > limit { self.failure = .bodyTooLarge }
        }
    }

    /// Whether the body is complete without another byte.
    package var isComplete: Bool { self.state == .done && self.failure == nil }

    /// Says that the connection was closed; nil when that is a proper end of this body.
    package func closed() -> HTTPFailure? {
        self.failure ?? (self.state == .done || self.state == .untilClose ? nil : .closedEarly)
    }

    /// Goes on at `index`, which is moved past what was used; call until it answers other than `body`.
    package mutating func next(_ bytes: Span<UInt8>, _ index: inout Int) -> Step {
        if let failure = self.failure { return .failed(failure) }
        while true {
            switch self.state {
            case .done:
                return .complete
            case .length, .data, .untilClose:
                guard index < bytes.count else { return .needMore }
                return self.takeBody(bytes.count, &index)
            default:
                guard index < bytes.count else { return .needMore }
                if let failure = self.takeFraming(bytes[index]) {
                    self.failure = failure
                    return .failed(failure)
                }
                index &+= 1
            }
        }
    }

    private mutating func takeBody(_ count: Int, _ index: inout Int) -> Step {
        var length = count &- index
        if self.state != .untilClose {
            length = min(length, self.remaining)
            self.remaining &-= length
            if self.remaining == 0 { self.state = self.state == .data ? .dataCR : .done }
        }
        guard length <= self.limit &- self.bodyBytes else {
            self.failure = .bodyTooLarge
            return .failed(.bodyTooLarge)
        }
        self.bodyBytes &+= length
        let range = index..<index &+ length
        index &+= length
        return .body(range)
    }

    /// Takes one byte that is not body.
    private mutating func takeFraming(_ byte: UInt8) -> HTTPFailure? {
        switch self.state {
        case .size: return self.takeSize(byte)
        case .afterSize: return self.takeExtension(byte)
        case .sizeLF:
            guard byte == 0x0A else { return .chunkSize }
            return self.beginChunk()
        case .dataCR: return self.expect(byte, 0x0D, .dataLF, .chunkSize)
        case .dataLF: return self.expect(byte, 0x0A, .size, .chunkSize)
        case .trailerLF: return self.countTrailer() ?? self.expect(byte, 0x0A, .trailerStart, .trailer)
        case .endLF: return self.expect(byte, 0x0A, .done, .trailer)
        case .trailerStart, .trailerName, .trailerValue: return self.takeTrailer(byte)
        case .length, .untilClose, .data, .done: return nil
        }
    }

    private mutating func expect(_ byte: UInt8, _ wanted: UInt8, _ next: State, _ failure: HTTPFailure) -> HTTPFailure?
    {
        guard byte == wanted else { return failure }
        self.state = next
        return nil
    }

    private mutating func takeSize(_ byte: UInt8) -> HTTPFailure? {
        if let digit = JSONText.hexadecimal(byte) {
            guard self.sizeDigits < Limits.chunkSizeDigitCount else { return .chunkSize }
            self.sizeDigits &+= 1
            self.remaining = self.remaining &<< 4 | Int(digit)
            return nil
        }
        guard self.sizeDigits > 0 else { return .chunkSize }
        return self.takeExtension(byte)
    }

    /// After the size: `CR LF`, or an extension, which must begin with `;` and hold no control characters.
    private mutating func takeExtension(_ byte: UInt8) -> HTTPFailure? {
        if byte == 0x0D {
            self.state = .sizeLF
            return nil
        }
        let begins = self.state == .size
        guard begins ? byte == 0x3B : (byte >= 0x20 && byte != 0x7F) || byte == 0x09 else {
            return begins ? .chunkSize : .chunkExtension
        }
        self.state = .afterSize
        self.extensionBytes &+= 1
        return self.extensionBytes > Limits.chunkExtensionBytes ? .chunkExtension : nil
    }

    private mutating func beginChunk() -> HTTPFailure? {
        self.sizeDigits = 0
        if self.remaining == 0 {
            self.state = .trailerStart
            return nil
        }
        self.state = .data
        return self.remaining > self.limit &- self.bodyBytes ? .bodyTooLarge : nil
    }

    private mutating func countTrailer() -> HTTPFailure? {
        self.trailerBytes &+= 1
        return self.trailerBytes > Limits.trailerBytes ? .trailer : nil
    }

    private mutating func takeTrailer(_ byte: UInt8) -> HTTPFailure? {
        if self.state == .trailerStart, byte == 0x0D {
            self.state = .endLF
            return nil
        }
        if let failure = self.countTrailer() { return failure }
        if self.state == .trailerValue {
            if byte == 0x0D {
                self.state = .trailerLF
                return nil
            }
            return (byte >= 0x20 && byte != 0x7F) || byte == 0x09 ? nil : .trailer
        }
        if self.state == .trailerName, byte == 0x3A {
            self.state = .trailerValue
            return nil
        }
        self.state = .trailerName
        return ASCIISet.token.contains(byte) ? nil : .trailer
    }
}
