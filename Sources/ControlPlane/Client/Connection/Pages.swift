/// Reads a list page by page.
package struct Pages {
    private let session: Session
    private let plan: RequestMaker.Plan

    /// More than anybody reads; what needs more is exported.
    package static let limit = 100_000

    package init(_ session: Session, _ plan: RequestMaker.Plan) {
        self.session = session
        self.plan = plan
    }

    /// Whether the server writes the answer as text: `format=csv`.
    package var isText: Bool {
        self.plan.request.query.contains { $0.name == "format" && $0.value != "json" }
    }

    /// At most `limit` items, and whether there are more.
    package func items(limit: Int) async throws(ClientError) -> (items: [JSON], hasMore: Bool) {
        var items: [JSON] = []
        var cursors: Set<String> = []
        var cursor: String?
        while true {
            let answer = try await self.session.perform(self.request(after: cursor, most: limit - items.count))
            let page = try answer.json()
            guard let found = page["items"]?.array else {
                throw ClientError(.failure, "the server's answer is no page of a list", notes: answer.requestNote)
            }
            items += found.prefix(limit - items.count)
            cursor = page["next_cursor"]?.string
            guard let next = cursor else { return (items, found.count > limit) }
            guard items.count < limit else { return (items, true) }
            try Self.advance(next, &cursors, isEmpty: found.isEmpty)
        }
    }

    /// The pages of a list as the server writes them, each without the headings that the first one had.
    package func texts(_ one: (String) -> Void) async throws(ClientError) {
        var cursors: Set<String> = []
        var cursor: String?
        repeat {
            let answer = try await self.session.perform(self.request(after: cursor, most: Self.limit))
            var text = String(decoding: answer.body, as: UTF8.self)[...]
            if cursor != nil, let end = text.firstIndex(where: \.isNewline) { text = text[text.index(after: end)...] }
            one(String(text))
            cursor = answer.header("next-cursor")
            if let next = cursor { try Self.advance(next, &cursors, isEmpty: answer.body.isEmpty) }
        } while cursor != nil
    }

    /// A list that never ends is the server's mistake.
    private static func advance(_ next: String, _ cursors: inout Set<String>, isEmpty: Bool) throws(ClientError) {
        guard cursors.insert(next).inserted, cursors.count <= 10_000, !isEmpty else {
            throw ClientError(.failure, "the server's list does not end: its pages repeat themselves")
        }
    }

    private func request(after cursor: String?, most: Int) -> ServerRequest {
        var request = self.plan.request
        if let parameter = self.plan.operation.parameter("limit"),
            !request.query.contains(where: { $0.name == "limit" })
        {
            let size = min(Int64(max(1, most)), parameter.shape.maximum ?? 50)
            request.query.append((name: "limit", value: String(size)))
        }
        if let cursor {
            request.query.removeAll { $0.name == "cursor" }
            request.query.append((name: "cursor", value: cursor))
        }
        return request
    }
}
