import Glibc
import Shared

/// Where output goes, and who is at the other end.
package struct Console: Sendable {
    package var write: @Sendable (String) -> Void
    package var writeError: @Sendable (String) -> Void
    /// Columns of the terminal that output goes to; nil when it goes to a file or a pipe.
    package var width: Int?
    /// Whether somebody can be asked.
    package var canAsk: Bool
    /// Asks, and returns a line; nil at the end of the input.
    package var ask: @Sendable (String) -> String?
    /// Reads a line that is not shown.
    package var askHidden: @Sendable (String) throws(ClientError) -> String?

    package init(
        write: @escaping @Sendable (String) -> Void, writeError: @escaping @Sendable (String) -> Void,
        width: Int? = nil, canAsk: Bool = false, ask: @escaping @Sendable (String) -> String? = { _ in nil },
        askHidden: @escaping @Sendable (String) throws(ClientError) -> String? = { _ throws(ClientError) in nil }
    ) {
        self.write = write
        self.writeError = writeError
        self.width = width
        self.canAsk = canAsk
        self.ask = ask
        self.askHidden = askHidden
    }

    /// That of this process.
    package static func ofProcess() -> Console {
        Console(
            write: { Self.put($0, STDOUT_FILENO) }, writeError: { Self.put($0, STDERR_FILENO) },
            width: isatty(STDOUT_FILENO) == 1 ? Self.columns() : nil,
            canAsk: isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1,
            ask: { question in
                Self.put(question, STDERR_FILENO)
                return readLine()
            },
            askHidden: { question throws(ClientError) in
                try HiddenInput.line(question, terminal: STDIN_FILENO)
            }
        )
    }

    private static func columns() -> Int {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }

    private static func put(_ text: String, _ descriptor: Int32) {
        let bytes = Array(text.utf8)
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + written, $0.count - written) }
            if count < 0 && errno == EINTR { continue }
            // Nobody reads any more: `| head` has what it wanted.
            guard count > 0 else { Glibc.exit(ClientExit.failure.rawValue) }
            written += count
        }
    }

    package func line(_ text: String) { self.write(text + "\n") }
    package func note(_ text: String) { self.writeError(text + "\n") }
}
