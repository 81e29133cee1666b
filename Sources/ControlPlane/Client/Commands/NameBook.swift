/// Names of things that answers only have identifiers of, as far as the caller may read them.
struct NameBook: Sendable {
    private var names: [String: String] = [:]
    /// Most things that are asked for.
    private static let limit = 40

    /// What is not found, or may not be seen, keeps its identifier; a kind that is refused once is not asked for again.
    static func read(_ ids: [String], _ session: Session) async -> NameBook {
        var book = NameBook()
        guard case .table = session.report.format, let catalogue = try? await session.plan({ $0 }) else { return book }
        var refused: Swift.Set<String> = []
        for id in Swift.Set(ids).sorted().prefix(Self.limit) {
            guard let prefix = Words.prefix(ofIdentifier: id), !refused.contains(prefix),
                let (target, _) = try? catalogue.target(.get, id, []), target.ids == [id]
            else { continue }
            let request = ServerRequest("GET", target.operation.path(with: target.ids))
            guard let answer = try? await session.client.send(request), answer.status == 200,
                let thing = try? answer.json()
            else {
                refused.insert(prefix)
                continue
            }
            book.names[id] = ["login", "alias", "name"].lazy.compactMap { thing[$0]?.string }.first
        }
        return book
    }

    /// `ann@acme.example (usr_…)`; without a name the identifier.
    func text(_ id: String) -> String {
        let id = TerminalText.line(id)
        return self.names[id].map { "\(TerminalText.line($0)) (\(id))" } ?? id
    }

    func text(_ value: JSON?) -> String {
        guard let id = value?.string else { return "the whole instance" }
        return self.text(id)
    }
}
