/// A tag that requests of a project may carry, or must.
package struct TagDeclaration: WireMessage, Hashable {
    package var name: String
    /// A request that has it neither from its key nor in its header is refused.
    package var isRequired: Bool

    package init(name: String, isRequired: Bool) {
        self.name = name
        self.isRequired = isRequired
    }

    package init(from reader: inout WireReader) throws(WireError) {
        self.name = ""
        self.isRequired = false
        while let field = try reader.next() {
            switch field {
            case 1: self.name = try reader.text(limit: TagText.nameLimit, "tag.name")
            case 2: self.isRequired = try reader.bool("tag.required")
            default: try reader.skip()
            }
        }
        guard TagText.isName(self.name) else { throw .invalid("tag.name") }
    }

    package func write(to writer: inout WireWriter) {
        writer.text(1, self.name)
        writer.bool(2, self.isRequired)
    }
}

extension WireReader {
    /// Tags in their text form.
    @_lifetime(self: copy self)
    package mutating func tagSet(_ name: StaticString) throws(WireError) -> TagSet {
        guard let tags = TagSet(utf8: try self.bytes(limit: TagText.setLimit, name)) else { throw .invalid(name) }
        return tags
    }
}
