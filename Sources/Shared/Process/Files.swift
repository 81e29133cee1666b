#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// What the operating system refused to do with a file.
package struct FileError: Error, CustomStringConvertible, Sendable {
    package let path: String
    package let operation: String
    package let code: Int32

    package init(path: String, operation: String, code: Int32) {
        self.path = path
        self.operation = operation
        self.code = code
    }

    package var reason: String { code == EFBIG ? "the file is too large" : String(cString: strerror(self.code)) }
    package var description: String { "cannot \(self.operation) \(self.path): \(self.reason)" }
    package var isMissing: Bool { self.code == ENOENT }
}

/// Small whole files, read bounded and written so that a crash leaves the old or the new one, never a mixture.
package enum Files {
    /// Reads a whole file of at most `limit` bytes.
    package static func read(_ path: String, limit: Int) throws(FileError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileError(path: path, operation: "open", code: errno) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw FileError(path: path, operation: "read", code: errno) }
        guard status.st_size <= limit else { throw FileError(path: path, operation: "read", code: EFBIG) }
        // A pipe or a file of /proc has no size to go by, and a file may grow while it is read.
        var bytes = [UInt8](repeating: 0, count: min(limit, max(Int(status.st_size), 4096)) + 1)
        var count = 0
        while count <= limit {
            if count == bytes.count {
                bytes += [UInt8](repeating: 0, count: min(limit + 1 - count, count))
            }
            let got = bytes.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress! + count, $0.count - count) }
            if got < 0 && errno == EINTR { continue }
            guard got >= 0 else { throw FileError(path: path, operation: "read", code: errno) }
            if got == 0 { break }
            count += got
        }
        guard count <= limit else { throw FileError(path: path, operation: "read", code: EFBIG) }
        bytes.removeLast(bytes.count - count)
        return bytes
    }

    /// Replaces a file: writes beside it, syncs, renames, syncs the folder.
    package static func replace(_ path: String, with bytes: [UInt8], mode: UInt32 = 0o600) throws(FileError) {
        let temporary = "\(path).tmp.\(getpid()).\(UInt32.random(in: 0 ... .max))"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw FileError(path: temporary, operation: "create", code: errno) }
        var failure = Self.writeAll(descriptor, bytes)
        if failure == 0 && fsync(descriptor) != 0 { failure = errno }
        close(descriptor)
        if failure == 0 && rename(temporary, path) != 0 { failure = errno }
        guard failure == 0 else {
            unlink(temporary)
            throw FileError(path: path, operation: "write", code: failure)
        }
        Self.syncFolder(path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ".")
    }

    /// Creates a folder with its parents, readable by the owner alone.
    package static func makeFolder(_ path: String) throws(FileError) {
        var partial = path.hasPrefix("/") ? "" : "."
        for component in path.split(separator: "/") {
            partial += "/" + component
            if mkdir(partial, 0o700) != 0 && errno != EEXIST {
                throw FileError(path: partial, operation: "create folder", code: errno)
            }
        }
    }

    /// The names in a folder, sorted; empty when there is no such folder.
    package static func names(in folder: String) -> [String] {
        guard let handle = opendir(folder) else { return [] }
        defer { closedir(handle) }
        var names: [String] = []
        while let entry = readdir(handle) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Whether nobody but the owner may read or write a file.
    package static func isPrivate(_ path: String) throws(FileError) -> Bool {
        var status = stat()
        guard stat(path, &status) == 0 else { throw FileError(path: path, operation: "stat", code: errno) }
        return status.st_mode & 0o077 == 0
    }

    /// Removes a file; one that is not there is fine.
    package static func remove(_ path: String) { unlink(path) }

    private static func writeAll(_ descriptor: Int32, _ bytes: [UInt8]) -> Int32 {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress! + written, $0.count - written) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return count < 0 ? errno : EIO }
            written += count
        }
        return 0
    }

    /// Writes the names in a folder through to the disk: a file that was made there survives a loss of the host.
    package static func syncFolder(_ folder: String) {
        let descriptor = open(folder.isEmpty ? "/" : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }
}
