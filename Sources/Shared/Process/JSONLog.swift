package import Logging

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Writes one JSON object a line to standard error.
///
/// Members: `time` (RFC 3339), `level`, `logger`, `message`, then the metadata, flat. Values are escaped and cut at 2 KiB.
package struct JSONLogHandler: LogHandler {
    private let label: String
    private let time: TimeSource
    package var metadata: Logger.Metadata = [:]
    package var logLevel: Logger.Level

    package init(label: String, level: Logger.Level, time: TimeSource) {
        self.label = label
        self.logLevel = level
        self.time = time
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        var line = "{\"time\":\"\(self.time.now())\",\"level\":\"\(event.level)\",\"logger\":"
        Self.append(self.label, to: &line)
        line += ",\"message\":"
        Self.append(event.message.description, to: &line)
        let own = event.metadata ?? [:]
        for (key, value) in self.metadata.merging(own, uniquingKeysWith: { _, new in new }).sorted(by: {
            $0.key < $1.key
        }) {
            line += ","
            Self.append(key, to: &line)
            line += ":"
            Self.append(value.description, to: &line)
        }
        line += "}\n"
        var bytes = Array(line.utf8)
        // One write call, so that lines of several threads do not mix.
        _ = write(STDERR_FILENO, &bytes, bytes.count)
    }

    private static func append(_ text: String, to line: inout String) {
        line += "\""
        for scalar in text.unicodeScalars.prefix(2048) {
            switch scalar {
            case "\"": line += "\\\""
            case "\\": line += "\\\\"
            case "\n": line += "\\n"
            case "\r": line += "\\r"
            case "\t": line += "\\t"
            case let control where control.value < 0x20 || control.value == 0x7F:
                let digits = String(control.value, radix: 16)
                line += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: line.unicodeScalars.append(scalar)
            }
        }
        line += "\""
    }

    /// A logger that writes JSON lines at the level of `name` (trace … critical).
    package static func logger(_ label: String, level: Logger.Level, time: TimeSource = .system) -> Logger {
        Logger(label: label) { JSONLogHandler(label: $0, level: level, time: time) }
    }
}
