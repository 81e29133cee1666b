/// What may stand in an array that is read from a result.
package protocol SQLArrayDecodable {
    static func decodeArray(cell: SQLCell) throws(PostgresError) -> [Self]
}

extension Array: SQLDecodable where Element: SQLArrayDecodable {
    /// `[UInt8]` reads a `bytea`; the others read SQL arrays of one dimension.
    package init(cell: SQLCell) throws(PostgresError) {
        self = try Element.decodeArray(cell: cell)
    }
}

extension UInt8: SQLArrayDecodable {
    package static func decodeArray(cell: SQLCell) throws(PostgresError) -> [UInt8] {
        try cell.withBytes(as: "bytea", .bytea) { Array($0) }
    }
}

/// An element with a binary form of its own.
package protocol SQLArrayElement: SQLArrayDecodable {
    static var arrayTypeName: String { get }
    static func accepts(arrayOID: UInt32) -> Bool
    /// Nil when the bytes are not such a value.
    static func decodeElement(_ bytes: UnsafeRawBufferPointer) -> Self?
}

extension SQLArrayElement {
    package static func decodeArray(cell: SQLCell) throws(PostgresError) -> [Self] {
        var elements: [Self] = []
        for element in try Self.decodeNullableArray(cell: cell) {
            guard let element else { throw cell.mismatch(expected: Self.arrayTypeName, actual: "an array with NULL") }
            elements.append(element)
        }
        return elements
    }

    fileprivate static func decodeNullableArray(cell: SQLCell) throws(PostgresError) -> [Self?] {
        guard !cell.isNull, Self.accepts(arrayOID: cell.type.oid) else {
            throw cell.mismatch(expected: Self.arrayTypeName)
        }
        var reader = ArrayReader(cell.result.bytes(row: cell.row, column: cell.column))
        guard let elements = reader.elements(decode: Self.decodeElement) else {
            throw cell.mismatch(expected: Self.arrayTypeName, actual: "a malformed or multi-dimensional array")
        }
        return elements
    }
}

/// An array that may hold NULLs.
extension Optional: SQLArrayDecodable where Wrapped: SQLArrayElement {
    package static func decodeArray(cell: SQLCell) throws(PostgresError) -> [Wrapped?] {
        try Wrapped.decodeNullableArray(cell: cell)
    }
}

extension String: SQLArrayElement {
    package static var arrayTypeName: String { "text[]" }
    package static func accepts(arrayOID: UInt32) -> Bool { [1009, 1015, 1002, 1003].contains(arrayOID) }
    package static func decodeElement(_ bytes: UnsafeRawBufferPointer) -> String? { bytes.validText }
}

extension Int64: SQLArrayElement {
    package static var arrayTypeName: String { "bigint[]" }
    package static func accepts(arrayOID: UInt32) -> Bool { [1016, 1007].contains(arrayOID) }
    package static func decodeElement(_ bytes: UnsafeRawBufferPointer) -> Int64? {
        bytes.bigEndian(as: Int64.self) ?? bytes.bigEndian(as: Int32.self).map { Int64($0) }
    }
}

extension Int: SQLArrayElement {
    package static var arrayTypeName: String { Int64.arrayTypeName }
    package static func accepts(arrayOID: UInt32) -> Bool { Int64.accepts(arrayOID: arrayOID) }
    package static func decodeElement(_ bytes: UnsafeRawBufferPointer) -> Int? {
        Int64.decodeElement(bytes).map { Int($0) }
    }
}

extension SQLUUID: SQLArrayElement {
    package static var arrayTypeName: String { "uuid[]" }
    package static func accepts(arrayOID: UInt32) -> Bool { arrayOID == PostgresType.uuidArray.oid }
    package static func decodeElement(_ bytes: UnsafeRawBufferPointer) -> SQLUUID? { SQLUUID(bytes: bytes) }
}

extension Array: SQLArrayDecodable where Element == UInt8 {}

extension Array: SQLArrayElement where Element == UInt8 {
    package static var arrayTypeName: String { "bytea[]" }
    package static func accepts(arrayOID: UInt32) -> Bool { arrayOID == PostgresType.byteaArray.oid }
    package static func decodeElement(_ bytes: UnsafeRawBufferPointer) -> [UInt8]? { Array(bytes) }
}

/// Reads the binary form of an array: header, one dimension, then length and bytes of each element.
private struct ArrayReader {
    private var rest: UnsafeRawBufferPointer

    init(_ bytes: UnsafeRawBufferPointer) { self.rest = bytes }

    /// Nil unless the bytes are exactly one array of at most one dimension.
    mutating func elements<Element>(decode: (UnsafeRawBufferPointer) -> Element?) -> [Element?]? {
        guard let dimensions = self.integer(), self.integer() != nil, self.integer() != nil else { return nil }
        if dimensions == 0 { return self.rest.isEmpty ? [] : nil }
        guard dimensions == 1, let count = self.integer(), self.integer() != nil else { return nil }
        // Each element takes four bytes or more, so a count that lies cannot reserve memory.
        guard count >= 0, count <= self.rest.count / 4 else { return nil }
        var elements: [Element?] = []
        elements.reserveCapacity(count)
        for _ in 0..<count {
            guard let length = self.integer() else { return nil }
            if length == -1 {
                elements.append(nil)
                continue
            }
            guard let bytes = self.take(length), let element = decode(bytes) else { return nil }
            elements.append(element)
        }
        return self.rest.isEmpty ? elements : nil
    }

    private mutating func integer() -> Int? {
        self.take(4)?.bigEndian(as: Int32.self).map { Int($0) }
    }

    private mutating func take(_ count: Int) -> UnsafeRawBufferPointer? {
        guard count >= 0, count <= self.rest.count else { return nil }
        defer { self.rest = UnsafeRawBufferPointer(rebasing: self.rest.dropFirst(count)) }
        return UnsafeRawBufferPointer(rebasing: self.rest.prefix(count))
    }
}
