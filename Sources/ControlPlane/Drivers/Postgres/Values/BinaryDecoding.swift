extension Bool: SQLDecodable {
    package init(cell: SQLCell) throws(PostgresError) {
        self = try cell.withBytes(as: "boolean", .bool) { $0.count == 1 ? $0[0] != 0 : nil }
    }
}

extension Int64: SQLDecodable {
    /// Reads `bigint`, `integer`, `smallint` and `oid`.
    package init(cell: SQLCell) throws(PostgresError) {
        self = try cell.withBytes(as: "bigint", .int8, .int4, .int2, .oid) { bytes in
            switch bytes.count {
            case 8: bytes.bigEndian(as: Int64.self)
            case 4 where cell.type == .oid: bytes.bigEndian(as: UInt32.self).map { Int64($0) }
            case 4: bytes.bigEndian(as: Int32.self).map { Int64($0) }
            case 2: bytes.bigEndian(as: Int16.self).map { Int64($0) }
            default: nil
            }
        }
    }
}

extension Int: SQLDecodable {
    package init(cell: SQLCell) throws(PostgresError) {
        self = Int(try Int64(cell: cell))
    }
}

extension Int32: SQLDecodable {
    /// Reads `integer` and `smallint`; a `bigint` is an error even when it would fit.
    package init(cell: SQLCell) throws(PostgresError) {
        self = try cell.withBytes(as: "integer", .int4, .int2) { bytes in
            bytes.count == 2 ? bytes.bigEndian(as: Int16.self).map { Int32($0) } : bytes.bigEndian(as: Int32.self)
        }
    }
}

extension Double: SQLDecodable {
    package init(cell: SQLCell) throws(PostgresError) {
        self = try cell.withBytes(as: "double precision", .float8, .float4) { bytes in
            bytes.count == 4
                ? bytes.bigEndian(as: UInt32.self).map { Double(Float(bitPattern: $0)) }
                : bytes.bigEndian(as: UInt64.self).map { Double(bitPattern: $0) }
        }
    }
}

extension String: SQLDecodable {
    /// Reads the text types, and enums and other user-defined types whose binary form is text.
    package init(cell: SQLCell) throws(PostgresError) {
        let type = cell.type
        let accepted = type.isUserDefined ? type : .text
        self = try cell.withBytes(as: "text", .text, .varchar, .bpchar, .name, .char, .unknown, accepted) { bytes in
            bytes.validText
        }
    }
}

extension SQLUUID: SQLDecodable {
    package init(cell: SQLCell) throws(PostgresError) {
        self = try cell.withBytes(as: "uuid", .uuid) { SQLUUID(bytes: $0) }
    }
}

extension SQLTimestamp: SQLDecodable {
    /// Reads `timestamptz`; `infinity` is an error.
    package init(cell: SQLCell) throws(PostgresError) {
        self = try cell.withBytes(as: "timestamptz", .timestamptz) { bytes in
            bytes.bigEndian(as: Int64.self).flatMap { SQLTimestamp(serverCount: $0) }
        }
    }
}

extension SQLJSON: SQLDecodable {
    /// Reads `jsonb` and `json`.
    package init(cell: SQLCell) throws(PostgresError) {
        let text: String = try cell.withBytes(as: "jsonb", .jsonb, .json) { bytes in
            guard cell.type == .jsonb else { return bytes.validText }
            guard bytes.first == 1 else { return nil }
            return UnsafeRawBufferPointer(rebasing: bytes.dropFirst()).validText
        }
        self.init(text)
    }
}

extension SQLInet: SQLDecodable {
    package init(cell: SQLCell) throws(PostgresError) {
        self.init(try cell.withBytes(as: "inet", .inet, .cidr) { NetworkAddress.text(of: $0) })
    }
}

extension SQLCIDR: SQLDecodable {
    package init(cell: SQLCell) throws(PostgresError) {
        self.init(try cell.withBytes(as: "cidr", .cidr) { NetworkAddress.text(of: $0) })
    }
}

extension UnsafeRawBufferPointer {
    /// Nil unless the count is exactly the integer's width.
    func bigEndian<Integer: FixedWidthInteger>(as type: Integer.Type) -> Integer? {
        guard self.count == MemoryLayout<Integer>.size else { return nil }
        return Integer(bigEndian: self.loadUnaligned(as: Integer.self))
    }

    /// Nil when this is not UTF-8, or holds a zero byte, which no PostgreSQL text does.
    var validText: String? {
        guard !self.contains(0) else { return nil }
        return String(validating: self, as: UTF8.self)
    }
}
