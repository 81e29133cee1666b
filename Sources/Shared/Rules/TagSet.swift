/// What a tag may look like, wherever it comes from: the API, a request's header, a snapshot, a spool.
package enum TagText {
    /// Bytes of a name: a small letter, then small letters, digits or `_.-`.
    package static let nameLimit = 40
    /// Bytes of a value: printable ASCII without `,`, `=` and `"`, no space at either end, not beginning with `(`.
    package static let valueLimit = 64
    /// Tags that a project declares, and that a request has.
    package static let countLimit = 16
    /// Bytes of a whole set in its text form.
    package static let setLimit = TagText.countLimit * (TagText.nameLimit + TagText.valueLimit + 2)
    /// The value that stands for all those beyond a bound; no caller may send it.
    package static let other = "(other)"

    /// What a name is, to be said after "must be".
    package static let nameRule = "1 to 40 small letters, digits or . _ -, beginning with a letter"
    /// What a value is, to be said after "must be".
    package static let valueRule =
        "1 to 64 printable ASCII characters without comma, equals sign and quote, without space at the ends, not"
        + " beginning with '('"

    package static func isName(_ bytes: Span<UInt8>) -> Bool {
        guard !bytes.isEmpty, bytes.count <= Self.nameLimit, bytes[0] &- 0x61 < 26 else { return false }
        for index in bytes.indices where !Self.isNameByte(bytes[index]) { return false }
        return true
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        byte &- 0x61 < 26 || byte &- 0x30 < 10 || byte == 0x5F || byte == 0x2E || byte == 0x2D
    }

    package static func isValue(_ bytes: Span<UInt8>) -> Bool {
        guard !bytes.isEmpty, bytes.count <= Self.valueLimit, bytes[0] != 0x28, bytes[0] != 0x20,
            bytes[bytes.count &- 1] != 0x20
        else { return false }
        for index in bytes.indices {
            let byte = bytes[index]
            guard byte >= 0x20, byte < 0x7F, byte != 0x2C, byte != 0x3D, byte != 0x22 else { return false }
        }
        return true
    }

    package static func isName(_ text: String) -> Bool { Self.isName(Array(text.utf8).span) }
    package static func isValue(_ text: String) -> Bool { Self.isValue(Array(text.utf8).span) }
}

/// The tags of a request or a key: at least one, in their one text form `name=value,name=value`, names ascending by
/// their bytes and none twice.
///
/// Equal sets have equal bytes.
package struct TagSet: Hashable, Sendable {
    /// The text form.
    package let utf8: [UInt8]

    package var text: String { String(decoding: self.utf8, as: UTF8.self) }

    /// Reads the text form; nil for anything else, also for what is not in order.
    package init?(utf8: [UInt8]) {
        guard let pairs = Self.ranges(utf8), pairs.count <= TagText.countLimit else { return nil }
        var previous = 0..<0
        for pair in pairs {
            guard TagText.isName(utf8.span.extracting(pair.name)), Self.isStored(utf8[pair.value]),
                previous.isEmpty || utf8[previous].lexicographicallyPrecedes(utf8[pair.name])
            else { return nil }
            previous = pair.name
        }
        self.utf8 = utf8
    }

    /// Nil when there is no tag, too many, or one that is none.
    package init?(_ tags: [String: String]) {
        let sorted = tags.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
        self.init(utf8: Array(sorted.map { "\($0.key)=\($0.value)" }.joined(separator: ",").utf8))
    }

    /// The tags by name.
    package var tags: [String: String] {
        var tags: [String: String] = [:]
        for pair in Self.ranges(self.utf8) ?? [] {
            let name = String(decoding: self.utf8[pair.name], as: UTF8.self)
            tags[name] = String(decoding: self.utf8[pair.value], as: UTF8.self)
        }
        return tags
    }

    /// Where names and values are, in order.
    package var ranges: [(name: Range<Int>, value: Range<Int>)] { Self.ranges(self.utf8) ?? [] }

    private static func ranges(_ utf8: [UInt8]) -> [(name: Range<Int>, value: Range<Int>)]? {
        guard utf8.count <= TagText.setLimit else { return nil }
        var pairs: [(name: Range<Int>, value: Range<Int>)] = []
        var start = 0
        while start <= utf8.count {
            let end = utf8[start...].firstIndex(of: 0x2C) ?? utf8.count
            guard let equals = utf8[start..<end].firstIndex(of: 0x3D) else { return nil }
            pairs.append((start..<equals, equals + 1..<end))
            start = end + 1
        }
        return pairs
    }

    private static func isStored(_ value: ArraySlice<UInt8>) -> Bool {
        TagText.isValue(Array(value).span) || value.elementsEqual(TagText.other.utf8)
    }
}
