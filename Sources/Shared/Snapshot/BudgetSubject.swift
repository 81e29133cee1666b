/// Whose spending a budget, or whose use a rate limit bounds.
package enum BudgetSubject: Hashable, Sendable {
    /// Everything below an organization, a unit or a project.
    case node(NodeID)
    case key(VirtualKeyID)
    /// Every key that a user or a service account owns.
    case owner(UUIDValue)
}

/// The fields of a row that say whose use it bounds, while they are read: 3, 4 and 5, exactly one of them.
struct SubjectFields {
    private var node: NodeID?
    private var key: VirtualKeyID?
    private var owner: NodeID?

    /// Reads a field; false when it is not one of these.
    mutating func take(_ field: Int, _ reader: inout WireReader) throws(WireError) -> Bool {
        switch field {
        case 3: self.node = try reader.identifier("subject.node")
        case 4: self.key = try reader.identifier("subject.key")
        case 5: self.owner = try reader.identifier("subject.owner")
        default: return false
        }
        return true
    }

    func subject() throws(WireError) -> BudgetSubject {
        switch (self.node, self.key, self.owner) {
        case (let node?, nil, nil): .node(node)
        case (nil, let key?, nil): .key(key)
        case (nil, nil, let owner?): .owner(owner.value)
        default: throw .invalid("subject.node")
        }
    }
}

extension WireWriter {
    /// The fields that `SubjectFields` reads.
    mutating func subject(_ subject: BudgetSubject) {
        switch subject {
        case .node(let id): self.identifier(3, id)
        case .key(let id): self.identifier(4, id)
        case .owner(let id): self.bytes(5, id.bytes)
        }
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
