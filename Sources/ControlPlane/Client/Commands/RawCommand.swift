package import ArgumentParser

package struct RawCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "api", abstract: "Send a request as it stands, and print the answer as it comes.",
        discussion: """
              gatehouse api GET '/v1/usage?group_by=model'
              gatehouse api POST /v1/explain -f question.json
              gatehouse api GET /readyz
            """)

    @Argument(help: "GET, POST, PUT, PATCH or DELETE.") package var method: String
    @Argument(help: "The path, with its query, percent-encoded.") package var path: String
    @Option(help: ArgumentHelp("The revision that you have seen, or *.", valueName: "n")) package var revision: String?
    @OptionGroup package var change: ChangeOptions
    @OptionGroup package var options: GlobalOptions

    package init() {}

    /// The request that the words are for.
    package func request() throws(ClientError) -> ServerRequest {
        let method = self.method.uppercased()
        guard ["GET", "POST", "PUT", "PATCH", "DELETE"].contains(method) else {
            throw .usage("there is no method '\(method)'")
        }
        guard self.path.hasPrefix("/"), !self.path.hasPrefix("//"), self.path.utf8.count <= 8192,
            self.path.utf8.allSatisfy({ (0x21..<0x7F).contains($0) && $0 != UInt8(ascii: "#") })
        else { throw .usage("the path must begin with / and be percent-encoded") }
        var request = ServerRequest(method, self.path)
        if let file = self.change.file {
            request.body = try InputFiles.bytes(file, limit: ServerClient.answerLimit)
            let isPatch = method == "PATCH"
            let isJSON = (try? JSON(parsing: request.body ?? [])) != nil
            request.contentType =
                isPatch ? "application/merge-patch+json" : isJSON ? "application/json" : "application/octet-stream"
        }
        if let revision {
            request.headers.append((name: "if-match", value: revision == "*" ? "*" : "\"\(revision)\""))
        }
        request.headers += self.change.consent.headers
        if method == "POST", let key = self.change.extras().idempotencyKey {
            request.headers.append((name: "idempotency-key", value: key))
        }
        return request
    }

    package func run() async throws {
        let request = try self.request()
        try await self.options.session { session throws(ClientError) in
            let answer = try await session.perform(request)
            if session.report.format == .table {
                session.text(String(decoding: answer.body, as: UTF8.self))
                if session.console.width != nil { session.console.write("\n") }
            } else {
                session.show(answer)
            }
        }
    }
}
