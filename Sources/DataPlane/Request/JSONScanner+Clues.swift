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
/// Where a string cannot be seen whole, because its piece ends or it is written with escapes, it is taken for the worst
/// that it may be: that costs a reservation, never an overspent budget.
extension JSONScanner {
    /// A member's name begins at `index`.
    @inline(__always)
    mutating func lookAtName(_ bytes: Span<UInt8>, _ index: Int) {
        guard index < bytes.count else {
            self.clues.insert(.references)
            self.nameIsType = true
            return
        }
        switch bytes[index] {
        // i, f, v, t and the escape.
        case 0x69, 0x66, 0x76, 0x74, 0x5C: self.lookCloserAtName(bytes, index)
        default: self.nameIsType = false
        }
    }

    /// A string value begins at `index`.
    @inline(__always)
    mutating func lookAtValue(_ bytes: Span<UInt8>, _ index: Int) {
        guard self.nameIsType else { return }
        self.nameIsType = false
        self.lookAtType(bytes, index)
    }

    @inline(never)
    private mutating func lookCloserAtName(_ bytes: Span<UInt8>, _ index: Int) {
        self.nameIsType = Self.mayBe("type\"", bytes, index)
        if Self.mayBe("image_url\"", bytes, index) || Self.mayBe("file_id\"", bytes, index)
            || Self.mayBe("file_url\"", bytes, index) || Self.mayBe("file_data\"", bytes, index)
            || Self.mayBe("video_url\"", bytes, index)
        {
            self.clues.insert(.references)
        }
    }

    @inline(never)
    private mutating func lookAtType(_ bytes: Span<UInt8>, _ index: Int) {
        // What text, calls and functions are called; of anything else nobody knows what it takes.
        let known: Bool =
            Self.is("function\"", bytes, index) || Self.is("text\"", bytes, index)
            || Self.is("input_text\"", bytes, index) || Self.is("output_text\"", bytes, index)
            || Self.is("object\"", bytes, index) || Self.is("string\"", bytes, index)
        if known { return }
        if Self.mayBe("item_reference\"", bytes, index) || Self.mayBe("input_image\"", bytes, index)
            || Self.mayBe("input_file\"", bytes, index)
        {
            self.clues.insert(.references)
        }
        if Self.mayBe("file_search\"", bytes, index) || Self.mayBe("web_search", bytes, index)
            || Self.mayBe("code_interpreter\"", bytes, index) || Self.mayBe("image_generation\"", bytes, index)
            || Self.mayBe("mcp\"", bytes, index) || Self.mayBe("computer", bytes, index)
            || Self.mayBe("local_shell\"", bytes, index) || Self.mayBe("shell\"", bytes, index)
        {
            self.clues.insert(.hostedTools)
        }
    }

    /// Whether the bytes from `index` on are `text`.
    private static func `is`(_ text: StaticString, _ bytes: Span<UInt8>, _ index: Int) -> Bool {
        let count = text.utf8CodeUnitCount
        guard bytes.count &- index >= count else { return false }
        let wanted = unsafe text.utf8Start
        for offset in 0..<count where unsafe bytes[index &+ offset] != wanted[offset] { return false }
        return true
    }

    /// The same; also where the piece ends before it differs, or where an escape follows.
    private static func mayBe(_ text: StaticString, _ bytes: Span<UInt8>, _ index: Int) -> Bool {
        let wanted = unsafe text.utf8Start
        for offset in 0..<text.utf8CodeUnitCount {
            guard index &+ offset < bytes.count else { return true }
            let byte = bytes[index &+ offset]
            if byte == 0x5C { return true }
            guard unsafe byte == wanted[offset] else { return false }
        }
        return true
    }
}
