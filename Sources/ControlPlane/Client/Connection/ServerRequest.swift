/// A request, before it is known which server it goes to.
package struct ServerRequest: Sendable {
    package var method: String
    /// Percent-encoded.
    package var path: String
    package var query: [(name: String, value: String)] = []
    package var headers: [(name: String, value: String)] = []
    package var body: [UInt8]?
    package var contentType = "application/json"

    package init(_ method: String, _ path: String) {
        self.method = method
        self.path = path
    }

    package func header(_ name: String) -> String? { self.headers.first { $0.name == name }?.value }

    package var target: String { self.path + (self.query.isEmpty ? "" : "?" + PercentCoding.query(self.query)) }

    /// Whether sending it twice does what sending it once does.
    var isRepeatable: Bool {
        switch self.method {
        case "GET", "PUT": true
        case "POST": self.header("idempotency-key") != nil
        // A second one would meet what the first one did: not there, or another revision.
        default: false
        }
    }
}

/// An answer, read to its end.
package struct ServerAnswer: Sendable {
    package let status: Int
    /// By lower-case name.
    package let headers: [(name: String, value: String)]
    package let body: [UInt8]

    package init(status: Int, headers: [(name: String, value: String)] = [], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    package func header(_ name: String) -> String? { self.headers.first { $0.name == name }?.value }
    package var requestID: String? { self.header("x-request-id") }
    package var isJSON: Bool {
        let type = self.header("content-type")?.prefix { $0 != ";" }.lowercased() ?? ""
        return type == "application/json" || type.hasSuffix("+json")
    }

    /// The body as JSON; null when there is none.
    package func json() throws(ClientError) -> JSON {
        if self.body.isEmpty { return .null }
        guard self.isJSON else {
            let type = TerminalText.line(self.header("content-type") ?? "nothing")
            throw ClientError(.failure, "the server's answer is not JSON but \(type)", notes: self.requestNote)
        }
        do {
            return try JSON(parsing: self.body)
        } catch {
            throw ClientError(.failure, "the server's answer is no JSON: \(error)", notes: self.requestNote)
        }
    }

    var requestNote: [String] { self.requestID.map { ["request " + TerminalText.line($0)] } ?? [] }

    /// What a refusal says, for a person; nil for success.
    package var problem: ClientError? {
        guard !(200..<300).contains(self.status) else { return nil }
        let exit = ClientExit(status: self.status)
        if (300..<400).contains(self.status) {
            let place = self.header("location").map { " to " + TerminalText.line($0.prefix(200)) } ?? ""
            return ClientError(
                .failure, "the server sends us on\(place), and a token is shown to nobody else",
                notes: ["Sign in there if that is right: gatehouse login --server URL"])
        }
        let json = self.isJSON ? try? JSON(parsing: self.body) : nil
        func said(_ name: String) -> String? { json?[name]?.string.map { TerminalText.line($0.prefix(2000)) } }
        var message = said("detail") ?? said("title") ?? "the server answered \(self.status)"
        if let code = said("code") { message += " (\(code))" }
        var notes: [String] = []
        if let pointer = said("pointer"), !pointer.isEmpty { notes.append("at " + pointer) }
        if let approval = said("approval"), json?["code"]?.string == "approval_required" {
            notes += [
                "It waits for somebody else to approve it, who runs:",
                "  gatehouse approve approval \(approval)",
                "When that is done, repeat this command with --approval \(approval)",
            ]
        }
        if exit == .notSignedIn { notes.append("gatehouse login signs you in; gatehouse context show says where.") }
        notes += (said("instance") ?? self.requestID.map { TerminalText.line($0) }).map { ["request " + $0] } ?? []
        return ClientError(exit, message, notes: notes)
    }
}
