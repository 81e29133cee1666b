/// Parses HTTP/1.1 request heads (RFC 9112), strictly, from bytes that grow.
///
/// Give it all bytes since the start of the head each time more arrive; it looks only at the new ones. What it accepts
/// reads the same for every conforming hop: see `HTTPFailure` for what it refuses.
package struct RequestHeadParser: ~Copyable {
    private var lines = LineReader()
    private var emptyLines = 0
    private var hasRequestLine = false

    package init() {}

    /// Makes the parser ready for the next head.
    package mutating func reset() {
        self.lines.reset()
        self.emptyLines = 0
        self.hasRequestLine = false
    }

    /// Goes on with the head at the start of `bytes`; after `complete` or `failed`, reset before the next one.
    package mutating func parse(_ bytes: Span<UInt8>, into head: inout RequestHead) -> HeadProgress {
        while true {
            switch self.lines.next(bytes) {
            case .needMore:
                return self.progress(bytes.count)
            case .failed(let failure):
                return .failed(failure)
            case .line(let line):
                guard self.lines.lineStart <= Limits.headBytes else { return .failed(.headTooLarge) }
                if line.isEmpty {
                    if self.hasRequestLine { return self.complete(bytes, &head) }
                    self.emptyLines &+= 1
                    guard self.emptyLines <= Limits.leadingEmptyLineCount else { return .failed(.requestLine) }
                } else if !self.hasRequestLine {
                    self.hasRequestLine = true
                    head.reset()
                    if let failure = head.readRequestLine(bytes, line) { return .failed(failure) }
                } else if let failure = head.fields.add(bytes, line: line, repeatable: Self.mayRepeat) {
                    return .failed(failure)
                }
            }
        }
    }

    /// Refuses what has grown too long before its end was seen.
    private func progress(_ count: Int) -> HeadProgress {
        let lineBytes = count &- self.lines.lineStart
        if !self.hasRequestLine, lineBytes > Limits.requestTargetBytes &+ Limits.methodBytes &+ 16 {
            return .failed(.targetTooLong)
        }
        return count > Limits.headBytes ? .failed(.headTooLarge) : .needMore
    }

    private static func mayRepeat(_ field: KnownField) -> Bool {
        switch field {
        case .connection, .accept, .retryAfter, .requestID, .date: true
        default: false
        }
    }

    private func complete(_ bytes: Span<UInt8>, _ head: inout RequestHead) -> HeadProgress {
        if let failure = head.readFraming(bytes) ?? head.readHost(bytes) ?? head.readExpect(bytes) {
            return .failed(failure)
        }
        return .complete(length: self.lines.lineStart)
    }
}

extension RequestHead {
    /// RFC 9112 section 6.3, with every doubtful combination refused.
    fileprivate mutating func readFraming(_ bytes: Span<UInt8>) -> HTTPFailure? {
        guard let coding = self.fields[.transferEncoding] else {
            self.framing = self.fields.contentLength.map { $0 == 0 ? .none : .length($0) } ?? .none
            return nil
        }
        if self.fields.contentLength != nil { return .lengthAndTransferEncoding }
        if self.version == .http10 || coding.isEmpty { return .transferEncoding }
        guard bytes.equals(coding, ignoringCase: "chunked") else { return .unknownTransferCoding }
        self.framing = .chunked
        return nil
    }

    private mutating func isHost(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        for index in range where !ASCIISet.host.contains(bytes[index]) { return false }
        return !range.isEmpty
    }

    /// Mutating although it changes nothing: borrowing `self` out of an `inout` copies all of it.
    fileprivate mutating func readHost(_ bytes: Span<UInt8>) -> HTTPFailure? {
        guard let host = self.fields[.host] else {
            return self.version == .http10 && self.authority == nil ? nil : .host
        }
        guard self.isHost(bytes, host) else { return .host }
        guard let authority = self.authority else { return nil }
        guard authority.count == host.count else { return .authority }
        for index in 0..<host.count {
            guard bytes[authority.lowerBound &+ index] == bytes[host.lowerBound &+ index] else { return .authority }
        }
        return nil
    }

    fileprivate mutating func readExpect(_ bytes: Span<UInt8>) -> HTTPFailure? {
        guard let expect = self.fields[.expect] else { return nil }
        guard bytes.equals(expect, ignoringCase: "100-continue") else { return .expectation }
        // RFC 9110 section 10.1.1: ignored from HTTP/1.0, pointless without a body.
        self.expectsContinue = self.version == .http11 && self.framing != .none
        return nil
    }
}
