/// Strings, numbers and literals: where nearly all bytes of a body are.
extension JSONScanner {
    private var tracksName: Bool { self.inName && self.depth == self.trackedDepth }

    /// Reads string bytes from `index` on: up to its end, an escape, or the end of the piece.
    @inline(__always)
    mutating func scanString(_ bytes: Span<UInt8>, _ index: inout Int) throws(JSONError) {
        let count = bytes.count
        let tracksName = self.tracksName
        while index < count {
            let start = index
            index = ByteSearch.jsonStringStop(bytes, from: index)
            if tracksName, start < index {
                try self.checkNoHighSurrogate(start)
                self.appendToName(bytes, start..<index)
            }
            guard index < count else { return }
            let byte = bytes[index]
            if byte >= 0x80 {
                if !tracksName, Self.skipUTF8(bytes, &index) { continue }
                try self.beginUTF8(byte, index)
                index &+= 1
                return
            }
            if byte == 0x5C {
                if !tracksName, index &+ 1 < count, JSONText.unescaped(bytes[index &+ 1]) != nil {
                    index &+= 2
                    continue
                }
                self.state = .escape
            } else if byte == 0x22 {
                try self.endString(bytes, index)
            } else {
                throw self.error(.syntax, index)
            }
            index &+= 1
            return
        }
    }

    @inline(__always)
    private mutating func endString(_ bytes: Span<UInt8>, _ index: Int) throws(JSONError) {
        if self.inName {
            self.state = .colon
            if self.depth == self.trackedDepth {
                try self.checkNoHighSurrogate(index)
                try self.resolveName()
            }
        } else {
            try self.endScalar(bytes, contentEnd: index, end: index &+ 1)
        }
    }

    // MARK: Escapes

    @inline(__always)
    mutating func scanEscape(_ bytes: Span<UInt8>, _ index: inout Int) throws(JSONError) {
        let byte = bytes[index]
        if byte == 0x75 {
            self.unicodeDigits = 0
            self.unicodeValue = 0
            self.state = .unicode
        } else {
            guard let plain = JSONText.unescaped(byte) else { throw self.error(.syntax, index) }
            if self.tracksName {
                try self.checkNoHighSurrogate(index)
                self.appendToName(plain)
            }
            self.state = .string
        }
        index &+= 1
    }

    mutating func scanUnicode(_ bytes: Span<UInt8>, _ index: inout Int) throws(JSONError) {
        guard let digit = JSONText.hexadecimal(bytes[index]) else { throw self.error(.syntax, index) }
        self.unicodeValue = self.unicodeValue &<< 4 | UInt32(digit)
        self.unicodeDigits &+= 1
        if self.unicodeDigits == 4 {
            if self.tracksName { try self.appendUnit(index) }
            self.state = .string
        }
        index &+= 1
    }

    /// Adds the UTF-16 unit just read to the name; halves of a pair must follow each other.
    private mutating func appendUnit(_ index: Int) throws(JSONError) {
        let unit = self.unicodeValue
        switch unit {
        case 0xDC00...0xDFFF:
            guard self.highSurrogate != 0 else { throw self.error(.ambiguousMember, index) }
            let scalar = 0x10000 &+ ((self.highSurrogate & 0x3FF) &<< 10 | unit & 0x3FF)
            self.highSurrogate = 0
            self.appendToName(scalar: scalar)
        case 0xD800...0xDBFF:
            try self.checkNoHighSurrogate(index)
            self.highSurrogate = unit
        case 0:
            throw self.error(.ambiguousMember, index)
        default:
            try self.checkNoHighSurrogate(index)
            self.appendToName(scalar: unit)
        }
    }

    /// Mutating although it changes nothing: borrowing `self` out of an `inout` copies all of it.
    @inline(__always)
    private mutating func checkNoHighSurrogate(_ index: Int) throws(JSONError) {
        if self.highSurrogate != 0 { throw self.error(.ambiguousMember, index) }
    }

    // MARK: UTF-8 (RFC 3629 section 4)

    /// Skips the valid sequences at `index` that lie wholly in `bytes`; false when the first one does not.
    @inline(__always)
    private static func skipUTF8(_ bytes: Span<UInt8>, _ index: inout Int) -> Bool {
        let start = index
        let count = bytes.count
        while index &+ 4 <= count {
            let first = bytes[index]
            if first < 0x80 { return true }
            let second = bytes[index &+ 1]
            let third = bytes[index &+ 2]
            if first & 0xF0 == 0xE0 {
                guard second & 0xC0 == 0x80, third & 0xC0 == 0x80, first != 0xE0 || second >= 0xA0,
                    first != 0xED || second < 0xA0
                else { break }
                index &+= 3
            } else if first & 0xE0 == 0xC0 {
                guard first >= 0xC2, second & 0xC0 == 0x80 else { break }
                index &+= 2
            } else {
                guard first >= 0xF0, first <= 0xF4, second & 0xC0 == 0x80, third & 0xC0 == 0x80,
                    bytes[index &+ 3] & 0xC0 == 0x80, first != 0xF0 || second >= 0x90, first != 0xF4 || second < 0x90
                else { break }
                index &+= 4
            }
        }
        return index > start
    }

    private mutating func beginUTF8(_ byte: UInt8, _ index: Int) throws(JSONError) {
        self.utf8Low = 0x80
        self.utf8High = 0xBF
        switch byte {
        case 0xC2...0xDF: self.utf8Remaining = 1
        case 0xE0...0xEF: self.utf8Remaining = 2
        case 0xF0...0xF4: self.utf8Remaining = 3
        default: throw self.error(.notUTF8, index)
        }
        switch byte {
        case 0xE0: self.utf8Low = 0xA0
        case 0xED: self.utf8High = 0x9F
        case 0xF0: self.utf8Low = 0x90
        case 0xF4: self.utf8High = 0x8F
        default: break
        }
        if self.tracksName {
            try self.checkNoHighSurrogate(index)
            self.appendToName(byte)
        }
        self.state = .utf8
    }

    mutating func scanUTF8(_ bytes: Span<UInt8>, _ index: inout Int) throws(JSONError) {
        let byte = bytes[index]
        guard byte >= self.utf8Low, byte <= self.utf8High else { throw self.error(.notUTF8, index) }
        if self.tracksName { self.appendToName(byte) }
        self.utf8Low = 0x80
        self.utf8High = 0xBF
        self.utf8Remaining &-= 1
        if self.utf8Remaining == 0 { self.state = .string }
        index &+= 1
    }

    // MARK: Numbers and literals

    /// Reads the number to its end, which only the byte after it can show.
    @inline(__always)
    mutating func scanNumber(_ bytes: Span<UInt8>, _ index: inout Int) throws(JSONError) {
        let count = bytes.count
        var state = self.numberState
        scan: while index < count {
            let byte = bytes[index]
            let isDigit = byte &- 0x30 < 10
            switch state {
            case .integer:
                if isDigit { break }
                if byte == 0x2E { state = .point } else if byte | 0x20 == 0x65 { state = .exponent } else { break scan }
            case .fraction:
                if isDigit { break }
                guard byte | 0x20 == 0x65 else { break scan }
                state = .exponent
            case .zero:
                if isDigit { throw self.error(.syntax, index) }
                if byte == 0x2E { state = .point } else if byte | 0x20 == 0x65 { state = .exponent } else { break scan }
            case .minus:
                guard isDigit else { throw self.error(.syntax, index) }
                state = byte == 0x30 ? .zero : .integer
            case .point:
                guard isDigit else { throw self.error(.syntax, index) }
                state = .fraction
            case .exponent:
                guard isDigit || byte == 0x2B || byte == 0x2D else { throw self.error(.syntax, index) }
                state = isDigit ? .exponentDigits : .exponentSign
            case .exponentSign:
                guard isDigit else { throw self.error(.syntax, index) }
                state = .exponentDigits
            case .exponentDigits:
                if !isDigit { break scan }
            }
            index &+= 1
        }
        self.numberState = state
        if index < count { try self.endScalar(bytes, contentEnd: index, end: index) }
    }

    @inline(__always)
    mutating func scanLiteral(_ bytes: Span<UInt8>, _ index: inout Int) throws(JSONError) {
        let length = self.literal.utf8CodeUnitCount
        let text = unsafe self.literal.utf8Start
        while index < bytes.count, self.literalIndex < length {
            guard unsafe bytes[index] == text[self.literalIndex] else { throw self.error(.syntax, index) }
            self.literalIndex &+= 1
            index &+= 1
        }
        if self.literalIndex == length { try self.endScalar(bytes, contentEnd: index, end: index) }
    }
}
