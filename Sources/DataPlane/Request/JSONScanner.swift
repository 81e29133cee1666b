/// Validates one JSON document that arrives in pieces and notes where the wanted members are.
///
/// The grammar is RFC 8259, strictly: the document must be an object, strings must be UTF-8 without raw controls, depth
/// is bounded, and nothing may follow. Pieces are never joined and no byte is kept except the captures of wanted
/// scalars, so a body of any size costs this value's fixed storage. Member names are compared after unescaping. A wanted
/// name that occurs twice in its object is refused, and so is one that some decoder might take for it: Go's compares
/// without case (and folds U+017F and U+212A), others cut at a NUL or drop a lone surrogate. Lone surrogates elsewhere
/// are grammatical and pass.
package struct JSONScanner: ~Copyable {
    enum State: UInt8 {
        case start, nameOrEnd, name, colon, value, elementOrEnd, commaOrEnd
        case string, escape, unicode, utf8, number, literal, done
    }
    enum NumberState: UInt8 { case minus, zero, integer, point, fraction, exponent, exponentSign, exponentDigits }

    package let table: JSONTable
    /// Captured bytes of wanted scalars; `JSONValue.captured` points into it.
    package internal(set) var captures: [UInt8]
    /// Absolute offset of the outermost `{`.
    package internal(set) var rootOffset = 0
    /// Whether the outermost object has a member.
    package internal(set) var rootIsEmpty = true

    var state = State.start
    var depth = 0
    /// One bit per open container, 1 for an object.
    var containers = InlineArray<2, UInt64>(repeating: 0)
    /// Absolute offset of the first byte of the next piece.
    package internal(set) var position = 0

    // Strings.
    var inName = false
    var unicodeDigits = 0
    var unicodeValue: UInt32 = 0
    /// A high surrogate whose low half has not come yet; 0 when none.
    var highSurrogate: UInt32 = 0
    var utf8Remaining: UInt8 = 0
    var utf8Low: UInt8 = 0x80
    var utf8High: UInt8 = 0xBF

    // Numbers and literals.
    var numberState = NumberState.minus
    var literal: StaticString = "true"
    var literalIndex = 0

    /// What strings said so far.
    package internal(set) var clues: JSONClues = []
    /// The last name was, or may have been, `type`.
    var nameIsType = false
    /// A string whose first bytes are kept, because its piece ended within them.
    var clueKind = ClueKind.none
    var clueCount = 0
    var clueBytes = InlineArray<20, UInt8>(repeating: 0)

    // Names, where they are compared.
    var name = [UInt8](repeating: 0, count: Limits.jsonNameBytes)
    var nameLength = 0
    var nameIsASCII = true
    var nameOffset = 0

    // Wanted members.
    var values: [JSONValue]
    var seen: UInt64 = 0
    /// Names are compared in the object at this depth, whose wanted member is `parent`.
    var trackedDepth = 1
    var parent = -1
    /// The wanted member whose value comes next or is being read at `trackedDepth`; -1 when none.
    var member = -1
    /// Index in the current piece from which the value of `member` must still be captured; -1 when nothing is.
    var captureFrom = -1

    package init(_ table: JSONTable) {
        self.table = table
        self.captures = []
        self.captures.reserveCapacity(table.captureBytes)
        self.values = Array(repeating: JSONValue(kind: .null, at: 0), count: table.wanted.count)
    }

    /// Makes the scanner ready for the next document; storage stays.
    package mutating func reset() {
        self.captures.removeAll(keepingCapacity: true)
        self.state = .start
        self.depth = 0
        self.position = 0
        self.rootIsEmpty = true
        self.inName = false
        self.clues = []
        self.nameIsType = false
        self.clueKind = .none
        self.highSurrogate = 0
        self.seen = 0
        self.trackedDepth = 1
        self.parent = -1
        self.member = -1
        self.captureFrom = -1
    }

    /// The value of wanted member `index`, or nil when the document has none (so far).
    package func value(_ index: Int) -> JSONValue? {
        guard index >= 0, index < self.values.count, self.seen &>> UInt64(index) & 1 == 1 else { return nil }
        return self.values[index]
    }

    /// Whether the outermost object is complete; only white space may follow.
    package var isComplete: Bool { self.state == .done }

    /// Says that no more bytes come.
    package func finish() throws(JSONError) {
        guard self.state == .done else { throw JSONError(code: .incomplete, offset: self.position, member: -1) }
    }

    /// Takes the next piece of the document.
    ///
    /// After an error the scanner must be reset; its captures are not to be used.
    package mutating func scan(_ bytes: Span<UInt8>) throws(JSONError) {
        let count = bytes.count
        if self.captureFrom >= 0 { self.captureFrom = 0 }
        if self.clueKind != .none { self.gatherOn(bytes, 0) }
        var index = 0
        while index < count {
            switch self.state {
            case .string:
                try self.scanString(bytes, &index)
            case .value, .elementOrEnd:
                try self.scanValueStart(bytes, &index)
            case .commaOrEnd:
                try self.scanAfterValue(bytes, &index)
            case .name, .nameOrEnd:
                try self.scanNameStart(bytes, &index)
            case .colon:
                let byte = bytes[index]
                index &+= 1
                if byte == 0x3A {
                    self.state = .value
                } else if !Self.isSpace(byte) {
                    throw self.error(.syntax, index &- 1)
                }
            case .number:
                try self.scanNumber(bytes, &index)
            case .literal:
                try self.scanLiteral(bytes, &index)
            case .escape:
                try self.scanEscape(bytes, &index)
            case .unicode:
                try self.scanUnicode(bytes, &index)
            case .utf8:
                try self.scanUTF8(bytes, &index)
            case .start:
                let byte = bytes[index]
                if byte == 0x7B {
                    self.rootOffset = self.position &+ index
                    try self.open(object: true, index)
                } else if !Self.isSpace(byte) {
                    throw self.error(Self.startsValue(byte) ? .notAnObject : .syntax, index)
                }
                index &+= 1
            case .done:
                guard Self.isSpace(bytes[index]) else { throw self.error(.trailingBytes, index) }
                index &+= 1
            }
        }
        if self.captureFrom >= 0 { try self.capture(bytes, self.captureFrom..<count) }
        self.position &+= count
    }

    // MARK: Structure

    @inline(__always)
    static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 }

    private static func startsValue(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x5B, 0x22, 0x2D, 0x30...0x39, 0x74, 0x66, 0x6E: true
        default: false
        }
    }

    @inline(never)
    func error(_ code: JSONError.Code, _ index: Int, member: Int = -1) -> JSONError {
        JSONError(code: code, offset: self.position &+ index, member: member)
    }

    private mutating func scanNameStart(_ bytes: Span<UInt8>, _ index: inout Int) throws(JSONError) {
        let byte = bytes[index]
        index &+= 1
        if byte == 0x22 {
            self.inName = true
            self.state = .string
            self.lookAtName(bytes, index)
            if self.depth == self.trackedDepth {
                self.nameLength = 0
                self.nameIsASCII = true
                self.nameOffset = self.position &+ index &- 1
                if self.depth == 1 { self.rootIsEmpty = false }
            }
        } else if byte == 0x7D, self.state == .nameOrEnd {
            self.close(index, empty: true)
        } else if !Self.isSpace(byte) {
            throw self.error(.syntax, index &- 1)
        }
    }

    private mutating func scanValueStart(_ bytes: Span<UInt8>, _ index: inout Int) throws(JSONError) {
        let byte = bytes[index]
        switch byte {
        case 0x20, 0x0A, 0x0D, 0x09:
            break
        case 0x22:
            if self.member >= 0 { self.begin(.string, index) }
            self.inName = false
            self.state = .string
            self.lookAtValue(bytes, index &+ 1)
        case 0x7B:
            if self.member >= 0 { self.begin(.object, index) }
            try self.open(object: true, index)
        case 0x5B:
            if self.member >= 0 { self.begin(.array, index) }
            try self.open(object: false, index)
        case 0x2D, 0x30...0x39:
            if self.member >= 0 { self.begin(.number, index) }
            self.numberState = byte == 0x2D ? .minus : byte == 0x30 ? .zero : .integer
            self.state = .number
        case 0x74:
            self.beginLiteral("true", .yes, index)
        case 0x66:
            self.beginLiteral("false", .no, index)
        case 0x6E:
            self.beginLiteral("null", .null, index)
        case 0x5D where self.state == .elementOrEnd:
            self.close(index &+ 1, empty: true)
        default:
            throw self.error(.syntax, index)
        }
        index &+= 1
    }

    @inline(__always)
    private mutating func scanAfterValue(_ bytes: Span<UInt8>, _ index: inout Int) throws(JSONError) {
        let byte = bytes[index]
        index &+= 1
        let inObject = self.isInObject
        if byte == 0x2C {
            self.state = inObject ? .name : .value
        } else if byte == (inObject ? 0x7D : 0x5D) {
            self.close(index, empty: false)
        } else if !Self.isSpace(byte) {
            throw self.error(.syntax, index &- 1)
        }
    }

    @inline(__always)
    private var isInObject: Bool {
        let bit = self.depth &- 1
        return self.containers[bit &>> 6 & 1] &>> UInt64(bit & 63) & 1 == 1
    }

    private mutating func open(object: Bool, _ index: Int) throws(JSONError) {
        guard self.depth < Limits.jsonDepth else { throw self.error(.tooDeep, index) }
        let bit = self.depth
        let mask: UInt64 = 1 &<< UInt64(bit & 63)
        if object { self.containers[bit &>> 6 & 1] |= mask } else { self.containers[bit &>> 6 & 1] &= ~mask }
        self.depth &+= 1
        self.state = object ? .nameOrEnd : .elementOrEnd
        if object, self.member >= 0, self.depth == self.trackedDepth &+ 1,
            self.table.parents &>> UInt64(self.member) & 1 == 1
        {
            self.parent = self.member
            self.member = -1
            self.trackedDepth = self.depth
        }
    }

    /// Closes the innermost container; `end` is the index after its bracket.
    private mutating func close(_ end: Int, empty: Bool) {
        if self.depth == self.trackedDepth, self.parent >= 0 {
            self.member = self.parent
            self.parent = self.table.wanted[self.parent].parent
            self.trackedDepth &-= 1
        }
        self.depth &-= 1
        if self.depth == 0 {
            self.state = .done
            return
        }
        if self.member >= 0, self.depth == self.trackedDepth {
            self.values[self.member].isEmpty = empty
            self.values[self.member].range = self.values[self.member].range.lowerBound..<(self.position &+ end)
            self.member = -1
        }
        self.state = .commaOrEnd
    }
}
