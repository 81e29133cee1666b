import AdminClient
import Glibc
import Shared
import Testing

@Suite struct ContextTests {
    private static func context(_ server: String, token: String? = nil) throws -> ServerContext {
        var context = ServerContext(server: try ServerAddress(server))
        context.token = try token.map { try ServerContext.token($0) }
        return context
    }

    @Test func `contexts are kept for the user alone`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/config/gatehouse/config.json"
        try ContextFile.change(path: path) { file throws(ClientError) in
            var context = ServerContext(server: try ServerAddress("https://one.example:7070"))
            context.token = try ServerContext.token("gh_sa_one\n")
            context.authority = "PEM"
            context.organization = "org_1"
            try file.set("one", context)
            try file.set("two", ServerContext(server: try ServerAddress("https://two.example")))
        }
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
        #expect(stat(folder.path + "/config/gatehouse", &status) == 0 && status.st_mode & 0o777 == 0o700)
        let file = try ContextFile(path: path)
        #expect(file.current == "one" && file.names == ["one", "two"])
        let one = try file.context("one")
        #expect(one.token?.reveal() == "gh_sa_one" && one.organization == "org_1")
        #expect(try one.authorities == Array("PEM".utf8))
        #expect("\(one)".contains("gh_sa_one") == false)
        try ContextFile.change(path: path) { file throws(ClientError) in
            try file.use("two")
            try file.delete("one")
        }
        #expect(try ContextFile(path: path).current == "two")
        // Nothing is left over of writing it.
        #expect(Files.names(in: folder.path + "/config/gatehouse") == [".lock", "config.json"])
    }

    @Test(arguments: [0o644, 0o640, 0o604, 0o620, 0o602] as [UInt32])
    func `a file that others may read is not used`(_ mode: UInt32) throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("{}", to: "config.json", mode: mode)
        let error = #expect(throws: ClientError.self) { try ContextFile(path: path) }
        #expect(error?.description.contains("chmod 600") == true)
    }

    @Test func `a folder that others may write to is not used`() throws {
        let folder = try TemporaryFolder()
        chmod(folder.path, 0o777)
        #expect(throws: ClientError.self) {
            try ContextFile.change(path: folder.path + "/config.json") { file throws(ClientError) in
                try file.set("a", ServerContext(server: try ServerAddress("https://a.example")))
            }
        }
        #expect(access(folder.path + "/config.json", F_OK) != 0)
    }

    @Test func `a link to a file elsewhere stays one`() throws {
        let folder = try TemporaryFolder()
        let real = try folder.write("{}", to: "real.json")
        let path = folder.path + "/config.json"
        #expect(symlink(real, path) == 0)
        try ContextFile.change(path: path) { file throws(ClientError) in
            try file.set("a", ServerContext(server: try ServerAddress("https://a.example")))
        }
        #expect(try ContextFile(path: real).names == ["a"])
    }

    @Test(arguments: [
        "{", "[]x", #"{"contexts":{"a":{}}}"#, #"{"contexts":{"a":{"server":"ftp://x"}}}"#,
        #"{"contexts":{"a":{"server":"http://gatehouse.example","token":"t"}}}"#,
    ])
    func `a damaged file is an error and not an empty one`(_ text: String) throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(text, to: "config.json")
        #expect(throws: ClientError.self) { try ContextFile(path: path) }
    }

    @Test(arguments: ["", "a b", "-x", String(repeating: "x", count: 65), "a\u{1B}"])
    func `a name that could be anything else is refused`(_ name: String) throws {
        let folder = try TemporaryFolder()
        var file = try ContextFile(path: folder.path + "/none.json")
        #expect(throws: ClientError.self) { try file.set(name, try Self.context("https://a.example")) }
    }

    @Test(arguments: ["", "a b", "a\u{0}b", "ü", String(repeating: "x", count: 513), "a\rb\tc"])
    func `what is no token is not sent`(_ text: String) {
        #expect(throws: ClientError.self) { try ServerContext.token(text) }
    }

    /// The environment, `--context`, and which server with which token comes of it.
    private static let choices: [(environment: [String: String], name: String?, server: String, token: String?)] = [
        ([:], nil, "https://one.example", "t-one"), ([:], "two", "https://two.example", "t-two"),
        (["GATEHOUSE_ADMIN_TOKEN": "t-env"], nil, "https://one.example", "t-env"),
        (["GATEHOUSE_ADMIN_TOKEN": "t-env"], "two", "https://two.example", "t-env"),
        (
            ["GATEHOUSE_ADMIN_URL": "https://env.example", "GATEHOUSE_ADMIN_TOKEN": "t-env"], nil,
            "https://env.example", "t-env"
        ),
        // No token of a context goes to a server that it was not given for.
        (["GATEHOUSE_ADMIN_URL": "https://env.example"], nil, "https://env.example", nil),
        (
            ["GATEHOUSE_ADMIN_URL": "https://env.example", "GATEHOUSE_ADMIN_TOKEN": "t-env"], "two",
            "https://two.example", "t-two"
        ),
        (["GATEHOUSE_ADMIN_URL": "", "GATEHOUSE_ADMIN_TOKEN": ""], nil, "https://one.example", "t-one"),
    ]

    @Test func `the environment goes before the current context, and a named one before both`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/.config/gatehouse/config.json"
        try ContextFile.change(path: path) { file throws(ClientError) in
            for name in ["one", "two"] {
                var context = ServerContext(server: try ServerAddress("https://\(name).example"))
                context.token = try ServerContext.token("t-\(name)")
                try file.set(name, context)
            }
        }
        for (variables, name, server, token) in Self.choices {
            let environment = ClientEnvironment(variables.merging(["HOME": folder.path]) { $1 })
            let context = try environment.context(named: name)
            #expect(context.server.description == server, "\(variables)")
            #expect(context.token?.reveal() == token, "\(variables) \(name ?? "")")
        }
        let nowhere = ClientEnvironment(["HOME": folder.path, "XDG_CONFIG_HOME": folder.path + "/empty"])
        #expect(throws: ClientError.self) { try nowhere.context(named: nil) }
        #expect(throws: ClientError.self) { try nowhere.context(named: "one") }
        #expect(
            try ClientEnvironment(["HOME": "/h", "XDG_CONFIG_HOME": "relative"]).contextPath
                == "/h/.config/gatehouse/config.json")
        #expect(try ClientEnvironment(["HOME": "/h", "XDG_CACHE_HOME": "/c"]).cacheFolder == "/c/gatehouse")
    }

    @Test func `a command gives the token`() throws {
        #expect(try TokenCommand.run("printf 'gh_sa_x\\n'").reveal() == "gh_sa_x")
        for command in ["exit 3", "true", "printf 'a b'", "head -c 100000 /dev/zero", "printf '\\377'"] {
            #expect(throws: ClientError.self, "\(command)") { try TokenCommand.run(command) }
        }
        #expect(throws: ClientError.self) { try TokenCommand.run("echo x; exec sleep 100", seconds: 1) }
    }

    @Test func `what is typed is not shown`() throws {
        func typed(_ keys: String) throws -> (line: String?, shown: String) {
            var master: Int32 = 0, slave: Int32 = 0
            #expect(openpty(&master, &slave, nil, nil, nil) == 0)
            defer { close(master) }
            // The keys wait in the terminal: what was typed before the question would be thrown away.
            let (terminal, keyboard) = (slave, master)
            let writer = Task.detached {
                var buffer = [UInt8](repeating: 0, count: 256)
                _ = read(keyboard, &buffer, buffer.count)
                _ = write(keyboard, keys, keys.utf8.count)
            }
            let line = try HiddenInput.line("Token: ", terminal: terminal)
            writer.cancel()
            var before = termios()
            tcgetattr(slave, &before)
            #expect(before.c_lflag & tcflag_t(ECHO) != 0)
            _ = fcntl(master, F_SETFL, O_NONBLOCK)
            var buffer = [UInt8](repeating: 0, count: 256)
            let count = read(master, &buffer, buffer.count)
            close(slave)
            return (line, String(decoding: buffer.prefix(max(0, count)), as: UTF8.self))
        }
        let (line, shown) = try typed("gh_sa_x\n")
        #expect(line == "gh_sa_x" && !shown.contains("gh_sa"))
        #expect(try typed("wrong\u{15}gh\u{7F}h_sa\n").line == "gh_sa")
        #expect(try typed("gh\u{3}").line == nil)
        #expect(try typed("\u{4}").line == nil)
    }
}
