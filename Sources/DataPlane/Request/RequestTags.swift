import Shared

/// Says which tags a request has: its key's own, and those of its `gatehouse-tags` field whose name the key has not.
///
/// The field is `name=value, name=value`: at most 16 pairs, spaces and tabs around them, no name twice.
package enum RequestTags {
    /// Bytes of the field: the longest set, with some room for white space.
    package static let fieldLimit = 2048

    /// The number of the request's tags in the loop's table; 0 for none.
    ///
    /// - Parameters:
    ///   - field: where the value of the field is, without surrounding white space; nil without one.
    ///   - node: the project's.
    ///   - key: the key's policy.
    ///   - tagged: empty; what the request counts for by its tags. It goes by what they are, also where they are counted
    ///     as `(other)`: a budget of a value holds however many values there are.
    package static func number(
        _ bytes: Span<UInt8>, _ field: Range<Int>?, node: Handle, key: Handle, policy: PolicyIndex, _ table: TagTable,
        _ tagged: inout TaggedHandles
    ) throws(GatewayError) -> Int {
        let project = policy.nodes[Int(node)].id
        let declared = policy.nodes[Int(node)].tags
        // Where each declared tag's value is: in the field, or in the key's own.
        var values = InlineArray<16, Range<Int>>(repeating: 0..<0)
        if let field { try Self.read(bytes, field, policy.tags, declared, &values) }
        table.begin()
        var clients: UInt32 = 0
        for index in 0..<min(declared.count, TagText.countLimit) {
            let declaration = policy.tags[declared.lowerBound + index]
            if let own = Self.own(declaration.name.span, key, policy) {
                table.add(declaration.name.span, own.span)
            } else if !values[index].isEmpty {
                clients |= 1 << UInt32(index)
                table.add(declaration.name.span, bytes.extracting(values[index]))
            } else if declaration.isRequired {
                throw Self.refusal(.tagRequired, declaration.name.span)
            }
        }
        let number = table.finish(project: project) { name in
            guard let index = Self.index(of: name, policy.tags, declared) else { return true }
            return clients >> UInt32(index) & 1 == 1
        }
        guard let number else { throw GatewayError(.noUsageSpace, source: .gateway, retryAfter: 5) }
        for index in policy.nodes[Int(node)].tagLookups {
            let lookup = policy.tagSubjects.lookups[Int(index)]
            let tag = Int(lookup.tag)
            guard tag < declared.count, tag < TagText.countLimit else { continue }
            let declaration = policy.tags[declared.lowerBound + tag]
            if let own = Self.own(declaration.name.span, key, policy) {
                Self.count(own.span, lookup, policy, &tagged)
            } else if !values[tag].isEmpty {
                Self.count(bytes.extracting(values[tag]), lookup, policy, &tagged)
            }
        }
        return number
    }

    private static func count(
        _ value: Span<UInt8>, _ lookup: TagSubjects.Lookup, _ policy: PolicyIndex, _ tagged: inout TaggedHandles
    ) {
        guard let found = policy.tagSubjects.find(lookup.group, value) else { return }
        tagged.budgets.add(found.budgets, of: policy.budgetPaths, after: lookup.budgetPlace)
        tagged.rateLimits.add(found.rateLimits, of: policy.rateLimitPaths, after: lookup.rateLimitPlace)
    }

    private static func read(
        _ bytes: Span<UInt8>, _ field: Range<Int>, _ tags: [TagEntry], _ declared: Range<Int>,
        _ values: inout InlineArray<16, Range<Int>>
    ) throws(GatewayError) {
        guard !field.isEmpty else { return }
        guard field.count <= Self.fieldLimit else { throw Self.malformed("The field is too long.") }
        var start = field.lowerBound
        var count = 0
        while start <= field.upperBound {
            var end = start
            var equals = -1
            while end < field.upperBound, bytes[end] != 0x2C {
                if equals < 0, bytes[end] == 0x3D { equals = end }
                end &+= 1
            }
            let pair = HTTPFields.trimmed(bytes, start..<end)
            guard equals > pair.lowerBound, equals < pair.upperBound else {
                throw Self.malformed("The field must be name=value pairs with commas in between.")
            }
            count &+= 1
            guard count <= TagText.countLimit else { throw Self.malformed("The field has more than 16 tags.") }
            let name = bytes.extracting(pair.lowerBound..<equals)
            guard TagText.isName(name) else {
                throw Self.malformed(
                    "A tag's name must be 1 to 40 small letters, digits or . _ -, beginning with a letter.")
            }
            guard TagText.isValue(bytes.extracting(equals &+ 1..<pair.upperBound)) else {
                throw Self.refusal(
                    .invalidTags, name,
                    "The value must be 1 to 64 printable ASCII characters but none of , = \" and no ( in front")
            }
            guard let index = Self.index(of: name, tags, declared) else { throw Self.refusal(.tagNotDeclared, name) }
            guard values[index].isEmpty else { throw Self.refusal(.invalidTags, name, "A tag occurs twice") }
            values[index] = equals &+ 1..<pair.upperBound
            start = end &+ 1
        }
    }

    private static func index(of name: Span<UInt8>, _ tags: [TagEntry], _ declared: Range<Int>) -> Int? {
        for index in declared where Self.same(tags[index].name, name) { return index - declared.lowerBound }
        return nil
    }

    /// The value that the key itself has for a name; nil when it has none.
    private static func own(_ name: Span<UInt8>, _ key: Handle, _ policy: PolicyIndex) -> [UInt8]? {
        guard key >= 0 else { return nil }
        for tag in policy.policies[Int(key)].tags where Self.same(tag.name, name) { return tag.value }
        return nil
    }

    private static func same(_ left: [UInt8], _ right: Span<UInt8>) -> Bool {
        guard left.count == right.count else { return false }
        for index in left.indices where left[index] != right[index] { return false }
        return true
    }

    private static func malformed(_ detail: StaticString) -> GatewayError {
        GatewayError(.invalidTags, parameter: "gatehouse-tags", detail: detail)
    }

    private static func refusal(
        _ code: GatewayError.Code, _ name: Span<UInt8>, _ detail: StaticString? = nil
    ) -> GatewayError {
        GatewayError(code, subject: .tag(TagName(name)), parameter: "gatehouse-tags", detail: detail)
    }
}
