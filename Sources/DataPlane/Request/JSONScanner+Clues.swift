/// What strings of a body, wherever they stand, say about what is not in the body itself.
package struct JSONClues: OptionSet, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }
    /// Something the provider fetches or has: an image by address, a file, an earlier item.
    package static let references = JSONClues(rawValue: 1)
    /// A `type` that is one of the provider's own tools, which it runs as often as it likes.
    package static let hostedTools = JSONClues(rawValue: 2)
}

/// Looking at the beginning of strings for what cannot be bounded by the length of the body.
///
/// Where one of the words that matter is written with escapes, it is taken for the worst that it may be: that costs a
/// reservation or a refusal, never an overspent budget.
extension JSONScanner {
    /// As many bytes as tell every word apart, its closing quote included.
    static let clueLength = 20

    /// A member's name begins at `index`.
    @inline(__always)
    mutating func lookAtName(_ bytes: Span<UInt8>, _ index: Int) {
        guard bytes.count &- index >= Self.clueLength else {
            self.gather(.name, bytes, index)
            return
        }
        switch bytes[index] {
        // i, f, v, t and the escape.
        case 0x69, 0x66, 0x76, 0x74, 0x5C: self.decide(.name, bytes.extracting(index..<index &+ Self.clueLength))
        default: self.nameIsType = false
        }
    }

    /// A string value begins at `index`.
    @inline(__always)
    mutating func lookAtValue(_ bytes: Span<UInt8>, _ index: Int) {
        guard self.nameIsType else { return }
        self.nameIsType = false
        guard bytes.count &- index >= Self.clueLength else {
            self.gather(.type, bytes, index)
            return
        }
        self.decide(.type, bytes.extracting(index..<index &+ Self.clueLength))
    }

    /// Begins to keep a string's first bytes, because its piece may end before it is told apart.
    @inline(never)
    private mutating func gather(_ kind: ClueKind, _ bytes: Span<UInt8>, _ index: Int) {
        self.clueKind = kind
        self.clueCount = 0
        self.gatherOn(bytes, index)
    }

    /// Goes on with the next piece.
    mutating func gatherOn(_ bytes: Span<UInt8>, _ start: Int) {
        var index = start
        while index < bytes.count {
            let byte = bytes[index]
            self.clueBytes[self.clueCount] = byte
            self.clueCount &+= 1
            index &+= 1
            // The closing quote; one that is escaped tells nothing apart that matters.
            if byte == 0x22 || self.clueCount == Self.clueLength {
                let (kind, kept) = (self.clueKind, self.clueBytes)
                self.clueKind = .none
                self.decide(kind, kept.span.extracting(0..<self.clueCount))
                return
            }
        }
    }

    @inline(never)
    private mutating func decide(_ kind: ClueKind, _ text: Span<UInt8>) {
        switch kind {
        case .none: break
        case .name:
            self.nameIsType = Self.mayBe("type\"", text)
            if Self.mayBe("image_url\"", text) || Self.mayBe("file_id\"", text) || Self.mayBe("file_url\"", text)
                || Self.mayBe("file_data\"", text) || Self.mayBe("video_url\"", text)
            {
                self.clues.insert(.references)
            }
        case .type:
            if Self.mayBe("item_reference\"", text) || Self.mayBe("input_image\"", text)
                || Self.mayBe("input_file\"", text)
            {
                self.clues.insert(.references)
            }
            if Self.mayBe("file_search\"", text) || Self.mayBe("web_search", text)
                || Self.mayBe("code_interpreter\"", text) || Self.mayBe("image_generation\"", text)
                || Self.mayBe("mcp\"", text) || Self.mayBe("computer", text) || Self.mayBe("local_shell\"", text)
                || Self.mayBe("shell\"", text)
            {
                self.clues.insert(.hostedTools)
            }
        }
    }

    /// Whether a string begins with `word`, or may, once its escapes are read.
    private static func mayBe(_ word: StaticString, _ text: Span<UInt8>) -> Bool {
        let wanted = unsafe word.utf8Start
        for offset in 0..<word.utf8CodeUnitCount {
            guard offset < text.count else { return false }
            let byte = text[offset]
            if byte == 0x5C { return true }
            guard unsafe byte == wanted[offset] else { return false }
        }
        return true
    }
}

/// Which string's first bytes are being kept.
enum ClueKind: UInt8 { case none, name, type }
