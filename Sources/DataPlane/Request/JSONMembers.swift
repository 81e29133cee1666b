/// One member name the gateway acts on, and what to keep of its value.
package struct JSONWanted: Sendable {
    /// What happens when a string or number is longer than `capture`.
    package enum Oversize: Sendable { case refuse, forget }

    /// The name after unescaping; ASCII, lower case.
    package let name: StaticString
    /// Index of the wanted member whose object this one is in; -1 is the document itself.
    package let parent: Int
    /// Bytes kept of a string (without its quotes, still escaped) or a number; 0 keeps none.
    package let capture: Int
    package let oversize: Oversize

    package init(_ name: StaticString, in parent: Int = -1, capture: Int = 0, oversize: Oversize = .refuse) {
        self.name = name
        self.parent = parent
        self.capture = capture
        self.oversize = oversize
    }
}

/// The members one kind of document is searched for.
///
/// A table is made once per process; every scanner of that document kind shares it. A parent stands before its
/// children.
package struct JSONTable: Sendable {
    package let wanted: [JSONWanted]
    /// The sum of all captures: the most a scanner can hold.
    let captureBytes: Int
    /// Bit n is set when wanted member n has children.
    let parents: UInt64
    /// Per wanted member, what tells most names apart in one comparison; see `key`.
    let keys: [UInt32]

    /// Tables are literals in this module; one that does not fit the scanner's words is a programming error.
    package init(_ wanted: [JSONWanted]) {
        precondition(wanted.count <= Limits.jsonMemberCount, "a JSON table has at most 64 members")
        var parents: UInt64 = 0
        var bytes = 0
        var keys: [UInt32] = []
        for (index, member) in wanted.enumerated() {
            precondition(member.parent < index && member.parent >= -1, "a parent stands before its children")
            if member.parent >= 0 { parents |= 1 << UInt64(member.parent) }
            bytes += member.capture
            keys.append(Self.key(member.name.utf8CodeUnitCount, unsafe member.name.utf8Start[0], in: member.parent))
        }
        self.wanted = wanted
        self.parents = parents
        self.captureBytes = bytes
        self.keys = keys
    }

    /// Length, first byte in lower case and parent of an ASCII name.
    @inline(__always)
    static func key(_ length: Int, _ first: UInt8, in parent: Int) -> UInt32 {
        UInt32(truncatingIfNeeded: length) &<< 16 | UInt32(first | 0x20) &<< 8 | UInt32(truncatingIfNeeded: parent &+ 1)
    }
}

/// The type of a JSON value.
package enum JSONKind: UInt8, Sendable {
    case string, number, object, array, yes, no, null
}

/// Where a wanted member's value is and what it is.
package struct JSONValue: Sendable {
    package internal(set) var kind: JSONKind
    /// An object or array without any element.
    package internal(set) var isEmpty: Bool
    /// Where its bytes are in the scanner's captures; empty when none were kept.
    package internal(set) var captured: Range<Int>
    /// The value in the document, as absolute offsets, quotes or brackets included.
    package internal(set) var range: Range<Int>

    init(kind: JSONKind, at offset: Int) {
        self.kind = kind
        self.isEmpty = false
        self.captured = 0..<0
        self.range = offset..<offset
    }
}

/// Why a document was refused, and where.
package struct JSONError: Error, Equatable {
    package enum Code: Sendable, Equatable {
        /// The bytes are not JSON (RFC 8259) at the offset.
        case syntax
        /// A string holds bytes that are not UTF-8.
        case notUTF8
        /// The document is not an object.
        case notAnObject
        /// More nesting than `Limits.jsonDepth`.
        case tooDeep
        /// The document ended before it was complete.
        case incomplete
        /// Something other than white space follows the document.
        case trailingBytes
        /// A member that is acted on occurs twice.
        case duplicateMember
        /// A name that differs from one acted on only in letter case, or only for decoders that drop bytes.
        case ambiguousMember
        /// The value of a member acted on is longer than its bound.
        case memberTooLong
    }

    package let code: Code
    /// Absolute offset of the byte that could not be accepted.
    package let offset: Int
    /// Index in the table of the member it is about; -1 when it is about none.
    package let member: Int

    package init(code: Code, offset: Int, member: Int) {
        self.code = code
        self.offset = offset
        self.member = member
    }
}
