import Glibc

/// A line to whoever started us, at once.
package func say(_ line: String) {
    let bytes = Array("\(line)\n".utf8)
    write(STDOUT_FILENO, bytes, bytes.count)
}

/// Ends the program: a benchmark that cannot measure must not print figures.
package func stop(_ message: String) -> Never {
    let line = Array("bench: \(message)\n".utf8)
    write(STDERR_FILENO, line, line.count)
    exit(64)
}
