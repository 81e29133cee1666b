import AdminClient
import NIOHTTP1
import Synchronization
import Testing

/// Commands at work against a server that answers what a test says.
@Suite(.timeLimit(.minutes(5))) struct SessionTests {
    /// A server with the API's real description, which answers the rest by `answer`.
    private static func with(
        format: OutputFormat = .json, _ answer: @escaping @Sendable (CannedServer.Request) -> CannedServer.Reply,
        _ body: @escaping @Sendable (Session) async throws(ClientError) -> Void
    ) async throws -> (recording: Recording, requests: [CannedServer.Request]) {
        let folder = try TemporaryFolder(), recording = Recording()
        let requests = Mutex<[CannedServer.Request]>([])
        try await CannedServer.with({ request in
            request.target == "/openapi.json" ? CannedServer.Reply(body: Description.bytes) : answer(request)
        }) { server in
            try await server.session(recording, folder, format: format, body)
            requests.withLock { $0 = server.requests }
        }
        return (recording, requests.withLock { $0 })
    }

    private static func list(
        _ session: Session, _ noun: String, _ words: [String] = [], limit: Int
    ) async throws(ClientError) {
        let plan = try await session.plan { catalogue throws(ClientError) in
            try session.maker(catalogue).reading(.list, noun, words)
        }
        try await session.list(plan, limit: limit)
    }

    @Test func `the API's description is asked for once, and without the token`() async throws {
        let (_, requests) = try await Self.with { _ in
            .json(#"{"items":[],"next_cursor":null}"#)
        } _: {
            session throws(ClientError) in
            try await Self.list(session, "budgets", limit: 10)
            try await Self.list(session, "roles", limit: 10)
        }
        #expect(requests.map(\.target) == ["/openapi.json", "/v1/budgets?limit=10", "/v1/roles?limit=10"])
        #expect(requests[0].headers["authorization"].isEmpty)
        #expect(requests[1].headers["authorization"] == ["Bearer gh_sa_secret"])
    }

    @Test func `pages are followed until there are enough`() async throws {
        let page: @Sendable (CannedServer.Request) -> CannedServer.Reply = { request in
            let cursor = request.target.split(separator: "cursor=").dropFirst().first.flatMap { Int($0) } ?? 0
            let items = (0..<3).map { "{\"id\":\"x_\(cursor + $0)\"}" }.joined(separator: ",")
            return .json("{\"items\":[\(items)],\"next_cursor\":\(cursor < 9 ? "\"\(cursor + 3)\"" : "null")}")
        }
        let (some, asked) = try await Self.with(format: .name, page) { session throws(ClientError) in
            try await Self.list(session, "budgets", limit: 7)
        }
        #expect(some.output == (0..<7).map { "x_\($0)\n" }.joined())
        #expect(some.errors == "There are more: --limit N, or --all.\n")
        let pages = ["limit=7", "limit=4&cursor=3", "limit=1&cursor=6"]
        #expect(asked.dropFirst().map(\.target) == pages.map { "/v1/budgets?" + $0 })
        let (all, _) = try await Self.with(format: .name, page) { session throws(ClientError) in
            try await Self.list(session, "budgets", limit: Pages.limit)
        }
        #expect(all.output.split(separator: "\n").count == 12 && all.errors.isEmpty)
    }

    @Test(arguments: [
        #"{"items":[{"id":"x"}],"next_cursor":"again"}"#, #"{"items":[],"next_cursor":"more"}"#, #"{"items":7}"#, "[]",
    ])
    func `a list that does not end, or is none, is an error`(_ page: String) async throws {
        let (recording, requests) = try await Self.with { _ in
            .json(page)
        } _: { session throws(ClientError) in
            let error = await #expect(throws: ClientError.self) {
                try await Self.list(session, "budgets", limit: Pages.limit)
            }
            #expect(error?.exit == .failure)
        }
        #expect(recording.output.isEmpty && requests.count <= 4)
    }

    @Test func `CSV of the server's goes on without its headings`() async throws {
        let (recording, _) = try await Self.with { request in
            let isFirst = !request.target.contains("cursor=")
            return CannedServer.Reply(
                headers: [("content-type", "text/csv")] + (isFirst ? [("next-cursor", "c")] : []),
                body: Array((isFirst ? "a,b\r\n1,2\r\n" : "a,b\r\n3,4\r\n").utf8))
        } _: { session throws(ClientError) in
            try await Self.list(session, "usage", ["format=csv"], limit: 10)
        }
        #expect(recording.output == "a,b\r\n1,2\r\n3,4\r\n")
    }

    @Test func `a name that the kept description lacks makes it be read anew`() async throws {
        let folder = try TemporaryFolder()
        let isNew = Mutex(false)
        let new =
            #"{"openapi":"3.1.0","paths":{"/v1/unicorns":{"get":{"operationId":"unicorns.list","security":[{"bearer":[]}],"responses":{"200":{"content":{"application/json":{"schema":{"type":"object","properties":{"items":{"type":"array"},"next_cursor":{"type":"string"}}}}}}}}}}}"#
        try await CannedServer.with({ request in
            guard request.target == "/openapi.json" else {
                return .json(#"{"items":[{"id":"apr_1"}],"next_cursor":null}"#)
            }
            return isNew.withLock { $0 } ? .json(new) : CannedServer.Reply(body: Description.bytes)
        }) { server in
            try await server.session(Recording(), folder) { session throws(ClientError) in
                let error = await #expect(throws: ClientError.self) {
                    try await Self.list(session, "unicorns", limit: 1)
                }
                #expect(error?.exit == .usage)
            }
            // What was read just now is not read again for the sake of a typing mistake.
            #expect(server.requests.count == 1)
            isNew.withLock { $0 = true }
            let recording = Recording()
            try await server.session(recording, folder, format: .name) { session throws(ClientError) in
                try await Self.list(session, "unicorns", limit: 1)
            }
            #expect(recording.output == "apr_1\n")
            #expect(server.requests.map(\.target) == ["/openapi.json", "/openapi.json", "/v1/unicorns"])
        }
    }

    // MARK: Changes

    private static let budget =
        #"{"id":"bud_1","name":"a","amount_usd":"1.00","amount_nano_usd":"1000000000","scope":"prj_1","thresholds":[50],"revision":3}"#

    /// The If-Match and the body of the PATCH that an update sends, from a file when there is one.
    private static func update(_ words: [String], file: String? = nil, revision: Int64? = nil, isAny: Bool = false)
        async throws -> (match: String?, body: String?, methods: [String])
    {
        let folder = try TemporaryFolder()
        let path = try file.map { try folder.write($0, to: "file.json") }
        let id = Description.id("bud")
        let (_, requests) = try await Self.with { request in
            request.method == "GET" ? .json(Self.budget, headers: [("etag", "\"3\"")]) : .json("{}")
        } _: { session throws(ClientError) in
            var plan = try await session.plan { catalogue throws(ClientError) in
                try session.maker(catalogue).change(.update, id, words, .init(file: path))
            }
            guard let match = try await session.prepare(&plan, revision: revision, isAny: isAny) else { return }
            plan.request.headers.append((name: "if-match", value: match))
            _ = try await session.perform(plan.request)
        }
        let patch = requests.first { $0.method == "PATCH" }
        return (patch?.headers.first(name: "if-match"), patch?.body, requests.dropFirst().map(\.method))
    }

    @Test func `an update is of the revision that was read, or given`() async throws {
        let read = try await Self.update(["amount_usd=2"])
        #expect(read.match == "\"3\"" && read.body == #"{"amount_usd":"2"}"# && read.methods == ["GET", "PATCH"])
        let given = try await Self.update(["amount_usd=2"], revision: 2)
        #expect(given.match == "\"2\"" && given.methods == ["PATCH"])
        #expect(try await Self.update(["amount_usd=2"], isAny: true).match == "*")
    }

    @Test func `of a file that was read before, what differs is sent`() async throws {
        let file = Self.budget.replacing("1.00", with: "5.00").replacing("[50]", with: "[50,90]")
        let changed = try await Self.update(["name=b"], file: file)
        #expect(changed.body == #"{"amount_usd":"5.00","name":"b","thresholds":[50,90]}"# && changed.match == "\"3\"")
        // Nothing differs: nothing is sent.
        #expect(try await Self.update([], file: Self.budget).methods == ["GET"])
        // Somebody else was faster: the server says so.
        let stale = try await Self.update([], file: file.replacing("\"revision\":3", with: "\"revision\":2"))
        #expect(stale.match == "\"2\"" && stale.methods == ["GET", "PATCH"])
        let error = await #expect(throws: ClientError.self) {
            try await Self.update([], file: Self.budget.replacing("prj_1", with: "prj_2"))
        }
        #expect(error?.message == "scope cannot be changed")
        // A file of fields alone is what it says.
        #expect(try await Self.update([], file: #"{"name":"c"}"#).body == #"{"name":"c"}"#)
    }

    @Test func `what an answer holds cannot move the cursor`() async throws {
        let text = "{\"id\":\"x\u{9B}2J\",\"na\u{202E}me\":\"\\u001b[31m\"}"
        for format in [OutputFormat.table, .wide, .json, .name, .csv, .value("id")] {
            let (recording, _) = try await Self.with(format: format) { _ in
                .json("{\"items\":[\(text)],\"next_cursor\":null}")
            } _: { session throws(ClientError) in
                try await Self.list(session, "budgets", limit: 5)
                session.report.one((try? JSON(parsing: text)) ?? .null)
            }
            let isHarmless = recording.output.unicodeScalars.allSatisfy {
                TerminalText.isHarmless($0) || $0 == "\n" || $0 == "\r"
            }
            #expect(isHarmless, "\(format): \(recording.output.debugDescription)")
        }
    }
}
