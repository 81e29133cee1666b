/// Reads CSV as RFC 4180 has it, one record after the other: quotes, CRLF or LF, a byte order mark.
package struct CSVReader {
    package struct Failure: Error, Sendable, Equatable {
        /// The line of the file on which the record begins, from 1 on.
        package let line: Int
        package let reason: String
    }

    package static let fieldLimit = 4096
    package static let fieldsLimit = 100

    private let bytes: [UInt8]
    private var position: Int
    /// The line of the file that `position` is on, from 1 on.
    package private(set) var line = 1

    package init(_ bytes: [UInt8]) {
        self.bytes = bytes
        self.position = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
    }

    /// The fields of the next record, without those that are empty lines; nil at the end.
    package mutating func next() throws(Failure) -> [String]? {
        while self.position < self.bytes.count {
            let fields = try self.record()
            if fields != [""] { return fields }
        }
        return nil
    }

    private mutating func record() throws(Failure) -> [String] {
        let start = self.line
        var fields: [String] = []
        while true {
            guard fields.count < Self.fieldsLimit else {
                throw Failure(line: start, reason: "more than \(Self.fieldsLimit) fields")
            }
            let field = self.peek == UInt8(ascii: "\"") ? try self.quoted(start) : self.plain()
            guard field.count <= Self.fieldLimit, let text = String(validating: field, as: UTF8.self) else {
                throw Failure(line: start, reason: "a field is longer than \(Self.fieldLimit) bytes or not UTF-8")
            }
            fields.append(text)
            switch self.peek {
            case UInt8(ascii: ","): self.position += 1
            case nil: return fields
            case 13 where self.byte(after: 1) == 10:
                self.position += 2
                self.line += 1
                return fields
            case 10, 13:
                self.position += 1
                self.line += 1
                return fields
            default: throw Failure(line: start, reason: "text after a closing quote")
            }
        }
    }

    private var peek: UInt8? { self.byte(after: 0) }

    private func byte(after offset: Int) -> UInt8? {
        self.position + offset < self.bytes.count ? self.bytes[self.position + offset] : nil
    }

    private mutating func plain() -> [UInt8] {
        let start = self.position
        while let byte = self.peek, byte != UInt8(ascii: ","), byte != 10, byte != 13 { self.position += 1 }
        return Array(self.bytes[start..<self.position])
    }

    private mutating func quoted(_ start: Int) throws(Failure) -> [UInt8] {
        var field: [UInt8] = []
        self.position += 1
        while let byte = self.peek {
            self.position += 1
            if byte == UInt8(ascii: "\"") {
                guard self.peek == UInt8(ascii: "\"") else { return field }
                self.position += 1
            }
            if byte == 10 { self.line += 1 }
            field.append(byte)
        }
        throw Failure(line: start, reason: "a quote is not closed")
    }
}
