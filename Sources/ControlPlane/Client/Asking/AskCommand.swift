package import ArgumentParser
import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import Shared

package struct AskCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "ask", abstract: "Send one chat request through a gateway, and show the answer as it comes.",
        discussion: """
            The virtual key is read from a file, from GATEHOUSE_KEY, or from standard input: never from the command line.

              gatehouse ask small "What is a lease?" --key-file key.txt --gateway https://eu.gatehouse.example
              gatehouse ask mock - < question.txt

            With -v it says the request's id, by which `gatehouse get decision req_…` and
            `gatehouse get usage/record req_…` tell what became of it.
            """)

    @Argument(help: "The model, as routes name it.") package var model: String
    @Argument(help: "The question; - for standard input.") package var text: String
    @Option(
        help: ArgumentHelp("A file with the virtual key; - for standard input.", valueName: "file"), completion: .file()
    )
    package var keyFile: String?
    @Option(help: "The gateway; GATEHOUSE_URL when absent, else http://127.0.0.1:8080.") package var gateway: String?
    @Option(
        help: ArgumentHelp("A PEM file of the authorities that signed the gateway's certificate.", valueName: "file"),
        completion: .file())
    package var ca: String?
    @Option(help: "What the model is told before.") package var system: String?
    @Option(help: "Most tokens of the answer.") package var maxTokens: Int?
    @Option(help: ArgumentHelp("What the request is for: name=value, several with commas.", valueName: "tags"))
    package var tags: String?
    @Option(help: ArgumentHelp("Seconds that the answer may take.", valueName: "seconds")) package var timeout: Int =
        300
    @Flag(name: .shortAndLong, help: "Say the request's id, and its tokens.") package var verbose = false

    package init() {}

    package func validate() throws {
        guard (1...86_400).contains(self.timeout) else { throw ValidationError("--timeout is 1 to 86400 seconds") }
        guard self.text != "-" || self.keyFile != "-" else {
            throw ValidationError("standard input has the question or the key, not both")
        }
        if let tags, !tags.utf8.allSatisfy({ (0x20..<0x7F).contains($0) }) {
            throw ValidationError("--tags is printable ASCII")
        }
    }

    package func run() async throws {
        let environment = ClientEnvironment.ofProcess(), console = Console.ofProcess()
        let address = try ServerAddress(self.gateway ?? environment["GATEHOUSE_URL"] ?? "http://127.0.0.1:8080")
        let key = try self.key(environment)
        let question = self.text == "-" ? try InputFiles.text("-", limit: 16 << 20) : self.text
        let http = try ServerClient.http(
            for: address,
            authorities: try self.ca.map { path throws(ClientError) in
                try InputFiles.bytes(path, limit: 1 << 20)
            })
        var client = ServerClient(address: address, http: http, token: key)
        client.timeout = .seconds(self.timeout)
        do {
            try await self.ask(question, client, console)
        } catch {
            try? await http.shutdown()
            throw error
        }
        try? await http.shutdown()
    }

    private func key(_ environment: ClientEnvironment) throws(ClientError) -> Secret<String> {
        if let path = self.keyFile { return try ServerContext.token(try InputFiles.text(path, limit: 4096)) }
        guard let key = environment["GATEHOUSE_KEY"] else {
            throw ClientError(
                .notSignedIn, "there is no virtual key",
                notes: ["--key-file FILE, or GATEHOUSE_KEY in the environment."])
        }
        return try ServerContext.token(key)
    }

    private func request(_ question: String) -> ServerRequest {
        var messages: [JSON] = [["role": "user", "content": .string(question)]]
        if let system { messages.insert(["role": "system", "content": .string(system)], at: 0) }
        var body: [String: JSON] = [
            "model": .string(self.model), "messages": .array(messages), "stream": true,
            "stream_options": ["include_usage": true],
        ]
        body["max_tokens"] = self.maxTokens.map { .number(String($0)) }
        var request = ServerRequest("POST", "/v1/chat/completions")
        request.body = Array(JSONWriter.line(.object(body)).utf8)
        if let tags { request.headers.append((name: "gatehouse-tags", value: tags)) }
        return request
    }

    private func ask(_ question: String, _ client: ServerClient, _ console: Console) async throws(ClientError) {
        var stream = ChatStream()
        var id: String?
        do {
            let deadline = NIODeadline.now() + .nanoseconds(client.timeout.nanoseconds)
            let prepared = client.prepared(self.request(question), accept: "text/event-stream, application/json")
            let response = try await client.http.execute(prepared, deadline: deadline)
            id = response.headers.first(name: "x-request-id").map { TerminalText.line($0) }
            guard response.status.code == 200 else {
                let body = try await response.body.collect(upTo: 1 << 20)
                throw Self.refusal(Int(response.status.code), Array(body.readableBytesView), id)
            }
            for try await part in response.body {
                let text = try stream.take(part.readableBytesView)
                console.write(console.width == nil ? text : TerminalText.lines(text))
            }
        } catch {
            throw client.failure(error)
        }
        console.write("\n")
        if self.verbose {
            if let id { console.note("x-request-id: \(id)") }
            if let usage = stream.usage { console.note("usage: \(Table.cell(usage))") }
        }
        let note = id.map { ["request " + $0] } ?? []
        if let failure = stream.failure {
            let message = failure["message"]?.string ?? JSONWriter.line(failure)
            throw ClientError(
                .unavailable, "the answer was cut: " + TerminalText.line(message.prefix(2000)), notes: note)
        }
        guard stream.isDone else { throw ClientError(.unavailable, "the answer ended too early", notes: note) }
    }

    /// An error in OpenAI's form.
    static func refusal(_ status: Int, _ body: [UInt8], _ id: String?) -> ClientError {
        let error = (try? JSON(parsing: body))?["error"]
        var message = error?["message"]?.string ?? "the gateway answered \(status)"
        if let code = error?["code"]?.string { message += " (\(code))" }
        return ClientError(
            ClientExit(status: status), TerminalText.line(message.prefix(2000)),
            notes: id.map { ["request " + $0] } ?? [])
    }
}
