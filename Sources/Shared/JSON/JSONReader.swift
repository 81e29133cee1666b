/// Why a text is not JSON that is accepted, and where: an offset in bytes.
package struct JSONSyntaxError: Error, Sendable, Equatable, CustomStringConvertible {
    package let reason: String
    package let offset: Int

    package var description: String { "\(self.reason) at byte \(self.offset)" }
}

/// Why a value is not accepted.
package struct JSONRefusal: Error, Sendable {
    package let reason: String

    package init(_ reason: String) { self.reason = reason }
}

/// What a JSON text is read into.
package protocol JSONReadable: Sendable {
    /// How many arrays and objects may stand in each other.
    static var depthLimit: Int { get }
    /// Whether a string may have the character U+0000.
    static var acceptsNUL: Bool { get }

    static var null: Self { get }
    static func bool(_ value: Bool) -> Self
    static func string(_ value: String) -> Self
    static func array(_ elements: [Self]) -> Self
    static func object(_ members: [String: Self]) -> Self

    /// - Parameters:
    ///   - text: as it was written.
    ///   - isWhole: it has neither a fraction nor an exponent.
    init(number text: String, isWhole: Bool) throws(JSONRefusal)
}

/// Reads RFC 8259 texts: one value, valid UTF-8, no member twice, bounded nesting.
///
/// Not Foundation's: that one takes a fifth of a second for the API's description, and a second for 400 brackets.
package struct JSONReader<Value: JSONReadable> {
    private let bytes: [UInt8]
    private var index = 0

    package static func read(_ bytes: [UInt8]) throws(JSONSyntaxError) -> Value {
        var reader = JSONReader(bytes: bytes)
        guard String(validating: bytes, as: UTF8.self) != nil else { throw reader.error("invalid UTF-8") }
        let value = try reader.value(depth: 0)
        reader.skipSpace()
        guard reader.index == bytes.count else { throw reader.error("something follows the value") }
        return value
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private func error(_ reason: String) -> JSONSyntaxError { JSONSyntaxError(reason: reason, offset: self.index) }

    private var current: UInt8? { self.index < self.bytes.count ? self.bytes[self.index] : nil }

    private mutating func skipSpace() {
        while let byte = self.current, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { self.index += 1 }
    }

    private mutating func skip(_ byte: Unicode.Scalar) -> Bool {
        guard self.current == UInt8(ascii: byte) else { return false }
        self.index += 1
        return true
    }

    private mutating func value(depth: Int) throws(JSONSyntaxError) -> Value {
        guard depth < Value.depthLimit else { throw self.error("nested deeper than \(Value.depthLimit)") }
        self.skipSpace()
        switch self.current {
        case UInt8(ascii: "{"): return try self.object(depth: depth)
        case UInt8(ascii: "["): return try self.array(depth: depth)
        case UInt8(ascii: "\""): return .string(try self.string())
        case let byte? where byte == UInt8(ascii: "-") || (0x30...0x39).contains(byte):
            return try self.number()
        default: return try self.word()
        }
    }

    private mutating func word() throws(JSONSyntaxError) -> Value {
        for (word, value) in [("true", Value.bool(true)), ("false", .bool(false)), ("null", .null)]
        where self.bytes[self.index...].starts(with: word.utf8) {
            self.index += word.utf8.count
            return value
        }
        throw self.error("a value is expected")
    }

    private mutating func object(depth: Int) throws(JSONSyntaxError) -> Value {
        self.index += 1
        var members: [String: Value] = [:]
        self.skipSpace()
        if self.skip("}") { return .object(members) }
        while true {
            self.skipSpace()
            guard self.current == UInt8(ascii: "\"") else { throw self.error("a member name is expected") }
            let name = try self.string()
            self.skipSpace()
            guard self.skip(":") else { throw self.error("':' is expected") }
            let value = try self.value(depth: depth + 1)
            guard members.updateValue(value, forKey: name) == nil else { throw self.error("the member occurs twice") }
            self.skipSpace()
            if self.skip("}") { return .object(members) }
            guard self.skip(",") else { throw self.error("',' or '}' is expected") }
        }
    }

    private mutating func array(depth: Int) throws(JSONSyntaxError) -> Value {
        self.index += 1
        var elements: [Value] = []
        self.skipSpace()
        if self.skip("]") { return .array(elements) }
        while true {
            elements.append(try self.value(depth: depth + 1))
            self.skipSpace()
            if self.skip("]") { return .array(elements) }
            guard self.skip(",") else { throw self.error("',' or ']' is expected") }
        }
    }

    private mutating func digits() -> Int {
        let start = self.index
        while let byte = self.current, (0x30...0x39).contains(byte) { self.index += 1 }
        return self.index - start
    }

    private mutating func number() throws(JSONSyntaxError) -> Value {
        let start = self.index
        _ = self.skip("-")
        let first = self.index
        let count = self.digits()
        guard count > 0, count == 1 || self.bytes[first] != 0x30 else { throw self.error("a number is malformed") }
        var isWhole = true
        if self.skip(".") {
            isWhole = false
            guard self.digits() > 0 else { throw self.error("a number is malformed") }
        }
        if self.skip("e") || self.skip("E") {
            isWhole = false
            if !self.skip("+") { _ = self.skip("-") }
            guard self.digits() > 0 else { throw self.error("a number is malformed") }
        }
        let text = String(decoding: self.bytes[start..<self.index], as: UTF8.self)
        do throws(JSONRefusal) { return try Value(number: text, isWhole: isWhole) } catch {
            throw self.error(error.reason)
        }
    }

    private mutating func string() throws(JSONSyntaxError) -> String {
        self.index += 1
        var text: [UInt8] = []
        while let byte = self.current {
            self.index += 1
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"): try self.escape(to: &text)
            case 0..<0x20: throw self.error("a control character in a string must be escaped")
            default: text.append(byte)
            }
        }
        throw self.error("a string has no end")
    }

    private mutating func escape(to text: inout [UInt8]) throws(JSONSyntaxError) {
        guard let byte = self.current else { throw self.error("a string has no end") }
        self.index += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"): text += String(Character(try self.scalar())).utf8
        default: throw self.error("an unknown escape")
        }
    }

    private mutating func scalar() throws(JSONSyntaxError) -> Unicode.Scalar {
        var code = try self.hexadecimal()
        if (0xD800..<0xDC00).contains(code) {
            guard self.skip("\\"), self.skip("u") else { throw self.error("half of a surrogate pair") }
            let low = try self.hexadecimal()
            guard (0xDC00..<0xE000).contains(low) else { throw self.error("half of a surrogate pair") }
            code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
        }
        guard let scalar = Unicode.Scalar(code) else { throw self.error("half of a surrogate pair") }
        guard code != 0 || Value.acceptsNUL else { throw self.error("the character is not accepted") }
        return scalar
    }

    private mutating func hexadecimal() throws(JSONSyntaxError) -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = self.current, byte < 0x80, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw self.error("four hexadecimal digits are expected")
            }
            code = code << 4 | UInt32(digit)
            self.index += 1
        }
        return code
    }
}
