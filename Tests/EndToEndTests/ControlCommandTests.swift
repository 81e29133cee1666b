import AsyncHTTPClient
import Glibc
import NIOCore
import NIOHTTP1
import Postgres
import TestKit
import Testing

/// `gatehouse-control` as operators run it.
@Suite(.timeLimit(.minutes(10))) struct ControlCommandTests {
    /// The program, which is built beside the tests.
    private static let program: String = {
        let folder = CommandLine.arguments[0].split(separator: "/").dropLast().joined(separator: "/")
        let beside = "/\(folder)/gatehouse-control"
        return access(beside, X_OK) == 0 ? beside : RepositoryPaths.root + "/.build/debug/gatehouse-control"
    }()

    private static func environment(_ url: String, _ folder: String, port: Int = 0) -> [String: String] {
        var environment = ChildProcess.ownEnvironment.filter { !$0.key.hasPrefix("GATEHOUSE_") }
        environment["GATEHOUSE_DATABASE_URL"] = url
        environment["GATEHOUSE_KEK_FILE"] = folder + "/kek"
        environment["GATEHOUSE_MIGRATIONS"] = RepositoryPaths.migrations
        environment["GATEHOUSE_CONTROL_LISTEN"] = "127.0.0.1:\(port)"
        return environment
    }

    private static func run(
        _ arguments: String..., in environment: [String: String]
    ) async throws -> (status: ChildProcess.ExitStatus, output: String, errors: String) {
        let process = try ChildProcess(Self.program, arguments, environment: environment)
        let status = try await process.waitForExit()
        return (status, process.output.tail(), process.errors.tail())
    }

    @Test func `a deployment is made, served and stopped`() async throws {
        try await TestDatabase.withEmpty { database in
            var template = Array("/tmp/gatehouse-e2e-XXXXXX".utf8CString)
            #expect(mkdtemp(&template) != nil)
            let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
            defer {
                for name in ["kek", "root", "usage"] { unlink("\(folder)/\(name)") }
                rmdir(folder)
            }
            let port = try LocalPort.free()
            let environment = Self.environment(database.url, folder, port: port)

            #expect(try await Self.run("kek", "create", folder + "/kek", in: environment).status == .code(0))
            #expect(try await Self.run("kek", "create", folder + "/kek", in: environment).status == .code(1))
            let behind = try await Self.run("serve", in: environment)
            #expect(behind.status == .code(1))
            #expect(behind.errors.contains("run gatehouse-control migrate"))
            #expect(try await Self.run("migrate", in: environment).output.hasPrefix("applied "))
            #expect(try await Self.run("migrate", "--status", in: environment).output.contains("\tapplied\n"))
            let uninitialized = try await Self.run("serve", in: environment)
            #expect(uninitialized.errors.contains("run gatehouse-control init"))
            let initialized = try await Self.run("init", "--root-key-file", folder + "/root", in: environment)
            #expect(initialized.output.hasPrefix("dep_"), "\(initialized.errors)")
            let again = try await Self.run("init", "--root-key-file", folder + "/root", in: environment)
            #expect(again.errors.contains("it is not replaced"))
            let created = try await Self.run(
                "token", "create", "--name", "test", "--expires-days", "1", in: environment)
            #expect(created.output.hasPrefix("gh_sa_"), "\(created.errors)")
            let token = created.output.filter { !$0.isWhitespace }
            let limited = try await Self.run(
                "token", "create", "--name", "auditor", "--role", "auditor", in: environment
            ).output.filter { !$0.isWhitespace }
            let unknown = try await Self.run("token", "create", "--name", "x", "--role", "king", in: environment)
            #expect(unknown.status == .code(64) && unknown.errors.contains("auditor"), "\(unknown.errors)")

            let glass = try await Self.run("break-glass", "open", "--reason", "a test", in: environment)
            #expect(glass.output.hasPrefix("gh_sa_"), "\(glass.errors)")
            #expect(try await Self.run("break-glass", "close", in: environment).output == "sealed\n")
            #expect(try await Self.run("break-glass", "close", in: environment).output == "it was sealed\n")
            let unwell = try await Self.run("break-glass", "open", "--reason", "", in: environment)
            #expect(unwell.status == .code(64) && unwell.errors.contains("--reason"))

            let file = folder + "/usage"
            func export(_ day: String) async throws -> (status: ChildProcess.ExitStatus, output: String, errors: String)
            {
                try await Self.run("usage", "export", "--day", day, "--file", file, in: environment)
            }
            #expect(try await export("2026-02-30").errors.contains("is no day"))
            #expect(try await export("2026-11-30").output == "0 records\n")
            let other = try await export("2026-11-30")
            #expect(other.status == .code(1) && other.errors.contains("it is not replaced"))

            let server = try ChildProcess(Self.program, ["serve"], environment: environment)
            try await server.waitForPort(port)
            let client = HTTPClient.shared
            var ready = HTTPClientRequest(url: "http://127.0.0.1:\(port)/readyz")
            #expect(try await client.execute(ready, timeout: .seconds(60)).status == .ok)
            ready.url = "http://127.0.0.1:\(port)/v1/organizations"
            #expect(try await client.execute(ready, timeout: .seconds(60)).status == .unauthorized)
            ready.headers.add(name: "Authorization", value: "Bearer \(token)")
            #expect(try await client.execute(ready, timeout: .seconds(60)).status == .ok)
            var made = HTTPClientRequest(url: "http://127.0.0.1:\(port)/v1/organizations")
            made.headers.add(name: "Authorization", value: "Bearer \(limited)")
            #expect(try await client.execute(made, timeout: .seconds(60)).status == .ok)
            made.method = .POST
            #expect(try await client.execute(made, timeout: .seconds(60)).status == .forbidden)
            let metrics = try await client.execute(
                HTTPClientRequest(url: "http://127.0.0.1:\(port)/metrics"), timeout: .seconds(60)
            )
            let text = String(buffer: try await metrics.body.collect(upTo: 1 << 20))
            #expect(text.contains("gatehouse_database_connections_busy"))
            #expect(text.contains("gatehouse_denials_total{reason=\"no_credential\"} 1\n"))
            let units = HTTPClientRequest(url: "http://127.0.0.1:\(port)/v1/units")
            #expect(try await client.execute(units, timeout: .seconds(60)).status == .unauthorized)
            #expect(try await server.terminate() == .code(0))
            #expect(!server.errors.tail().contains(token))
            // What was denied in the last moment is recorded before the process ends.
            let denied = try await database.database.transaction(.readOnly) { tx in
                try tx.query(
                    """
                    select convert_from(l.leaf, 'UTF8')::jsonb ->> 'operation' as operation from audit_leaf l
                    join audit_log g on g.id = l.log_id where g.lane = 'denials' order by l.index
                    """
                ).map { try $0.get("operation", as: String.self) }
            }
            #expect(denied == ["organizations.create", "organizations.list", "units.list"])
            try await Self.checkTLS(folder, environment, port)
        }
    }

    private static func checkTLS(_ folder: String, _ environment: [String: String], _ port: Int) async throws {
        let (certificate, key) = (folder + "/cert.pem", folder + "/key.pem")
        defer { for path in [certificate, key] { unlink(path) } }
        let made = try ChildProcess(
            "openssl",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
                "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out",
                certificate,
            ]
        )
        #expect(try await made.waitForExit() == .code(0))
        var environment = environment
        environment["GATEHOUSE_CONTROL_TLS_CERT"] = certificate
        environment["GATEHOUSE_CONTROL_TLS_KEY"] = key
        let server = try ChildProcess(Self.program, ["serve"], environment: environment)
        try await server.waitForPort(port)
        let fetched = try ChildProcess(
            "curl",
            [
                "-sS", "--cacert", certificate, "https://localhost:\(port)/healthz", "--resolve",
                "localhost:\(port):127.0.0.1",
            ]
        )
        #expect(try await fetched.waitForExit() == .code(0), "\(fetched.errors.tail())")
        #expect(fetched.output.tail() == "{\"status\":\"ok\"}")
        #expect(try await server.terminate() == .code(0))
    }

    @Test func `a wrong setting ends with 64 and one line`() async throws {
        let environment = Self.environment("postgresql://nowhere", "/nonexistent")
        for (name, value, expected) in [
            ("GATEHOUSE_DATABASE_URL", "", "GATEHOUSE_DATABASE_URL is not set"),
            ("GATEHOUSE_CONTROL_LISTEN", "7070", "GATEHOUSE_CONTROL_LISTEN is '7070'"),
            ("GATEHOUSE_CONTROL_LISTN", "x", "GATEHOUSE_CONTROL_LISTN is not a setting"),
            ("GATEHOUSE_CONTROL_TLS_CERT", "x", "both are needed"),
            ("GATEHOUSE_LOG_LEVEL", "loud", "GATEHOUSE_LOG_LEVEL"),
            ("GATEHOUSE_KEK_FILE", "/nonexistent/kek", "GATEHOUSE_KEK_FILE"),
        ] {
            var changed = environment
            changed[name] = value
            let result = try await Self.run("serve", in: changed)
            #expect(result.status == .code(64), "\(name): \(result.errors)")
            #expect(result.errors.contains(expected))
            #expect(result.errors.split(separator: "\n").count == 1)
        }
        #expect(try await Self.run("serve", "--nonsense", in: environment).status == .code(64))
    }
}
