/// The header fields either plane of a relay acts on.
package enum KnownField: UInt8, Sendable, CaseIterable {
    case host, contentLength, transferEncoding, connection
    case authorization, xAPIKey, apiKey
    case expect, contentType, contentEncoding, accept, userAgent
    case traceparent, gatehouseTags, xRequestID, idempotencyKey
    case retryAfter, requestID, date

    package var name: StaticString {
        switch self {
        case .host: "host"
        case .contentLength: "content-length"
        case .transferEncoding: "transfer-encoding"
        case .connection: "connection"
        case .authorization: "authorization"
        case .xAPIKey: "x-api-key"
        case .apiKey: "api-key"
        case .expect: "expect"
        case .contentType: "content-type"
        case .contentEncoding: "content-encoding"
        case .accept: "accept"
        case .userAgent: "user-agent"
        case .traceparent: "traceparent"
        case .gatehouseTags: "gatehouse-tags"
        case .xRequestID: "x-request-id"
        case .idempotencyKey: "idempotency-key"
        case .retryAfter: "retry-after"
        case .requestID: "request-id"
        case .date: "date"
        }
    }

    /// The field with this name, in any letter case.
    static func named(_ bytes: Span<UInt8>, _ range: Range<Int>) -> KnownField? {
        @inline(__always) func only(_ field: KnownField) -> KnownField? {
            bytes.equals(range, ignoringCase: field.name) ? field : nil
        }
        return switch range.count {
        case 4: only(.host) ?? only(.date)
        case 6: only(.accept) ?? only(.expect)
        case 7: only(.apiKey)
        case 9: only(.xAPIKey)
        case 10: only(.connection) ?? only(.userAgent) ?? only(.requestID)
        case 11: only(.traceparent) ?? only(.retryAfter)
        case 12: only(.contentType) ?? only(.xRequestID)
        case 13: only(.authorization)
        case 14: only(.contentLength) ?? only(.gatehouseTags)
        case 15: only(.idempotencyKey)
        case 16: only(.contentEncoding)
        case 17: only(.transferEncoding)
        default: nil
        }
    }
}

/// One field as offsets from the start of the head; the value without surrounding white space.
package struct HTTPField: BitwiseCopyable, Sendable {
    private let nameStart: UInt32
    private let nameEnd: UInt32
    private let valueStart: UInt32
    private let valueEnd: UInt32

    /// The parsers bound a head far below 4 GiB.
    init(name: Range<Int>, value: Range<Int>) {
        self.nameStart = UInt32(truncatingIfNeeded: name.lowerBound)
        self.nameEnd = UInt32(truncatingIfNeeded: name.upperBound)
        self.valueStart = UInt32(truncatingIfNeeded: value.lowerBound)
        self.valueEnd = UInt32(truncatingIfNeeded: value.upperBound)
    }

    package var name: Range<Int> { Int(self.nameStart)..<Int(max(self.nameStart, self.nameEnd)) }
    package var value: Range<Int> { Int(self.valueStart)..<Int(max(self.valueStart, self.valueEnd)) }
}

/// What the Connection field asks for (RFC 9110 section 7.6.1).
package struct ConnectionOptions: OptionSet, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }
    package static let close = ConnectionOptions(rawValue: 1)
    package static let keepAlive = ConnectionOptions(rawValue: 2)
    package static let upgrade = ConnectionOptions(rawValue: 4)
}

/// The fields of one head: all of them in order, and where those acted on are.
///
/// The rules are the same for requests and responses (RFC 9112 section 5); what differs is which fields may repeat.
package struct HTTPFields: ~Copyable {
    // An array made once: reading one element of an InlineArray this size copies all of it (Swift 6.3).
    private var fields: [HTTPField] = []
    /// One more than the position in `fields`, 0 for absent.
    private var slots = InlineArray<19, UInt8>(repeating: 0)
    package private(set) var connection: ConnectionOptions = []
    /// The Content-Length, or nil when there is none.
    package private(set) var contentLength: Int?

    init() { self.fields.reserveCapacity(Limits.fieldCount) }

    package var count: Int { self.fields.count }

    mutating func reset() {
        self.fields.removeAll(keepingCapacity: true)
        self.slots = InlineArray(repeating: 0)
        self.connection = []
        self.contentLength = nil
    }

    /// Field `index` in the order received; an empty one when there is no such field.
    package subscript(_ index: Int) -> HTTPField {
        index >= 0 && index < self.count ? self.fields[index] : HTTPField(name: 0..<0, value: 0..<0)
    }

    /// The value of a field acted on.
    package subscript(_ field: KnownField) -> Range<Int>? {
        let slot = Int(self.slots[Int(field.rawValue)])
        return slot == 0 ? nil : self.fields[slot &- 1].value
    }

    /// The position of a field acted on in the order received.
    package func index(of field: KnownField) -> Int? {
        let slot = Int(self.slots[Int(field.rawValue)])
        return slot == 0 ? nil : slot &- 1
    }

    /// Reads one field line, `line` being its bytes without CR LF; nil when it is good.
    ///
    /// `repeatable` are the known fields that may occur again; then the first stays in its slot.
    mutating func add(
        _ bytes: Span<UInt8>,
        line: Range<Int>,
        repeatable: (KnownField) -> Bool
    ) -> HTTPFailure? {
        guard let colon = self.nameEnd(bytes, line) else {
            let first = bytes[line.lowerBound]
            return first == 0x20 || first == 0x09 ? .foldedField : .fieldName
        }
        guard ByteSearch.firstControl(in: bytes, from: colon &+ 1, to: line.upperBound) == line.upperBound else {
            return .fieldValue
        }
        guard self.count < Limits.fieldCount else { return .tooManyFields }
        let name = line.lowerBound..<colon
        let value = Self.trimmed(bytes, colon &+ 1..<line.upperBound)
        self.fields.append(HTTPField(name: name, value: value))
        guard let known = KnownField.named(bytes, name) else { return nil }
        let slot = Int(known.rawValue)
        if self.slots[slot] == 0 {
            self.slots[slot] = UInt8(truncatingIfNeeded: self.count)
        } else if !repeatable(known) {
            return .duplicateField
        }
        switch known {
        case .connection:
            self.addConnection(bytes, value)
        case .contentLength:
            guard let length = Self.length(bytes, value) else { return .contentLength }
            self.contentLength = length
        default:
            break
        }
        return nil
    }

    /// The colon after a name of token characters only.
    @inline(__always)
    private func nameEnd(_ bytes: Span<UInt8>, _ line: Range<Int>) -> Int? {
        var index = line.lowerBound
        while index < line.upperBound {
            let byte = bytes[index]
            if byte == 0x3A { return index > line.lowerBound ? index : nil }
            guard ASCIISet.token.contains(byte) else { return nil }
            index &+= 1
        }
        return nil
    }

    static func trimmed(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Range<Int> {
        var start = range.lowerBound
        var end = range.upperBound
        while start < end, bytes[start] == 0x20 || bytes[start] == 0x09 { start &+= 1 }
        while end > start, bytes[end &- 1] == 0x20 || bytes[end &- 1] == 0x09 { end &-= 1 }
        return start..<end
    }

    /// Digits only, at most 18 of them: a list such as `5, 5` is refused rather than interpreted.
    private static func length(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Int? {
        guard !range.isEmpty, range.count <= Limits.contentLengthDigitCount else { return nil }
        var value = 0
        for index in range {
            let digit = bytes[index] &- 0x30
            guard digit < 10 else { return nil }
            value = value &* 10 &+ Int(digit)
        }
        return value
    }

    private mutating func addConnection(_ bytes: Span<UInt8>, _ value: Range<Int>) {
        var start = value.lowerBound
        while start < value.upperBound {
            var end = start
            while end < value.upperBound, bytes[end] != 0x2C { end &+= 1 }
            let option = Self.trimmed(bytes, start..<end)
            if bytes.equals(option, ignoringCase: "close") {
                self.connection.insert(.close)
            } else if bytes.equals(option, ignoringCase: "keep-alive") {
                self.connection.insert(.keepAlive)
            } else if bytes.equals(option, ignoringCase: "upgrade") {
                self.connection.insert(.upgrade)
            }
            start = end &+ 1
        }
    }
}
