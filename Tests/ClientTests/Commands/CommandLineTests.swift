import AdminClient
import ArgumentParser
import Testing

@Suite struct CommandLineTests {
    @Test(arguments: [
        (["rotate", "vk", "vk_1"], ["do", "rotate", "vk", "vk_1"]), (["list", "budgets"], ["list", "budgets"]),
        (["--help"], ["--help"]), (["help", "list"], ["help", "list"]), ([], []), (["put", "x"], ["put", "x"]),
        (["explain", "--subject", "x"], ["explain", "--subject", "x"]), (["---completion"], ["---completion"]),
    ])
    func `what is no command is an action`(_ words: [String], _ expected: [String]) {
        #expect(GatehouseCommand.words(words) == expected)
    }

    @Test func `filters are taken as they come, options as ours`() throws {
        let words = ["list", "usage", "--group-by", "model", "-o", "csv", "--from=2026-11-01", "--all", "x=y"]
        let command = try #require(try GatehouseCommand.parseAsRoot(words) as? ListCommand)
        #expect(command.noun == "usage" && command.options.output == .csv && command.all)
        #expect(command.words == ["--group-by", "model", "--from=2026-11-01", "x=y"])
        let get = try #require(
            try GatehouseCommand.parseAsRoot(["get", "budget/status", "bud_1", "--at=x"]) as? GetCommand)
        #expect(get.words == ["bud_1", "--at=x"])
    }

    @Test func `fields may have any value`() throws {
        let words = ["create", "budget", "name=-x --y", "amount=-1", "-f", "-", "--approval", "apr_1", "a:={\"b\":1}"]
        let command = try #require(try GatehouseCommand.parseAsRoot(words) as? CreateCommand)
        #expect(command.words == ["name=-x --y", "amount=-1", "a:={\"b\":1}"])
        #expect(command.change.file == "-" && command.change.consent.approval == "apr_1")
    }

    @Test(arguments: [
        ["get"], ["list", "x", "-o", "nonsense"], ["list", "x", "--limit", "0"], ["update", "x", "--revision", "x"],
        ["update", "x", "--revision", "1", "--any-revision"], ["create", "x", "--token", "gh_sa_x"], ["ask", "m"],
        ["login"], ["login", "--server", "https://x", "--token", "gh_sa_x"], ["ask", "m", "-", "--key-file", "-"],
        ["ask", "m", "x", "--key", "sk-gh-x"], ["explain", "--subject", "x"], ["context", "use"],
        ["list", "x", "--timeout", "0"],
    ])
    func `what is wrong is refused before anything is sent`(_ words: [String]) {
        #expect(throws: (any Error).self) { try GatehouseCommand.parseAsRoot(words) }
    }

    @Test(arguments: [
        ["GET", "v1"], ["TRACE", "/v1"], ["GET", "//evil.example/"], ["GET", "/a b"], ["GET", "/a\r\nX: y"],
        ["GET", "/a#b"],
    ])
    func `a raw request stays within the server`(_ words: [String]) throws {
        let command = try #require(try GatehouseCommand.parseAsRoot(["api"] + words) as? RawCommand)
        #expect(throws: ClientError.self) { try command.request() }
    }

    @Test func `a shell is offered words alone`() {
        let words = [
            "budgets", "budgets/status", "name=", "$(touch x)", "`id`", "a b", "b;c", "b\"", "büdget", "b\nc", "~b",
            "{a,b}",
        ]
        #expect(Completions.offer(words, "") == ["budgets", "budgets/status", "name="])
        #expect(Completions.offer(words, "budgets/") == ["budgets/status"])
    }

    @Test func `the exit codes are in the help, each once`() {
        let help = GatehouseCommand.helpMessage(columns: 100)
        for code in ClientExit.allCases where code != .success {
            #expect(help.contains("\(code.rawValue)  \(code.meaning.prefix(20))"))
        }
    }
}

@Suite struct ChatStreamTests {
    private static func read(_ text: String, by size: Int) throws -> (text: String, stream: ChatStream) {
        var stream = ChatStream(), result = ""
        let bytes = Array(text.utf8)
        for start in stride(from: 0, to: bytes.count, by: size) {
            result += try stream.take(bytes[start..<min(start + size, bytes.count)])
        }
        return (result, stream)
    }

    @Test(arguments: [1, 2, 7, 1000])
    func `an answer is read in whatever pieces it comes`(_ size: Int) throws {
        let text = """
            : a comment\r
            data: {"choices":[{"delta":{"role":"assistant","content":"Zür"}}]}\r
            \r
            event: x
            data:{"choices":[{"delta":{"content":"ich"}}]}

            data: nonsense

            data: {"choices":[],"usage":{"total_tokens":7}}

            data: [DONE]


            """
        let (answer, stream) = try Self.read(text, by: size)
        #expect(answer == "Zürich" && stream.isDone && stream.usage?["total_tokens"] == 7 && stream.failure == nil)
    }

    @Test func `an answer that breaks off says so`() throws {
        let (_, stream) = try Self.read("data: {\"error\":{\"message\":\"over\"}}\n\n", by: 100)
        #expect(!stream.isDone && stream.failure?["message"] == "over")
    }

    @Test func `a line without end is refused`() {
        #expect(throws: ClientError.self) { try Self.read(String(repeating: "x", count: (1 << 20) + 1), by: 1 << 16) }
    }
}
