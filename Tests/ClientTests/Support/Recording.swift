import AdminClient
import Glibc
import Shared
import Synchronization
import TestKit

/// A console whose output a test reads.
final class Recording: Sendable {
    private let texts = Mutex<(output: String, errors: String)>(("", ""))

    var output: String { self.texts.withLock { $0.output } }
    var errors: String { self.texts.withLock { $0.errors } }

    func console(width: Int? = nil) -> Console {
        Console(
            write: { text in self.texts.withLock { $0.output += text } },
            writeError: { text in self.texts.withLock { $0.errors += text } }, width: width)
    }
}

/// A folder that goes away with the test.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        var template = Array("/tmp/gatehouse-client-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw TestKitError("no temporary folder") }
        self.path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { Self.remove(self.path) }

    private static func remove(_ path: String) {
        for name in Files.names(in: path) where unlink(path + "/" + name) != 0 {
            Self.remove(path + "/" + name)
        }
        rmdir(path)
    }

    func write(_ text: String, to name: String, mode: UInt32 = 0o600) throws -> String {
        let path = self.path + "/" + name
        try Files.replace(path, with: Array(text.utf8), mode: mode)
        chmod(path, mode)
        return path
    }
}
