import Glibc
import Synchronization

/// A program that a test runs beside itself.
///
/// It leads its own process group. The group is killed when this object goes away or the test process ends in any way.
package final class ChildProcess: Sendable {
    package enum ExitStatus: Sendable, Hashable {
        case code(Int32)
        case signal(Int32)
    }

    package let name: String
    package let processID: Int32
    package let output: OutputFile
    package let errors: OutputFile
    private let signalAtEnd: String
    private let status = Mutex<ExitStatus?>(nil)

    /// Starts `executable`, looked up in PATH when it has no slash.
    ///
    /// `environment` replaces ours when given. `signalAtEnd` is what the watchdog sends if the test process dies.
    package init(
        _ executable: String,
        _ arguments: [String] = [],
        environment: [String: String]? = nil,
        directory: String? = nil,
        signalAtEnd: String = "KILL"
    ) throws(TestKitError) {
        let name = executable.split(separator: "/").last.map { String($0) } ?? executable
        self.name = name
        self.signalAtEnd = signalAtEnd
        let watchdog = Watchdog.shared
        self.output = try OutputFile(name: name + ".out")
        self.errors = try OutputFile(name: name + ".err")
        self.processID = try Spawn.start(
            executable,
            arguments,
            environment: environment ?? Self.ownEnvironment,
            directory: directory,
            streams: .init(output: self.output.path, errors: self.errors.path)
        )
        watchdog.watch(group: self.processID, signal: signalAtEnd)
    }

    deinit {
        guard self.poll() == nil else { return }
        Glibc.kill(-self.processID, SIGKILL)
        var status: Int32 = 0
        waitpid(self.processID, &status, 0)
        Watchdog.shared.forget(group: self.processID, signal: self.signalAtEnd)
    }

    /// The environment of the test process, to start from.
    package static var ownEnvironment: [String: String] {
        var variables: [String: String] = [:]
        var entry = environ
        while let text = entry.pointee {
            let parts = String(cString: text).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 { variables[String(parts[0])] = String(parts[1]) }
            entry += 1
        }
        return variables
    }

    package var isRunning: Bool { self.poll() == nil }

    package func send(signal: Int32) {
        if self.poll() == nil { Glibc.kill(self.processID, signal) }
    }

    /// Waits for the end; throws with the last output when it does not come.
    @discardableResult
    package func waitForExit(timeout: Duration = .seconds(30)) async throws -> ExitStatus {
        try await self.wait("to end", timeout) { self.poll() != nil }
        guard let status = self.poll() else { throw TestKitError("\(self.name) has no exit status") }
        return status
    }

    /// Asks the program to end with SIGTERM and waits; kills it, and throws, when it does not.
    @discardableResult
    package func terminate(timeout: Duration = .seconds(30)) async throws -> ExitStatus {
        self.send(signal: SIGTERM)
        do {
            return try await self.waitForExit(timeout: timeout)
        } catch {
            _ = try? await self.kill()
            throw error
        }
    }

    /// Ends the whole process group with SIGKILL.
    @discardableResult
    package func kill() async throws -> ExitStatus {
        if self.poll() == nil { Glibc.kill(-self.processID, SIGKILL) }
        return try await self.waitForExit()
    }

    /// Waits until standard output or standard error holds `text`; throws when the program ends before.
    package func waitForOutput(_ text: String, timeout: Duration = .seconds(30)) async throws {
        try await self.waitWhileRunning("to print \"\(text)\"", timeout) {
            self.output.tail().contains(text) || self.errors.tail().contains(text)
        }
    }

    /// Waits until something accepts TCP connections on a loopback port; throws when the program ends before.
    package func waitForPort(_ port: Int, timeout: Duration = .seconds(30)) async throws {
        try await self.waitWhileRunning("to listen on \(port)", timeout) { LocalPort.accepts(port) }
    }

    /// Reaps the program if it has ended.
    private func poll() -> ExitStatus? {
        self.status.withLock { status in
            if let status { return status }
            var raw: Int32 = 0
            guard waitpid(self.processID, &raw, WNOHANG) == self.processID else { return nil }
            let signal = raw & 0x7F
            status = signal == 0 ? .code((raw >> 8) & 0xFF) : .signal(signal)
            Watchdog.shared.forget(group: self.processID, signal: self.signalAtEnd)
            return status
        }
    }

    private func waitWhileRunning(
        _ what: String,
        _ timeout: Duration,
        _ condition: () -> Bool
    ) async throws {
        try await self.wait(what, timeout) { condition() || !self.isRunning }
        guard condition() else { throw TestKitError("\(self.name) ended instead \(what)\n\(self.lastOutput)") }
    }

    private func wait(_ what: String, _ timeout: Duration, _ condition: () -> Bool) async throws {
        let deadline = ContinuousClock.now + timeout
        while !condition() {
            guard ContinuousClock.now < deadline else {
                throw TestKitError("waited \(timeout) for \(self.name) \(what)\n\(self.lastOutput)")
            }
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    private var lastOutput: String { self.output.tail(bytes: 4_096) + self.errors.tail(bytes: 4_096) }
}
