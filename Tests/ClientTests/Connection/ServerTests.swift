import AdminClient
import NIOHTTP1
import Synchronization
import Testing

/// Servers that answer well, badly, or want harm.
@Suite(.timeLimit(.minutes(5))) struct ServerTests {
    /// What `body` fails with, against a server that answers so.
    private static func failure(
        _ reply: CannedServer.Reply, _ request: ServerRequest = ServerRequest("GET", "/v1/x")
    ) async throws -> (error: ClientError?, requests: [CannedServer.Request]) {
        let folder = try TemporaryFolder()
        let error = Mutex<ClientError?>(nil), requests = Mutex<[CannedServer.Request]>([])
        try await CannedServer.with({ _ in reply }) { server in
            try await server.session(Recording(), folder) { session throws(ClientError) in
                do throws(ClientError) {
                    _ = try await session.perform(request).json()
                } catch let failure {
                    error.withLock { $0 = failure }
                }
            }
            requests.withLock { $0 = server.requests }
        }
        return (error.withLock { $0 }, requests.withLock { $0 })
    }

    @Test(arguments: [
        (400, ClientExit.invalid), (401, .notSignedIn), (402, .forbidden), (403, .forbidden), (404, .notFound),
        (405, .invalid), (409, .conflict), (412, .conflict), (413, .invalid), (422, .invalid), (428, .conflict),
        (500, .failure), (501, .failure),
    ])
    func `a status has its exit code, and a problem is told`(_ status: Int, _ exit: ClientExit) async throws {
        let problem =
            #"{"code":"some_code","detail":"What is wrong.","pointer":"/amount_usd","instance":"req_1","title":"T"}"#
        let reply = CannedServer.Reply(
            status: status, headers: [("content-type", "application/problem+json")], body: Array(problem.utf8))
        let (error, requests) = try await Self.failure(reply)
        #expect(error?.exit == exit && requests.count == 1)
        #expect(error?.message == "What is wrong. (some_code)")
        #expect(error?.notes.contains("at /amount_usd") == true && error?.notes.contains("request req_1") == true)
    }

    @Test func `an approval that is needed is explained`() async throws {
        let problem =
            #"{"code":"approval_required","detail":"It needs an approval.","approval":"apr_1","instance":"req_1"}"#
        let (error, _) = try await Self.failure(.json(problem, status: 403))
        #expect(error?.exit == .forbidden)
        #expect(error?.description.contains("gatehouse approve approval apr_1") == true)
        #expect(error?.description.contains("--approval apr_1") == true)
    }

    @Test func `a redirect is not followed, and the token goes nowhere else`() async throws {
        let folder = try TemporaryFolder()
        try await CannedServer.with({ _ in .json("{}") }) { other in
            let place = try other.address.description
            try await CannedServer.with({ _ in .json("", status: 307, headers: [("location", place + "/v1/x")]) }) {
                server in
                try await server.session(Recording(), folder) { session throws(ClientError) in
                    do throws(ClientError) {
                        _ = try await session.perform(ServerRequest("GET", "/v1/x"))
                        Issue.record("it was followed")
                    } catch {
                        #expect(error.exit == .failure && error.message.contains(place))
                    }
                }
                #expect(server.requests.first?.headers.first(name: "authorization") == "Bearer gh_sa_secret")
            }
            #expect(other.requests.isEmpty)
        }
    }

    @Test func `an answer without end is not read to its end`() async throws {
        let huge = CannedServer.Reply(body: [UInt8](repeating: 0x20, count: ServerClient.answerLimit + 1))
        let (error, _) = try await Self.failure(huge)
        #expect(
            error?.exit == .failure && error?.message.contains("longer than 32 MiB") == true,
            "\(String(describing: error))")
    }

    @Test(arguments: ["{", "[1", String(repeating: "[", count: 100_000), "\"\\ud800\"", "nope"])
    func `what is no JSON is said to be none`(_ text: String) async throws {
        let (error, _) = try await Self.failure(.json(text))
        #expect(error?.exit == .failure && error?.message.contains("no JSON") == true)
    }

    @Test func `another media type is said`() async throws {
        let reply = CannedServer.Reply(
            headers: [("content-type", "text/html\u{9B}"), ("x-request-id", "req_9")], body: [1])
        let (error, _) = try await Self.failure(reply)
        #expect(error?.message.contains("not JSON but text/html") == true && error?.notes == ["request req_9"])
    }

    @Test(arguments: [
        #"{"detail":7,"code":[],"title":null}"#, "[]", "7", #"{"detail":"\u001b[2J","pointer":"\n"}"#,
        "{\"detail\":\"\u{202E}\"}",
    ])
    func `a problem of strange forms is still an error, in harmless letters`(_ text: String) async throws {
        let (error, _) = try await Self.failure(.json(text, status: 422))
        #expect(error?.exit == .invalid)
        let shown = error?.description ?? ""
        #expect(
            shown.unicodeScalars.allSatisfy { TerminalText.isHarmless($0) || $0 == "\n" }, "\(shown.debugDescription)")
    }

    @Test func `what the server did not do is sent again with the same key`() async throws {
        let folder = try TemporaryFolder()
        let count = Mutex(0)
        try await CannedServer.with({ _ in
            let isFirst = count.withLock { count in
                count += 1
                return count == 1
            }
            return isFirst
                ? .json("{}", status: 503, headers: [("retry-after", "0")]) : .json("{\"id\":\"x\"}", status: 201)
        }) { server in
            try await server.session(Recording(), folder) { session throws(ClientError) in
                var request = ServerRequest("POST", "/v1/organizations")
                request.body = Array("{}".utf8)
                request.headers.append((name: "idempotency-key", value: "k1"))
                #expect(try await session.perform(request).status == 201)
            }
            #expect(server.requests.map { $0.headers.first(name: "idempotency-key") } == ["k1", "k1"])
        }
    }

    @Test func `a change of unknown outcome is not sent again`() async throws {
        let reply = CannedServer.Reply.json(
            #"{"code":"outcome_unknown"}"#, status: 503, headers: [("retry-after", "0")])
        let (error, requests) = try await Self.failure(reply, ServerRequest("PATCH", "/v1/budgets/x"))
        #expect(error?.exit == .unavailable && requests.count == 1)
    }

    @Test func `sending again ends`() async throws {
        let (error, requests) = try await Self.failure(.json("{}", status: 429, headers: [("retry-after", "0")]))
        #expect(error?.exit == .unavailable && requests.count == RetryPolicy().attempts)
    }

    @Test func `nobody there is unavailable`() async throws {
        let folder = try TemporaryFolder()
        var context = ServerContext(server: try ServerAddress("http://127.0.0.1:1"))
        context.token = try ServerContext.token("t")
        let error = await #expect(throws: ClientError.self) {
            try await Session.with(
                context, environment: ClientEnvironment(["HOME": folder.path]), console: Recording().console(),
                format: .json, timeout: .seconds(5)
            ) { session throws(ClientError) in
                _ = try await session.perform(ServerRequest("GET", "/v1/me"))
            }
        }
        #expect(error?.exit == .unavailable)
    }

    @Test func `without a token nothing is sent`() async throws {
        let folder = try TemporaryFolder()
        let context = ServerContext(server: try ServerAddress("https://gatehouse.example"))
        let error = await #expect(throws: ClientError.self) {
            try await Session.with(
                context, environment: ClientEnvironment(["HOME": folder.path]), console: Recording().console(),
                format: .json, timeout: .seconds(5)
            ) { _ throws(ClientError) in Issue.record("it ran") }
        }
        #expect(error?.exit == .notSignedIn)
    }
}
