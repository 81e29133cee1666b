import Foundation
import TestKit
import Testing

/// `gatehouse` as administrators and auditors run it, against a running control plane and a gateway.
@Suite(.serialized, .timeLimit(.minutes(10))) struct CommandLineClientTests {
    /// A user's own machine: a home folder, and the program.
    private struct Machine: Sendable {
        let home: String
        var variables: [String: String] = [:]

        struct Ended: Sendable {
            let code: Int32
            let output: String
            let errors: String

            var text: String { self.output.trimmingCharacters(in: .newlines) }
        }

        /// - Parameter input: a file that standard input is.
        func run(_ words: String..., input: String = "/dev/null") async throws -> Ended {
            try await self.run(words, input: input)
        }

        func run(_ words: [String], input: String = "/dev/null") async throws -> Ended {
            var environment = ChildProcess.ownEnvironment.filter {
                !$0.key.hasPrefix("GATEHOUSE_") && !$0.key.hasPrefix("XDG_")
            }
            environment["HOME"] = self.home
            environment.merge(self.variables) { $1 }
            let process = try ChildProcess(
                "sh", ["-c", "exec \"$0\" \"$@\" < \"$INPUT\"", Stack.binaries + "/gatehouse"] + words,
                environment: environment.merging(["INPUT": input]) { $1 })
            guard case .code(let code) = try await process.waitForExit(timeout: .seconds(60)) else {
                throw TestKitError("gatehouse \(words) was killed")
            }
            return Ended(code: code, output: process.output.tail(), errors: process.errors.tail())
        }
    }

    private static func machine(_ stack: Stack) throws -> Machine {
        let home = stack.folder + "/home"
        try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
        try stack.token.write(toFile: stack.folder + "/admin-token", atomically: true, encoding: .utf8)
        return Machine(home: home)
    }

    @Test func `an organization is set up, asked about, changed and taken down`() async throws {
        try await Stack.with { stack in
            let control = try await stack.startControl()
            let machine = try Self.machine(stack)
            func ok(_ words: [String], input: String = "/dev/null") async throws -> String {
                let ended = try await machine.run(words, input: input)
                #expect(ended.code == 0, "\(words): \(ended.errors)")
                return ended.text
            }
            func fails(_ code: Int32, _ words: [String], _ hint: String) async throws {
                let ended = try await machine.run(words)
                #expect(ended.code == code && ended.errors.contains(hint), "\(words): \(ended.code) \(ended.errors)")
            }
            try await fails(3, ["whoami"], "not signed in")
            let login = try await machine.run(
                "login", "--server", stack.controlURL, "--name", "test", "--token-stdin",
                input: stack.folder + "/admin-token")
            #expect(login.code == 0 && login.errors.contains("Signed in to \(stack.controlURL)"), "\(login.errors)")
            #expect(!(login.output + login.errors).contains(stack.token))
            #expect(try await ok(["whoami", "-o", "value=kind"]) == "service_account")

            let organization = try await ok(["create", "organization", "name=Acme", "-o", "name"])
            let project = try await ok(["create", "project", "parent=\(organization)", "name=Web", "-o", "name"])
            let secret = try await ok(["create", "vk", "project=\(project)", "name=backend", "-o", "value=secret"])
            #expect(secret.hasPrefix("sk-gh-"))
            let budget = try await ok([
                "create", "budget", "scope=\(project)", "name=monthly", "amount_usd=250", "period=month",
                "thresholds=50,80", "-o", "name",
            ])
            #expect(try await ok(["list", "budgets", "-o", "name"]) == budget)
            #expect(try await ok(["get", budget, "-o", "value=thresholds"]) == "50\n80")
            #expect(try await ok(["get", "budget/status", budget, "-o", "value=limit_usd"]) == "250.00")

            let user = try await ok([
                "create", "user", "organization=\(organization)", "login=ann@acme.example", "name=Ann", "-o", "name",
            ])
            let group = try await ok(["create", "group", "organization=\(organization)", "name=leads", "-o", "name"])
            _ = try await ok(["add", "member", group, user])
            let explain = ["explain", "--subject", user, "--permission", "budgets.increase", "--scope", project]
            #expect(try await machine.run(explain).code == 10)
            let roles = try await ok(["list", "roles", "-o", "csv"]).split(whereSeparator: \.isNewline)
            let role = try #require(roles.first { $0.contains(",billing,") }?.prefix { $0 != "," })
            _ = try await ok(["create", "binding", "subject=\(group)", "role=\(role)", "scope=\(organization)"])
            let who = try await ok(["who-can", "budgets.increase", "--scope", project])
            #expect(
                who.contains("ann@acme.example") && who.contains("by billing") && who.contains("through leads"),
                "\(who)")
            #expect(try await ok(explain).hasPrefix("allowed: ann@acme.example"))
            #expect(try await ok(["what-can", user, "--scope", project]).contains("budgets.increase\n"))

            // Whoever is late is told; what is not there, what is wrong and what is forbidden each have a code.
            #expect(try await ok(["update", budget, "amount_usd=300", "-o", "value=revision"]) == "2")
            try await fails(6, ["update", budget, "amount_usd=310", "--revision", "1"], "revision 2")
            let file = stack.folder + "/budget.json"
            let read = try await ok(["get", budget, "-o", "json"])
            try read.replacing("300.00", with: "320").write(toFile: file, atomically: true, encoding: .utf8)
            #expect(try await ok(["update", budget, "-f", file, "-o", "value=amount_usd"]) == "320.00")
            try await fails(6, ["update", budget, "-f", file, "name=again"], "revision 3")
            try await fails(5, ["get", "bud_01jd3x0r7ze4qbt0xq4v6m2k5n"], "no such budget")
            try await fails(7, ["update", budget, "amount_usd=x"], "at /amount_usd")
            try await fails(2, ["update", budget, "amont_usd=1"], "Did you mean amount_usd?")
            try await fails(6, ["delete", organization, "--yes"], "not_empty")
            try await fails(2, ["delete", budget], "--yes")
            try await fails(
                8, ["login", "--server", "https://127.0.0.1:1", "--token-command", "echo t"], "cannot be reached")

            try await Self.checkBoundedToken(machine, stack, project)
            try await Self.checkCompletion(machine, budget)
            _ = try await ok(["delete", budget, "--yes"])
            try await fails(5, ["get", budget], "request req_")
            _ = try await ok(["logout"])
            try await fails(3, ["list", "budgets"], "not signed in")
            #expect(try await control.terminate() == .code(0))
        }
    }

    /// A second context, whose token is for less than its subject may do.
    private static func checkBoundedToken(_ machine: Machine, _ stack: Stack, _ project: String) async throws {
        let account = try await machine.run("create", "sa", "scope=\(project)", "name=reader", "-o", "name").text
        let role =
            try await machine.run("list", "roles", "-o", "csv").output.split(whereSeparator: \.isNewline)
            .first { $0.contains(",admin,") }?.prefix { $0 != "," } ?? ""
        let bound = try await machine.run("create", "binding", "subject=\(account)", "role=\(role)", "scope=\(project)")
        #expect(bound.code == 0, "\(bound.errors)")
        let token = try await machine.run(
            "create", "api-token", "service_account=\(account)", "name=bounded",
            "permissions=projects.read,budgets.read",
            "expires_at=2099-01-01T00:00:00Z", "-o", "value=secret")
        #expect(token.text.hasPrefix("gh_"), "\(token.errors)")
        let file = stack.folder + "/bounded-token"
        try token.output.write(toFile: file, atomically: true, encoding: .utf8)
        let login = try await machine.run(
            "login", "--server", stack.controlURL, "--name", "bounded", "--token-command", "cat \(file)")
        #expect(login.errors.contains("which ends 2099-01-01T00:00:00Z"), "\(login.errors)")
        let names = try await machine.run("context", "list", "-o", "name").text
        #expect(names == "bounded\ntest")
        #expect(try await machine.run("list", "projects", "-o", "name").text == project)
        let refused = try await machine.run(
            "create", "budget", "scope=\(project)", "name=x", "amount_usd=1", "period=day")
        #expect(refused.code == 4 && refused.errors.contains("budgets.create"), "\(refused.errors)")
        // The other context still may, and the environment goes before both.
        #expect(try await machine.run("list", "users", "--context", "test").code == 0)
        var other = machine
        other.variables = ["GATEHOUSE_ADMIN_URL": stack.controlURL]
        #expect(try await other.run("whoami").code == 3)
        other.variables["GATEHOUSE_ADMIN_TOKEN"] = stack.token
        #expect(try await other.run("list", "users").code == 0)
        #expect(try await machine.run("context", "use", "test").code == 0)
    }

    @Test func `two persons: one asks for a larger budget, the other agrees, and it is done once`() async throws {
        try await Stack.with { stack in
            let control = try await stack.startControl()
            let machine = try Self.machine(stack)
            func run(_ words: String...) async throws -> Machine.Ended { try await machine.run(words) }
            let admin = try await machine.run(
                "login", "--server", stack.controlURL, "--name", "admin", "--token-stdin",
                input: stack.folder + "/admin-token")
            #expect(admin.code == 0, "\(admin.errors)")
            let organization = try await run("create", "organization", "name=Acme", "-o", "name").text
            let project = try await run("create", "project", "parent=\(organization)", "name=Web", "-o", "name").text
            let budget = try await run(
                "create", "budget", "scope=\(project)", "name=monthly", "amount_usd=100", "period=month", "-o", "name"
            ).text
            let role =
                try await run("list", "roles", "-o", "csv").output.split(whereSeparator: \.isNewline)
                .first { $0.contains(",admin,") }?.prefix { $0 != "," } ?? ""
            for name in ["ann", "bea"] {
                let user = try await run(
                    "create", "user", "organization=\(organization)", "login=\(name)", "name=\(name)", "-o", "name"
                ).text
                let bound = try await run(
                    "create", "binding", "subject=\(user)", "role=\(role)", "scope=\(organization)")
                #expect(bound.code == 0, "\(bound.errors)")
                // Whoever runs the machine gives a person the first token.
                let token = try await stack.run("token", "create", "--name", "laptop", "--user", user)
                #expect(token.hasPrefix("gh_pat_"))
                try token.write(toFile: stack.folder + "/\(name)", atomically: true, encoding: .utf8)
                let login = try await machine.run(
                    "login", "--server", stack.controlURL, "--name", name, "--token-stdin",
                    input: stack.folder + "/\(name)")
                #expect(login.errors.contains("as \(name) (\(user))"), "\(login.errors)")
            }
            let rule = try await run(
                "create", "approval-rule", "scope=\(organization)", "name=large", "permissions=budgets.update",
                "above_usd=1000")
            #expect(rule.code == 0, "\(rule.errors)")
            let raise = ["update", budget, "amount_usd=5000", "--context", "ann", "--why", "für 100 % mehr Nutzer"]
            let asked = try await machine.run(raise)
            #expect(asked.code == 4 && asked.errors.contains("gatehouse approve approval apr_"), "\(asked.errors)")
            let approval = try await run("list", "approvals", "status=pending", "--context", "bea", "-o", "name").text
            #expect(approval.hasPrefix("apr_") && asked.errors.contains(approval))
            let why = try await run("get", approval, "--context", "bea", "-o", "value=reason")
            #expect(why.text == "für 100 % mehr Nutzer")
            let own = try await run("approve", "approval", approval, "--context", "ann")
            #expect(own.code == 4 && own.errors.contains("own_request"), "\(own.errors)")
            let agreed = try await run("approve", "approval", approval, "--context", "bea", "-o", "value=status")
            #expect(agreed.text == "approved", "\(agreed.errors)")
            let other = try await run(
                "update", budget, "amount_usd=6000", "--context", "ann", "--approval", approval)
            #expect(other.code == 6 && other.errors.contains("approval_mismatch"), "\(other.errors)")
            let done = try await machine.run(raise + ["--approval", approval, "-o", "value=amount_usd"])
            #expect(done.code == 0 && done.text == "5000.00", "\(done.errors)")
            let used = try await run("get", approval, "--context", "bea", "-o", "value=status")
            #expect(used.text == "used")
            // A body with several members is the same each time that it is made.
            let many = [
                "update", budget, "amount_usd=7000", "name=n", "hard=true", "estimate=learned", "lower_max_tokens=true",
                "--context", "ann",
            ]
            let answers = [try await machine.run(many), try await machine.run(many), try await machine.run(many)]
            let open = try await run("list", "approvals", "status=pending", "--context", "bea", "-o", "name").text
            #expect(answers.allSatisfy { $0.code == 4 && $0.errors.contains(open) }, "\(open)")
            #expect(try await control.terminate() == .code(0))
        }
    }

    /// What a shell is told: nouns and fields from what is kept, identifiers from the server.
    private static func checkCompletion(_ machine: Machine, _ budget: String) async throws {
        for shell in ["bash", "zsh", "fish"] {
            let script = try await machine.run("--generate-completion-script", shell)
            #expect(script.code == 0 && script.output.contains("gatehouse"))
        }
        var shell = machine
        shell.variables["SAP_SHELL"] = "bash"
        func offered(_ argument: String, _ words: String...) async throws -> String {
            let asked = ["---completion", words[0], "--", argument, "\(words.count)", "\(words.last?.count ?? 0)"]
            return try await shell.run(asked + ["gatehouse"] + words).output
        }
        #expect(try await offered("positional@0", "list", "budg").contains("budgets\n"))
        #expect(try await offered("positional@1", "create", "budget", "amo").contains("amount_usd="))
        #expect(try await offered("positional@1", "get", "budget", "").contains(budget))
        #expect(try await offered("positional@0", "get", "nothing").isEmpty)
    }

    @Test func `a server is who its certificate says`() async throws {
        try await Stack.with { stack in
            let machine = try Self.machine(stack)
            let (certificate, key) = (stack.folder + "/control.crt", stack.folder + "/control.key")
            for (host, path) in [("localhost", certificate), ("other.example", stack.folder + "/other.crt")] {
                try await stack.run(
                    "certificate", "create", "--host", host, "--certificate", path, "--key",
                    path == certificate ? key : stack.folder + "/other.key")
            }
            var environment = ChildProcess.ownEnvironment.filter { !$0.key.hasPrefix("GATEHOUSE_") }
            environment.merge([
                "GATEHOUSE_DATABASE_URL": stack.postgres.url(database: "gatehouse"),
                "GATEHOUSE_KEK_FILE": stack.folder + "/kek", "GATEHOUSE_MIGRATIONS": RepositoryPaths.migrations,
                "GATEHOUSE_CONTROL_LISTEN": "127.0.0.1:\(stack.controlPort)",
                "GATEHOUSE_CONTROL_TLS_CERT": certificate, "GATEHOUSE_CONTROL_TLS_KEY": key,
            ]) { $1 }
            let control = try ChildProcess(Stack.binaries + "/gatehouse-control", ["serve"], environment: environment)
            try await control.waitForPort(stack.controlPort)
            func login(_ host: String, _ authority: String?) async throws -> Machine.Ended {
                let server = ["login", "--server", "https://\(host):\(stack.controlPort)", "--token-stdin"]
                let words = server + (authority.map { ["--ca", $0, "--embed-ca"] } ?? [])
                return try await machine.run(words, input: stack.folder + "/admin-token")
            }
            // Not an authority of the system's, not this one's, not of this name.
            for (host, authority) in [
                ("localhost", nil), ("localhost", stack.folder + "/other.crt"), ("127.0.0.1", certificate),
            ] {
                let refused = try await login(host, authority)
                #expect(refused.code == 8 && refused.errors.contains("not who it should be"), "\(refused.errors)")
            }
            #expect(try await machine.run("context", "list", "-o", "name").text.isEmpty)
            let signedIn = try await login("localhost", certificate)
            #expect(signedIn.code == 0, "\(signedIn.errors)")
            // The authority's text is kept: its file need not stay.
            try FileManager.default.removeItem(atPath: certificate)
            #expect(try await machine.run("list", "roles", "-o", "name").code == 0)
            #expect(try await control.terminate() == .code(0))
            // Nor is it one that is only where the name leads: whoever forges that has the address.
            let address = stack.folder + "/address.crt"
            environment["GATEHOUSE_CONTROL_TLS_CERT"] = address
            environment["GATEHOUSE_CONTROL_TLS_KEY"] = stack.folder + "/address.key"
            try await stack.run(
                "certificate", "create", "--host", "127.0.0.1", "--certificate", address, "--key",
                stack.folder + "/address.key")
            let forged = try ChildProcess(Stack.binaries + "/gatehouse-control", ["serve"], environment: environment)
            try await forged.waitForPort(stack.controlPort)
            let refused = try await login("localhost", address)
            #expect(refused.code == 8 && refused.errors.contains("another name"), "\(refused.errors)")
            #expect(try await login("127.0.0.1", address).code == 0)
            #expect(try await forged.terminate() == .code(0))
        }
    }

    @Test func `a request goes through a gateway, and what became of it is told`() async throws {
        try await Stack.with { stack in
            let control = try await stack.startControl()
            let tenant = try await stack.makeTenant()
            let place = try stack.place("one")
            let gateway = try await stack.startGateway(place, joinToken: try await stack.joinToken(tenant))
            try await stack.synced()
            var machine = try Self.machine(stack)
            let keyFile = stack.folder + "/key"
            try (tenant.key + "\n").write(toFile: keyFile, atomically: true, encoding: .utf8)
            machine.variables = [
                "GATEHOUSE_URL": "http://127.0.0.1:\(place.port)", "GATEHOUSE_ADMIN_URL": stack.controlURL,
                "GATEHOUSE_ADMIN_TOKEN": stack.token,
            ]
            #expect(try await machine.run("ask", "mock", "Hello").code == 3)
            let asked = try await machine.run("ask", "mock", "Hello there", "--key-file", keyFile, "-v")
            #expect(asked.code == 0 && asked.output == "You said: Hello there\n", "\(asked.errors)")
            let ids = asked.errors.split(whereSeparator: { $0.isWhitespace }).filter { $0.hasPrefix("req_") }
            let id = String(try #require(ids.first))
            try await eventually("the request is recorded") {
                try await machine.run("get", "usage/record", id).code == 0
            }
            #expect(try await machine.run("get", "usage/record", id, "-o", "value=status").text == "200")
            #expect(try await machine.run("explain-request", tenant.keyID, "mock", "max_tokens=5").code == 0)
            let unknown = try await machine.run("explain-request", tenant.keyID, "nothing")
            #expect(unknown.code == 10 && unknown.output.contains("model_not_found"))
            #expect(try await machine.run("ask", "nothing", "x", "--key-file", keyFile).code == 5)
            #expect(try await machine.run("revoke", tenant.keyID, "-o", "value=status").text == "revoked")
            try await eventually("the gateway refuses the key") {
                let refused = try await machine.run("ask", "mock", "x", "--key-file", keyFile)
                return refused.code == 3 && refused.errors.contains("key_revoked")
            }
            for process in [gateway, control] { #expect(try await process.terminate() == .code(0)) }
        }
    }
}
