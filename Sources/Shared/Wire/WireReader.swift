/// What is wrong with a message in protobuf wire format.
package enum WireError: Error, Equatable, Sendable, CustomStringConvertible {
    /// A field, length or number reaches beyond the message.
    case truncated
    /// A varint of more than ten bytes, or with bits beyond 64.
    case badVarint
    /// A wire type that the format does not have, that the field does not have, or field number 0.
    case badTag
    /// A field below 1000 that this build does not know: what it restricts cannot be ignored.
    case unknownCriticalField(Int)
    /// A field that must be there is missing.
    case missing(StaticString)
    /// A value outside what the field allows: too long, too many, not UTF-8, not a known enumeration.
    case invalid(StaticString)

    package static func == (left: WireError, right: WireError) -> Bool { left.description == right.description }

    package var description: String {
        switch self {
        case .truncated: "the message is truncated"
        case .badVarint: "a number is malformed"
        case .badTag: "a field tag is malformed"
        case .unknownCriticalField(let number): "field \(number) is not known to this build"
        case .missing(let name): "field \(name) is missing"
        case .invalid(let name): "field \(name) has a value that is not allowed"
        }
    }
}

/// Reads protobuf wire format (https://protobuf.dev/programming-guides/encoding) from borrowed bytes.
///
/// Bounded by the bytes it is given; nothing it meets there can make it trap. Field numbers below 1000 are critical:
/// one that the caller does not know is refused by `skip`. Others are skipped.
///
/// ```swift
/// while let field = try reader.next() {
///     switch field {
///     case 1: id = try reader.bytes(count: 16, "id")
///     default: try reader.skip()
///     }
/// }
/// ```
package struct WireReader: ~Escapable {
    private enum WireType: UInt8 {
        case varint = 0
        case fixed64 = 1
        case length = 2
        case fixed32 = 5
    }

    private let bytes: Span<UInt8>
    private var position = 0
    private var field = 0
    private var type = WireType.varint

    @_lifetime(copy bytes)
    package init(_ bytes: Span<UInt8>) {
        self.bytes = bytes
    }

    /// The number of the next field, or nil at the end of the message.
    @_lifetime(self: copy self)
    package mutating func next() throws(WireError) -> Int? {
        guard self.position < self.bytes.count else { return nil }
        let tag = try self.varint()
        guard let type = WireType(rawValue: UInt8(tag & 7)), tag >> 3 > 0, tag >> 3 < 1 << 29 else { throw .badTag }
        self.field = Int(tag >> 3)
        self.type = type
        return self.field
    }

    @_lifetime(self: copy self)
    package mutating func uint64() throws(WireError) -> UInt64 {
        guard self.type == .varint else { throw .badTag }
        return try self.varint()
    }

    @_lifetime(self: copy self)
    package mutating func int64() throws(WireError) -> Int64 { Int64(bitPattern: try self.uint64()) }

    /// A number within `range`.
    @_lifetime(self: copy self)
    package mutating func integer(in range: ClosedRange<Int>, _ name: StaticString) throws(WireError) -> Int {
        let value = try self.uint64()
        guard let number = Int(exactly: value), range.contains(number) else { throw .invalid(name) }
        return number
    }

    @_lifetime(self: copy self)
    package mutating func bool(_ name: StaticString) throws(WireError) -> Bool {
        let value = try self.uint64()
        guard value <= 1 else { throw .invalid(name) }
        return value == 1
    }

    @_lifetime(self: copy self)
    package mutating func enumeration<Value: RawRepresentable<UInt8>>(
        _ name: StaticString
    ) throws(WireError) -> Value {
        let value = try self.uint64()
        guard let raw = UInt8(exactly: value), let known = Value(rawValue: raw) else { throw .invalid(name) }
        return known
    }

    /// Bytes of at most `limit`.
    @_lifetime(self: copy self)
    package mutating func bytes(limit: Int, _ name: StaticString) throws(WireError) -> [UInt8] {
        let range = try self.lengthDelimited()
        guard range.count <= limit else { throw .invalid(name) }
        var copy: [UInt8] = []
        copy.reserveCapacity(range.count)
        for index in range { copy.append(self.bytes[index]) }
        return copy
    }

    /// Exactly `count` bytes.
    @_lifetime(self: copy self)
    package mutating func bytes(count: Int, _ name: StaticString) throws(WireError) -> [UInt8] {
        let bytes = try self.bytes(limit: count, name)
        guard bytes.count == count else { throw .invalid(name) }
        return bytes
    }

    /// UTF-8 text of at most `limit` bytes.
    @_lifetime(self: copy self)
    package mutating func text(limit: Int, _ name: StaticString) throws(WireError) -> String {
        guard let text = String(validating: try self.bytes(limit: limit, name), as: UTF8.self) else {
            throw .invalid(name)
        }
        return text
    }

    @_lifetime(self: copy self)
    package mutating func identifier<Kind: IdentifierKind>(
        _ name: StaticString
    ) throws(WireError) -> Identifier<Kind> {
        guard let id = Identifier<Kind>(bytes: try self.bytes(count: 16, name)) else { throw .invalid(name) }
        return id
    }

    /// The nested message, which borrows the same bytes.
    @_lifetime(copy self)
    package mutating func message() throws(WireError) -> WireReader {
        let range = try self.lengthDelimited()
        return WireReader(self.bytes.extracting(range))
    }

    /// Passes over a field that this build does not know; refuses it when it is critical.
    @_lifetime(self: copy self)
    package mutating func skip() throws(WireError) {
        guard self.field >= 1000 else { throw .unknownCriticalField(self.field) }
        switch self.type {
        case .varint: _ = try self.varint()
        case .fixed64: try self.advance(8)
        case .fixed32: try self.advance(4)
        case .length: _ = try self.lengthDelimited()
        }
    }

    @_lifetime(self: copy self)
    private mutating func lengthDelimited() throws(WireError) -> Range<Int> {
        guard self.type == .length else { throw .badTag }
        let length = try self.varint()
        guard length <= UInt64(self.bytes.count - self.position) else { throw .truncated }
        let start = self.position
        self.position += Int(length)
        return start..<self.position
    }

    @_lifetime(self: copy self)
    private mutating func advance(_ count: Int) throws(WireError) {
        guard count <= self.bytes.count - self.position else { throw .truncated }
        self.position += count
    }

    @_lifetime(self: copy self)
    private mutating func varint() throws(WireError) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            guard self.position < self.bytes.count else { throw .truncated }
            let byte = self.bytes[self.position]
            self.position += 1
            guard shift < 63 || byte <= 1 else { throw .badVarint }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
    }
}
