/// Parses HTTP/1.1 response heads (RFC 9112) from bytes that grow, skipping interim ones.
///
/// As strict as the request side wherever two readings are possible; tolerant where providers differ without harm: any
/// reason phrase or none, obs-text in values, repeated fields that are only passed on.
package struct ResponseHeadParser: ~Copyable {
    private var lines = LineReader()
    private var hasStatusLine = false
    private var interim = 0
    /// The end of the interim heads skipped so far: the bounds hold for each head by itself.
    private var headStart = 0

    package init() {}

    /// Makes the parser ready for the answer to the next request.
    package mutating func reset() {
        self.lines.reset()
        self.hasStatusLine = false
        self.interim = 0
        self.headStart = 0
    }

    /// Goes on with the head at the start of `bytes`; interim heads before it count into its length.
    ///
    /// `isHead` says that the request's method was HEAD, whose answer has no body.
    package mutating func parse(_ bytes: Span<UInt8>, isHead: Bool, into head: inout ResponseHead) -> HeadProgress {
        while true {
            switch self.lines.next(bytes) {
            case .needMore:
                return self.progress(bytes.count)
            case .failed(let failure):
                return .failed(failure)
            case .line(let line):
                guard self.lines.lineStart &- self.headStart <= Limits.headBytes else { return .failed(.headTooLarge) }
                if !self.hasStatusLine {
                    self.hasStatusLine = true
                    head.reset()
                    if let failure = head.readStatusLine(bytes, line) { return .failed(failure) }
                } else if !line.isEmpty {
                    if let failure = head.fields.add(bytes, line: line, repeatable: Self.mayRepeat) {
                        return .failed(failure)
                    }
                } else if head.status >= 200 {
                    if let failure = head.readFraming(bytes, isHead: isHead) { return .failed(failure) }
                    return .complete(length: self.lines.lineStart)
                } else {
                    self.interim &+= 1
                    guard self.interim <= Limits.interimResponseCount else { return .failed(.tooManyInterim) }
                    self.hasStatusLine = false
                    self.headStart = self.lines.lineStart
                }
            }
        }
    }

    private func progress(_ count: Int) -> HeadProgress {
        if !self.hasStatusLine, count &- self.lines.lineStart > Limits.statusLineBytes { return .failed(.statusLine) }
        return count &- self.headStart > Limits.headBytes ? .failed(.headTooLarge) : .needMore
    }

    /// What decides how the answer is read must be said once.
    private static func mayRepeat(_ field: KnownField) -> Bool {
        switch field {
        case .contentLength, .transferEncoding, .contentType, .contentEncoding: false
        default: true
        }
    }
}

extension ResponseHead {
    /// Reads `HTTP/1.x SP 3DIGIT [SP reason]`; nil when it is good.
    fileprivate mutating func readStatusLine(_ bytes: Span<UInt8>, _ line: Range<Int>) -> HTTPFailure? {
        guard line.count >= 12, line.count <= Limits.statusLineBytes, bytes.hasPrefix("HTTP/1.", at: line.lowerBound),
            ByteSearch.firstControl(in: bytes, from: line.lowerBound, to: line.upperBound) == line.upperBound
        else { return .statusLine }
        let start = line.lowerBound
        switch bytes[start &+ 7] {
        case 0x31: self.version = .http11
        case 0x30: self.version = .http10
        default: return .version
        }
        guard bytes[start &+ 8] == 0x20, line.count == 12 || bytes[start &+ 12] == 0x20 else { return .statusLine }
        var status = 0
        for index in start &+ 9..<start &+ 12 {
            let digit = bytes[index] &- 0x30
            guard digit < 10 else { return .statusLine }
            status = status &* 10 &+ Int(digit)
        }
        guard status >= 100, status <= 599 else { return .status }
        guard status != 101 else { return .upgrade }
        self.status = status
        return nil
    }

    /// RFC 9112 section 6.3.
    fileprivate mutating func readFraming(_ bytes: Span<UInt8>, isHead: Bool) -> HTTPFailure? {
        let coding = self.fields[.transferEncoding]
        if let coding {
            if self.fields.contentLength != nil { return .lengthAndTransferEncoding }
            if self.version == .http10 || coding.isEmpty { return .transferEncoding }
            guard bytes.equals(coding, ignoringCase: "chunked") else { return .unknownTransferCoding }
        }
        if isHead || self.status == 204 || self.status == 304 {
            self.framing = .none
        } else if coding != nil {
            self.framing = .chunked
        } else if let length = self.fields.contentLength {
            self.framing = length == 0 ? .none : .length(length)
        } else {
            self.framing = .untilClose
        }
        return nil
    }
}
