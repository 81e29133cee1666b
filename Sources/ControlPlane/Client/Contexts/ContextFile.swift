import Glibc
import Shared

/// The contexts of one user: `~/.config/gatehouse/config.json`, which nobody else may read.
package struct ContextFile: Sendable {
    package let path: String
    package private(set) var contexts: [String: ServerContext] = [:]
    package private(set) var current: String?

    private static let limit = 1 << 20

    /// The contexts on file; none when there is no file.
    ///
    /// A file that others may read, or that is another user's, is refused: whose token would it be?
    package init(path: String) throws(ClientError) {
        self.path = path
        var status = stat()
        guard stat(path, &status) == 0 else {
            guard errno == ENOENT || errno == ENOTDIR else { throw Self.unreadable(path, errno) }
            return
        }
        guard status.st_uid == geteuid() else { throw ClientError(.failure, "\(path) is another user's: not used") }
        guard status.st_mode & 0o077 == 0 else {
            let mode = String(status.st_mode & 0o777, radix: 8)
            throw ClientError(
                .failure, "\(path) has a token and may be read by others (mode \(mode)): not used",
                notes: ["chmod 600 \(path)", "and make a new token, if somebody may have read this one."])
        }
        let bytes: [UInt8]
        do throws(FileError) { bytes = try Files.read(path, limit: Self.limit) } catch {
            throw ClientError(.failure, error.description)
        }
        let json: JSON
        do throws(JSONSyntaxError) { json = try JSON(parsing: bytes) } catch {
            throw ClientError(.failure, "\(path) is not JSON: \(error)")
        }
        for (name, context) in json["contexts"]?.object ?? [:] {
            self.contexts[name] = try ServerContext(context, name: name)
        }
        self.current = json["current"]?.string
    }

    private static func unreadable(_ path: String, _ code: Int32) -> ClientError {
        ClientError(.failure, "cannot read \(path): \(String(cString: strerror(code)))")
    }

    /// The names, sorted.
    package var names: [String] { self.contexts.keys.sorted() }

    package func context(_ name: String) throws(ClientError) -> ServerContext {
        guard let context = self.contexts[name] else {
            throw .unknown("context", name, among: self.names, more: "gatehouse context list lists them.")
        }
        return context
    }

    /// Sets a context; it is the current one when it is the first.
    package mutating func set(_ name: String, _ context: ServerContext, isCurrent: Bool = false)
        throws(ClientError)
    {
        let isName =
            (1...64).contains(name.utf8.count)
            && name.utf8.allSatisfy { (0x21..<0x7F).contains($0) } && !name.hasPrefix("-")
        guard isName else { throw .usage("a context's name is 1 to 64 printable characters without spaces") }
        self.contexts[name] = context
        if isCurrent || self.current == nil { self.current = name }
    }

    package mutating func use(_ name: String) throws(ClientError) {
        _ = try self.context(name)
        self.current = name
    }

    package mutating func delete(_ name: String) throws(ClientError) {
        _ = try self.context(name)
        self.contexts[name] = nil
        if self.current == name { self.current = nil }
    }

    /// Writes the file: a new one takes its place, for the owner alone.
    package func save() throws(ClientError) {
        var members: [String: JSON] = ["contexts": .object(self.contexts.mapValues(\.json))]
        members["current"] = self.current.map { .string($0) }
        let text = JSONWriter.lines(.object(members)) + "\n"
        do {
            let folder = self.path.lastIndex(of: "/").map { String(self.path[..<$0]) } ?? "."
            try Files.makeFolder(folder)
            var status = stat()
            guard stat(folder, &status) == 0, status.st_mode & 0o022 == 0 else {
                throw ClientError(
                    .failure, "\(folder) may be written by others: not used", notes: ["chmod 700 \(folder)"])
            }
            // A link to a file elsewhere stays one.
            try Files.replace(Self.resolved(self.path), with: Array(text.utf8))
        } catch let error as ClientError {
            throw error
        } catch {
            throw ClientError(.failure, "\(error)")
        }
    }

    private static func resolved(_ path: String) -> String {
        guard let real = realpath(path, nil) else { return path }
        defer { free(real) }
        return String(cString: real)
    }

    /// Changes the file while no other command does.
    package static func change<Value>(
        path: String, _ body: (inout ContextFile) throws(ClientError) -> Value
    ) throws(ClientError) -> Value {
        let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        do { try Files.makeFolder(folder) } catch { throw ClientError(.failure, "\(error)") }
        let lock = open(folder + "/.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard lock >= 0 else { throw Self.unreadable(folder + "/.lock", errno) }
        defer { close(lock) }
        guard flock(lock, LOCK_EX) == 0 else { throw Self.unreadable(folder + "/.lock", errno) }
        var file = try ContextFile(path: path)
        let value = try body(&file)
        try file.save()
        return value
    }
}
