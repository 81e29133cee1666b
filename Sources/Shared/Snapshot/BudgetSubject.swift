/// Whose spending a budget, or whose use a rate limit bounds.
package enum BudgetSubject: Hashable, Sendable {
    /// Everything below an organization, a unit or a project.
    case node(NodeID)
    case key(VirtualKeyID)
    /// Every key that a user or a service account owns.
    case owner(UUIDValue)
    /// Of what is below a node, requests with a tag.
    case tag(NodeID, SubjectTag)

    package var tag: SubjectTag? {
        guard case .tag(_, let tag) = self else { return nil }
        return tag
    }
}

/// A tag as requests have it: its name and its value.
package struct SubjectTag: WireMessage, Hashable, Comparable {
    package let name: String
    package let value: String

    /// Budgets, or rate limits, that one request counts for by its tags, at most.
    package static let limitOfRequest = 4

    /// Nil for what no request can have.
    package init?(name: String, value: String) {
        guard TagText.isName(name), TagText.isValue(value) else { return nil }
        self.name = name
        self.value = value
    }

    package init(from reader: inout WireReader) throws(WireError) {
        var name = ""
        var value = ""
        while let field = try reader.next() {
            switch field {
            case 1: name = try reader.text(limit: TagText.nameLimit, "subject.tag.name")
            case 2: value = try reader.text(limit: TagText.valueLimit, "subject.tag.value")
            default: try reader.skip()
            }
        }
        guard let tag = Self(name: name, value: value) else { throw .invalid("subject.tag") }
        self = tag
    }

    package func write(to writer: inout WireWriter) {
        writer.text(1, self.name)
        writer.text(2, self.value)
    }

    package static func < (left: Self, right: Self) -> Bool {
        (left.name, left.value) < (right.name, right.value)
    }
}

/// The fields of a row that say whose use it bounds, while they are read: exactly one of 3, 4 and 5; with 3, perhaps 20.
struct SubjectFields {
    private var node: NodeID?
    private var key: VirtualKeyID?
    private var owner: NodeID?
    private var tag: SubjectTag?

    /// Reads a field; false when it is not one of these.
    mutating func take(_ field: Int, _ reader: inout WireReader) throws(WireError) -> Bool {
        switch field {
        case 3: self.node = try reader.identifier("subject.node")
        case 4: self.key = try reader.identifier("subject.key")
        case 5: self.owner = try reader.identifier("subject.owner")
        case 20: self.tag = try reader.value()
        default: return false
        }
        return true
    }

    func subject() throws(WireError) -> BudgetSubject {
        switch (self.node, self.key, self.owner, self.tag) {
        case (let node?, nil, nil, nil): .node(node)
        case (let node?, nil, nil, let tag?): .tag(node, tag)
        case (nil, let key?, nil, nil): .key(key)
        case (nil, nil, let owner?, nil): .owner(owner.value)
        default: throw .invalid("subject.node")
        }
    }
}

extension WireWriter {
    /// Those of the fields that `SubjectFields` reads whose numbers are low.
    mutating func subject(_ subject: BudgetSubject) {
        switch subject {
        case .node(let id), .tag(let id, _): self.identifier(3, id)
        case .key(let id): self.identifier(4, id)
        case .owner(let id): self.bytes(5, id.bytes)
        }
    }

    /// The last of these fields: its number is above those of a row's own.
    mutating func subjectTag(_ subject: BudgetSubject) {
        if case .tag(_, let tag) = subject { self.message(20, tag) }
    }
}

/// What a budget or a rate limit may be narrowed to: some models, or some providers.
package enum SubjectNarrowing {
    /// Models or providers, at most.
    package static let limit = 64
}

extension WireReader {
    /// One more of what a row is narrowed to.
    @_lifetime(self: copy self)
    mutating func narrowing<Kind: IdentifierKind>(
        _ list: inout [Identifier<Kind>], _ name: StaticString
    ) throws(WireError) {
        list.append(try self.identifier(name))
        guard list.count <= SubjectNarrowing.limit else { throw .invalid(name) }
    }
}
