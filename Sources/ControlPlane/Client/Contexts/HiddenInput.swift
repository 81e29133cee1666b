import Glibc

/// Reads a line from a terminal that does not show what is typed.
package enum HiddenInput {
    /// - Parameters:
    ///   - terminal: what is read from, and asked at.
    ///   - limit: most bytes of the line.
    /// - Returns: the line without its end; nil when the user gave up (Ctrl-C, Ctrl-D at the beginning).
    package static func line(_ prompt: String, terminal: Int32, limit: Int = 1024) throws(ClientError) -> String? {
        var before = termios()
        guard tcgetattr(terminal, &before) == 0 else { throw .usage("there is no terminal to ask at") }
        // Signals are not raised meanwhile: one would leave the terminal without its echo.
        var hidden = before
        hidden.c_lflag &= ~tcflag_t(ECHO | ECHONL | ICANON | ISIG)
        guard tcsetattr(terminal, TCSAFLUSH, &hidden) == 0 else {
            throw .usage("the terminal cannot hide what is typed")
        }
        defer { tcsetattr(terminal, TCSAFLUSH, &before) }
        Self.show(prompt, terminal)
        defer { Self.show("\n", terminal) }
        var bytes: [UInt8] = []
        while true {
            var byte: UInt8 = 0
            let count = read(terminal, &byte, 1)
            if count < 0 && errno == EINTR { continue }
            switch (count, byte) {
            case (1, 0x0A), (1, 0x0D): return String(decoding: bytes, as: UTF8.self)
            case (1, 0x03): return nil
            case (1, 0x04) where !bytes.isEmpty: return String(decoding: bytes, as: UTF8.self)
            case (1, 0x7F), (1, 0x08): _ = bytes.popLast()
            case (1, 0x15): bytes = []
            case (1, _) where byte != 0x04:
                guard bytes.count < limit else { throw .usage("that is too long") }
                bytes.append(byte)
            default: return nil
            }
        }
    }

    private static func show(_ text: String, _ terminal: Int32) {
        let bytes = Array(text.utf8)
        _ = write(terminal, bytes, bytes.count)
    }
}
