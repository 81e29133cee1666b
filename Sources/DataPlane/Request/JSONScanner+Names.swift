/// Comparing member names: exactly, and as the most careless decoder would.
extension JSONScanner {
    /// Adds one unescaped byte to the name being read.
    @inline(__always)
    mutating func appendToName(_ byte: UInt8) {
        if self.nameLength < Limits.jsonNameBytes { self.name[self.nameLength] = byte }
        self.nameIsASCII = self.nameIsASCII && byte < 0x80
        self.nameLength &+= 1
    }

    /// Adds a run of plain ASCII bytes.
    mutating func appendToName(_ bytes: Span<UInt8>, _ range: Range<Int>) {
        let room = max(Limits.jsonNameBytes &- self.nameLength, 0)
        for offset in 0..<min(range.count, room) {
            self.name[self.nameLength &+ offset] = bytes[range.lowerBound &+ offset]
        }
        self.nameLength &+= range.count
    }

    /// Adds an unescaped code point.
    mutating func appendToName(scalar: UInt32) {
        switch scalar {
        case 0..<0x80:
            self.appendToName(UInt8(truncatingIfNeeded: scalar))
        case 0..<0x800:
            self.appendToName(UInt8(truncatingIfNeeded: 0xC0 | scalar &>> 6))
            self.appendToName(UInt8(truncatingIfNeeded: 0x80 | scalar & 0x3F))
        case 0..<0x10000:
            self.appendToName(UInt8(truncatingIfNeeded: 0xE0 | scalar &>> 12))
            self.appendToName(UInt8(truncatingIfNeeded: 0x80 | scalar &>> 6 & 0x3F))
            self.appendToName(UInt8(truncatingIfNeeded: 0x80 | scalar & 0x3F))
        default:
            self.appendToName(UInt8(truncatingIfNeeded: 0xF0 | scalar &>> 18))
            self.appendToName(UInt8(truncatingIfNeeded: 0x80 | scalar &>> 12 & 0x3F))
            self.appendToName(UInt8(truncatingIfNeeded: 0x80 | scalar &>> 6 & 0x3F))
            self.appendToName(UInt8(truncatingIfNeeded: 0x80 | scalar & 0x3F))
        }
    }

    /// Finds the wanted member this name is, if any; the value that follows belongs to it.
    mutating func resolveName() throws(JSONError) {
        self.member = -1
        // A name of which bytes were not kept cannot fold to a wanted one: those are far shorter.
        guard self.nameLength <= Limits.jsonNameBytes else { return }
        let key = JSONTable.key(self.nameLength, self.name[0], in: self.parent)
        for index in self.table.keys.indices where !self.nameIsASCII || self.table.keys[index] == key {
            guard self.table.wanted[index].parent == self.parent else { continue }
            switch self.compareName(with: self.table.wanted[index].name) {
            case .different:
                continue
            case .same:
                if self.seen &>> UInt64(index) & 1 == 1 {
                    throw JSONError(code: .duplicateMember, offset: self.nameOffset, member: index)
                }
                self.member = index
            case .alike:
                throw JSONError(code: .ambiguousMember, offset: self.nameOffset, member: index)
            }
            return
        }
    }

    private enum Likeness { case same, alike, different }

    /// Compares with ASCII case folding and the two non-ASCII letters that fold to ASCII ones (Unicode simple folding).
    ///
    /// Mutating although it changes nothing: borrowing `self` out of an `inout` copies all of it.
    private mutating func compareName(with wanted: StaticString) -> Likeness {
        let length = wanted.utf8CodeUnitCount
        guard self.nameLength == length || (!self.nameIsASCII && self.nameLength > length) else { return .different }
        let text = unsafe wanted.utf8Start
        var exact = true
        var at = 0
        for index in 0..<length {
            guard at < self.nameLength else { return .different }
            let expected = unsafe text[index]
            let byte = self.name[at]
            if byte == expected {
                at &+= 1
                continue
            }
            exact = false
            if byte &- 0x41 < 26, byte | 0x20 == expected {
                at &+= 1
            } else if expected == 0x73, byte == 0xC5, at &+ 1 < self.nameLength, self.name[at &+ 1] == 0xBF {
                at &+= 2  // U+017F, long s
            } else if expected == 0x6B, byte == 0xE2, at &+ 2 < self.nameLength, self.name[at &+ 1] == 0x84,
                self.name[at &+ 2] == 0xAA
            {
                at &+= 3  // U+212A, kelvin sign
            } else {
                return .different
            }
        }
        guard at == self.nameLength else { return .different }
        return exact ? .same : .alike
    }
}
