import Glibc
package import Shared

/// Asks a command of the user's own for the token: a keyring, a vault.
package enum TokenCommand {
    /// Most bytes that it may print.
    private static let limit = 4096

    /// - Parameter seconds: how long it may take.
    package static func run(_ command: String, seconds: Int = 60) throws(ClientError) -> Secret<String> {
        var pipes: [Int32] = [0, 0]
        guard pipe(&pipes) == 0 else { throw Self.failure(command, "no pipe") }
        let (reading, writing) = (pipes[0], pipes[1])
        for descriptor in pipes { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        defer { close(reading) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, writing, STDOUT_FILENO)
        var words: [UnsafeMutablePointer<CChar>?] =
            ["sh", "-c", command].map { (word: String) in strdup(word) } + [nil]
        defer { for word in words { free(word) } }
        var process: pid_t = 0
        let code = posix_spawn(&process, "/bin/sh", &actions, nil, &words, environ)
        close(writing)
        guard code == 0 else { throw Self.failure(command, String(cString: strerror(code))) }
        let (bytes, isComplete) = Self.read(reading, until: ContinuousClock.now + .seconds(seconds))
        if !isComplete { kill(process, SIGKILL) }
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0 && errno == EINTR {}
        guard isComplete else { throw Self.failure(command, "it took longer than \(seconds) s, or printed too much") }
        guard status == 0 else { throw Self.failure(command, "it ended with \(status >> 8 & 0xFF)") }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw Self.failure(command, "no text") }
        return try ServerContext.token(text)
    }

    private static func read(_ descriptor: Int32, until deadline: ContinuousClock.Instant) -> ([UInt8], Bool) {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1024)
        while bytes.count <= Self.limit {
            let left = (deadline - ContinuousClock.now) / .milliseconds(1)
            guard left > 0 else { return (bytes, false) }
            var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            let ready = poll(&waiting, 1, Int32(min(left, 1_000_000)))
            if ready < 0 && errno == EINTR { continue }
            guard ready > 0 else { return (bytes, false) }
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return (bytes, count == 0) }
            bytes += buffer[..<count]
        }
        return (bytes, false)
    }

    private static func failure(_ command: String, _ reason: String) -> ClientError {
        ClientError(.notSignedIn, "the token command gave no token: \(reason)", notes: [TerminalText.line(command)])
    }
}
