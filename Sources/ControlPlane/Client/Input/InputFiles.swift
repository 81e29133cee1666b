import Shared

/// Files that a command names; `-` is standard input.
package enum InputFiles {
    package static func bytes(_ path: String, limit: Int) throws(ClientError) -> [UInt8] {
        do {
            return try Files.read(path == "-" ? "/dev/stdin" : path, limit: limit)
        } catch {
            let reason = error.reason
            throw .usage("cannot read \(path == "-" ? "standard input" : path): \(reason)")
        }
    }

    package static func text(_ path: String, limit: Int) throws(ClientError) -> String {
        guard let text = String(validating: try Self.bytes(path, limit: limit), as: UTF8.self) else {
            throw .usage("\(path == "-" ? "standard input" : path) is no text in UTF-8")
        }
        return text
    }
}
