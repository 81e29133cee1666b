/// What one can do with a noun.
package enum Verb: Hashable, Sendable, CustomStringConvertible {
    case get, list, create, update, add, delete
    /// `POST …/{id}/rotate`, by its last word.
    case action(String)

    package var description: String {
        switch self {
        case .get: "get"
        case .list: "list"
        case .create: "create"
        case .update: "update"
        case .add: "add"
        case .delete: "delete"
        case .action(let name): name
        }
    }
}

/// A noun of the API: what has a path of its own, with the operations on it.
package struct APIResource: Sendable {
    /// As in paths, without identifiers: `budgets`, `groups/members`; empty for what has no noun (`explain`).
    package let words: [String]
    package internal(set) var operations: [(verb: Verb, operation: APIOperation)] = []

    package var name: String { self.words.joined(separator: "/") }
    package var singular: String { self.words.map(Words.singular).joined(separator: "/") }
    package var title: String { self.words.last.map(Words.singular)?.replacing("-", with: " ") ?? "" }

    /// The prefix of its identifiers: `bud`; nil when it has none of its own.
    package var prefix: String? {
        for (verb, operation) in self.operations where verb == .get || verb == .list || verb == .create {
            if let prefixes = operation.item?.field("id")?.shape.prefixes, prefixes.count == 1 { return prefixes[0] }
        }
        return nil
    }

    package func operations(for verb: Verb) -> [APIOperation] {
        self.operations.filter { $0.verb == verb }.map(\.operation)
    }

    package var actions: [String] {
        self.operations.compactMap { if case .action(let name) = $0.verb { name } else { nil } }
    }

    /// What one of them looks like.
    package var item: Shape? {
        for verb in [Verb.get, .list, .create] {
            if let item = self.operations(for: verb).lazy.compactMap(\.item).first { return item }
        }
        return nil
    }
}

extension APIOperation {
    /// Which verb, on which noun, the operation is; nil for what is not under `/v1` or not for people.
    var place: (words: [String], verb: Verb)? {
        guard self.segments.first == "v1", self.caller == .bearer, let last = self.words.last else { return nil }
        switch self.method {
        case "GET": return (self.words, !self.endsInVariable && self.isPaged ? .list : .get)
        case "PATCH": return (self.words, .update)
        case "PUT": return (self.words, .add)
        case "DELETE": return (self.words, .delete)
        case "POST" where self.status == 201: return (self.words, .create)
        // What answers 200 or 202 does something with what the path names before its last word.
        case "POST" where !self.endsInVariable: return (self.words.dropLast(), .action(last))
        default: return nil
        }
    }
}
