/// Why a text is not JSON that we accept, and where: an offset in bytes.
package struct JSONSyntaxError: Error, Sendable, Equatable {
    package let reason: String
    package let offset: Int
}

/// A strict reader of RFC 8259 texts: one value, valid UTF-8, no member twice, bounded nesting, whole numbers.
package struct JSONParser {
    package static let depthLimit = 32

    private let bytes: [UInt8]
    private var index = 0

    package static func parse(_ bytes: [UInt8]) throws(JSONSyntaxError) -> JSONValue {
        var parser = JSONParser(bytes: bytes)
        guard String(validating: bytes, as: UTF8.self) != nil else { throw parser.error("the body is not valid UTF-8") }
        let value = try parser.value(depth: 0)
        parser.skipSpace()
        guard parser.index == bytes.count else { throw parser.error("nothing may follow the value") }
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

    private mutating func value(depth: Int) throws(JSONSyntaxError) -> JSONValue {
        guard depth < Self.depthLimit else { throw self.error("nested deeper than \(Self.depthLimit)") }
        self.skipSpace()
        guard let byte = self.current else { throw self.error("a value is missing") }
        switch byte {
        case UInt8(ascii: "{"): return try self.object(depth: depth)
        case UInt8(ascii: "["): return try self.array(depth: depth)
        case UInt8(ascii: "\""): return .string(try self.string())
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .integer(try self.integer())
        default: return try self.word()
        }
    }

    private mutating func word() throws(JSONSyntaxError) -> JSONValue {
        for (word, value) in [("true", JSONValue.bool(true)), ("false", .bool(false)), ("null", .null)]
        where self.bytes[self.index...].starts(with: word.utf8) {
            self.index += word.utf8.count
            return value
        }
        throw self.error("a value is expected")
    }

    private mutating func object(depth: Int) throws(JSONSyntaxError) -> JSONValue {
        self.index += 1
        var members: [String: JSONValue] = [:]
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

    private mutating func array(depth: Int) throws(JSONSyntaxError) -> JSONValue {
        self.index += 1
        var elements: [JSONValue] = []
        self.skipSpace()
        if self.skip("]") { return .array(elements) }
        while true {
            elements.append(try self.value(depth: depth + 1))
            self.skipSpace()
            if self.skip("]") { return .array(elements) }
            guard self.skip(",") else { throw self.error("',' or ']' is expected") }
        }
    }

    private mutating func integer() throws(JSONSyntaxError) -> Int64 {
        let start = self.index
        _ = self.skip("-")
        let digits = self.index
        while let byte = self.current, (0x30...0x39).contains(byte) { self.index += 1 }
        let count = self.index - digits
        guard count > 0, count == 1 || self.bytes[digits] != 0x30 else { throw self.error("a number is malformed") }
        if let byte = self.current, byte == UInt8(ascii: ".") || byte == UInt8(ascii: "e") || byte == UInt8(ascii: "E")
        {
            throw self.error("only whole numbers are accepted")
        }
        guard let value = Int64(String(decoding: self.bytes[start..<self.index], as: UTF8.self)) else {
            throw self.error("the number does not fit 64 bits")
        }
        return value
    }

    private mutating func string() throws(JSONSyntaxError) -> String {
        self.index += 1
        var text: [UInt8] = []
        while let byte = self.current {
            self.index += 1
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"): text += try self.escape()
            case 0..<0x20: throw self.error("a control character in a string must be escaped")
            default: text.append(byte)
            }
        }
        throw self.error("a string has no end")
    }

    private mutating func escape() throws(JSONSyntaxError) -> [UInt8] {
        guard let byte = self.current else { throw self.error("a string has no end") }
        self.index += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
        case UInt8(ascii: "b"): return [0x08]
        case UInt8(ascii: "f"): return [0x0C]
        case UInt8(ascii: "n"): return [0x0A]
        case UInt8(ascii: "r"): return [0x0D]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "u"): break
        default: throw self.error("an unknown escape")
        }
        var code = try self.hexadecimal()
        if (0xD800..<0xDC00).contains(code) {
            guard self.skip("\\"), self.skip("u") else { throw self.error("half of a surrogate pair") }
            let low = try self.hexadecimal()
            guard (0xDC00..<0xE000).contains(low) else { throw self.error("half of a surrogate pair") }
            code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
        }
        guard code != 0, let scalar = Unicode.Scalar(code) else { throw self.error("the character is not accepted") }
        return Array(String(Character(scalar)).utf8)
    }

    private mutating func hexadecimal() throws(JSONSyntaxError) -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = self.current, let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80 else {
                throw self.error("four hexadecimal digits are expected")
            }
            code = code << 4 | UInt32(digit)
            self.index += 1
        }
        return code
    }
}
