import Glibc

/// A file that a program writes its output to; removed with its last reference.
package final class OutputFile: Sendable {
    package let path: String

    init(name: String) throws(TestKitError) {
        var template = Array("/tmp/testkit-\(name)-XXXXXX".utf8CString)
        let descriptor = mkstemp(&template)
        guard descriptor >= 0 else { throw TestKitError("no temporary file for \(name)") }
        close(descriptor)
        self.path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        Watchdog.shared.remove(directory: self.path)
    }

    deinit { unlink(self.path) }

    /// The last bytes written, as text.
    package func tail(bytes limit: Int = 256 * 1_024) -> String {
        let descriptor = open(self.path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        let size = lseek(descriptor, 0, SEEK_END)
        lseek(descriptor, max(0, size - limit), SEEK_SET)
        var bytes = [UInt8](repeating: 0, count: max(0, min(size, limit)))
        let count = read(descriptor, &bytes, bytes.count)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }
}
