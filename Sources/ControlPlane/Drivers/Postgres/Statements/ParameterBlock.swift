/// The parameters of one statement, laid out as libpq wants them.
struct ParameterBlock {
    private(set) var types: [UInt32] = []
    private var bytes: [UInt8] = [0]  // never empty, so that an empty value still has an address
    private var values: [Range<Int>?] = []
    private var formats: [Int32] = []

    init(_ parameters: [(any SQLEncodable)?]) throws(PostgresError) {
        guard parameters.count <= Int(UInt16.max) else {
            throw .encoding("\(parameters.count) parameters, more than the protocol allows")
        }
        for parameter in parameters {
            let value = parameter?.sqlValue ?? .null
            let start = self.bytes.count
            self.types.append(value.type.oid)
            switch value {
            case .null:
                self.values.append(nil)
                self.formats.append(1)
            case .inet(let text), .cidr(let text):
                // As text, so that the server judges it; no address holds a zero byte.
                guard !text.utf8.contains(0) else { throw .encoding("an address holds a zero byte") }
                self.bytes.append(contentsOf: text.utf8)
                self.bytes.append(0)
                self.values.append(start..<self.bytes.count)
                self.formats.append(0)
            default:
                try value.appendBinary(to: &self.bytes)
                self.values.append(start..<self.bytes.count)
                self.formats.append(1)
            }
        }
    }

    var count: Int32 { Int32(self.values.count) }

    /// Lends values, lengths and formats for the duration of `body`.
    func withPointers<Value>(
        _ body: ([UnsafePointer<CChar>?], [Int32], [Int32]) -> Value
    ) -> Value {
        self.bytes.withUnsafeBytes { buffer in
            let base = buffer.bindMemory(to: CChar.self).baseAddress
            let pointers = self.values.map { range in range.flatMap { base?.advanced(by: $0.lowerBound) } }
            let lengths = self.values.map { Int32($0?.count ?? 0) }
            return body(pointers, lengths, self.formats)
        }
    }
}
