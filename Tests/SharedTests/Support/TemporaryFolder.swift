import Glibc

/// A folder of one test, removed with what is directly in it.
final class TemporaryFolder {
    let path: String

    init() {
        var template = Array("/tmp/gatehouse-shared-XXXXXX".utf8CString)
        _ = mkdtemp(&template)
        self.path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        if let folder = opendir(self.path) {
            while let entry = readdir(folder) {
                let name = withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                unlink("\(self.path)/\(name)")
            }
            closedir(folder)
        }
        rmdir(self.path)
    }

    func callAsFunction(_ name: String) -> String { "\(self.path)/\(name)" }
}
