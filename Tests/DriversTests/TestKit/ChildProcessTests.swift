import Glibc
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct ChildProcessTests {
    @Test func `output, environment, directory and exit code are the program's`() async throws {
        let child = try ChildProcess(
            "/bin/sh",
            ["-c", "echo out $WORD $PWD; echo err >&2; exit 3"],
            environment: ["WORD": "word", "PATH": "/usr/bin:/bin"],
            directory: "/usr"
        )
        #expect(try await child.waitForExit() == .code(3))
        #expect(child.output.tail() == "out word /usr\n")
        #expect(child.errors.tail() == "err\n")
        #expect(child.output.tail(bytes: 3) == "sr\n")
    }

    @Test func `a program that stops on SIGTERM says how, one that does not is killed`() async throws {
        let polite = try ChildProcess(
            "/bin/sh",
            ["-c", "trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done"]
        )
        try await polite.waitForOutput("ready")
        #expect(try await polite.terminate() == .code(7))
        let deaf = try ChildProcess("/bin/sh", ["-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done"])
        try await deaf.waitForOutput("ready")
        await #expect(throws: TestKitError.self) { try await deaf.terminate(timeout: .milliseconds(100)) }
        #expect(!deaf.isRunning)
    }

    @Test func `waiting for what will not come ends with the program`() async throws {
        let child = try ChildProcess("/bin/sh", ["-c", "echo something else"])
        await #expect(throws: TestKitError.self) { try await child.waitForOutput("ready") }
        #expect(throws: TestKitError.self) { try ChildProcess("/nowhere/at/all") }
    }

    @Test func `a program that is let go is killed with its children`() async throws {
        var child: ChildProcess? = try ChildProcess("/bin/sh", ["-c", "sleep 3600 & echo $!; wait"])
        try await child?.waitForOutput("\n")
        let text = try #require(child?.output.tail().split(separator: "\n").first)
        let grandchild = try #require(pid_t(text))
        #expect(kill(grandchild, 0) == 0)
        child = nil
        try await eventually("its child is gone") { !Self.isAlive(grandchild) }
    }

    /// A connection that its server closed would stay open, for the client, as long as the program runs.
    @Test func `a program gets none of our descriptors`() async throws {
        let ours = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(ours) }
        let child = try ChildProcess("/bin/sh", ["-c", "ls /proc/$$/fd; echo done"])
        try await child.waitForOutput("done")
        // Ten is the shell's own: where it keeps what it redirects.
        let open = child.output.tail().split(separator: "\n").compactMap { Int32($0) }.filter { $0 != 10 }
        #expect(open.sorted() == [0, 1, 2])
    }

    /// Whoever adopts the process may not have reaped it yet.
    private static func isAlive(_ process: pid_t) -> Bool {
        guard kill(process, 0) == 0, let file = fopen("/proc/\(process)/stat", "r") else { return false }
        defer { fclose(file) }
        var line = [UInt8](repeating: 0, count: 256)
        let text = String(decoding: line.prefix(fread(&line, 1, line.count, file)), as: UTF8.self)
        return !text.contains(") Z ")
    }
}
