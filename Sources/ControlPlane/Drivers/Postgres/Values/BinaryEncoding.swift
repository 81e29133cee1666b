extension SQLValue {
    /// Appends the value in PostgreSQL's binary form, without a length; appends nothing for NULL.
    ///
    /// Throws `encoding` for an address that is not one.
    func appendBinary(to bytes: inout [UInt8]) throws(PostgresError) {
        switch self {
        case .null: break
        case .bool(let value): bytes.append(value ? 1 : 0)
        case .int4(let value): bytes.append(bigEndian: value)
        case .int8(let value): bytes.append(bigEndian: value)
        case .double(let value): bytes.append(bigEndian: value.bitPattern)
        case .text(let value): bytes.append(contentsOf: value.utf8)
        case .bytea(let value): bytes.append(contentsOf: value)
        case .uuid(let value): bytes.append(uuid: value)
        case .timestamptz(let value): bytes.append(bigEndian: SQLTimestamp.serverCount(ofMicroseconds: value))
        case .jsonb(let value):
            bytes.append(1)  // version of the binary form
            bytes.append(contentsOf: value.utf8)
        case .inet(let value): try bytes.append(address: value, isNetwork: false)
        case .cidr(let value): try bytes.append(address: value, isNetwork: true)
        case .textArray(let elements):
            bytes.append(array: elements, of: .text) { $0.append(contentsOf: $1.utf8) }
        case .int8Array(let elements):
            bytes.append(array: elements, of: .int8) { $0.append(bigEndian: $1) }
        case .uuidArray(let elements):
            bytes.append(array: elements, of: .uuid) { $0.append(uuid: $1) }
        case .byteaArray(let elements):
            bytes.append(array: elements, of: .bytea) { $0.append(contentsOf: $1) }
        }
    }
}

extension [UInt8] {
    mutating func append(bigEndian value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.bigEndian) { self.append(contentsOf: $0) }
    }

    /// Overwrites the four bytes at `position`, which were reserved for a length.
    mutating func setLength(_ length: Int, at position: Int) {
        let value = UInt32(truncatingIfNeeded: length)
        for index in 0..<4 {
            self[position + index] = UInt8(truncatingIfNeeded: value >> UInt32(24 - 8 * index))
        }
    }

    fileprivate mutating func append(uuid: SQLUUID) {
        self.append(bigEndian: uuid.high)
        self.append(bigEndian: uuid.low)
    }

    fileprivate mutating func append(address: String, isNetwork: Bool) throws(PostgresError) {
        guard let encoded = NetworkAddress.bytes(of: address, isNetwork: isNetwork) else {
            throw .encoding("the text of an \(isNetwork ? "cidr" : "inet") parameter is not an address")
        }
        self.append(contentsOf: encoded)
    }

    fileprivate mutating func append<Member>(
        array elements: [Member?],
        of type: PostgresType,
        _ appendElement: (inout [UInt8], Member) -> Void
    ) {
        self.append(bigEndian: Int32(elements.isEmpty ? 0 : 1))  // dimensions
        self.append(bigEndian: Int32(elements.contains { $0 == nil } ? 1 : 0))
        self.append(bigEndian: type.oid)
        guard !elements.isEmpty else { return }
        self.append(bigEndian: Int32(truncatingIfNeeded: elements.count))
        self.append(bigEndian: Int32(1))  // lower bound
        for element in elements {
            let lengthPosition = self.count
            self.append(bigEndian: Int32(-1))
            guard let element else { continue }
            appendElement(&self, element)
            self.setLength(self.count - lengthPosition - 4, at: lengthPosition)
        }
    }
}
