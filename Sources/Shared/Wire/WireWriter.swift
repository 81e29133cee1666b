/// Writes protobuf wire format, deterministically: fields in the order the caller writes them, defaults left out.
package struct WireWriter {
    package private(set) var bytes: [UInt8] = []

    package init(capacity: Int = 0) { self.bytes.reserveCapacity(capacity) }

    package mutating func uint64(_ field: Int, _ value: UInt64) {
        guard value != 0 else { return }
        self.varint(UInt64(field) << 3)
        self.varint(value)
    }

    package mutating func int64(_ field: Int, _ value: Int64) { self.uint64(field, UInt64(bitPattern: value)) }

    /// A number whose absence means something: written even when it is 0.
    package mutating func optional(_ field: Int, _ value: Int64?) {
        guard let value else { return }
        self.varint(UInt64(field) << 3)
        self.varint(UInt64(bitPattern: value))
    }

    package mutating func integer(_ field: Int, _ value: Int) { self.int64(field, Int64(value)) }

    package mutating func bool(_ field: Int, _ value: Bool) { self.uint64(field, value ? 1 : 0) }

    package mutating func enumeration(_ field: Int, _ value: some RawRepresentable<UInt8>) {
        self.uint64(field, UInt64(value.rawValue))
    }

    /// Bytes; empty ones are left out.
    package mutating func bytes(_ field: Int, _ value: [UInt8]) {
        guard !value.isEmpty else { return }
        self.element(field, value)
    }

    package mutating func text(_ field: Int, _ value: String) { self.bytes(field, Array(value.utf8)) }

    package mutating func identifier<Kind: IdentifierKind>(_ field: Int, _ value: Identifier<Kind>?) {
        if let value { self.bytes(field, value.bytes) }
    }

    /// One element of a repeated field: written even when empty.
    package mutating func element(_ field: Int, _ value: [UInt8]) {
        self.varint(UInt64(field) << 3 | 2)
        self.varint(UInt64(value.count))
        self.bytes.append(contentsOf: value)
    }

    package mutating func message(_ field: Int, _ body: (inout WireWriter) -> Void) {
        var nested = WireWriter()
        body(&nested)
        self.element(field, nested.bytes)
    }

    private mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            self.bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        self.bytes.append(UInt8(truncatingIfNeeded: rest))
    }
}

/// A value that has a form in protobuf wire format.
package protocol WireMessage: Sendable {
    init(from reader: inout WireReader) throws(WireError)
    func write(to writer: inout WireWriter)
}

extension WireMessage {
    package init(wire bytes: [UInt8]) throws(WireError) {
        var reader = WireReader(bytes.span)
        try self.init(from: &reader)
    }

    package var wireBytes: [UInt8] {
        var writer = WireWriter()
        self.write(to: &writer)
        return writer.bytes
    }
}

extension WireWriter {
    package mutating func message(_ field: Int, _ value: some WireMessage) {
        self.message(field) { value.write(to: &$0) }
    }
}

extension WireReader {
    /// A nested message as a value.
    @_lifetime(self: copy self)
    package mutating func value<Value: WireMessage>() throws(WireError) -> Value {
        var nested = try self.message()
        return try Value(from: &nested)
    }
}
