import Glibc

/// The files of one private server, under /tmp so that the socket's path is short.
struct PostgresDirectory: Sendable {
    let path: String
    private let binaries: String

    private var data: String { self.path + "/data" }

    /// Makes the directory and initialises a database cluster in it.
    static func create() async throws -> PostgresDirectory {
        var template = Array("/tmp/ghpg-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw TestKitError("no temporary directory") }
        let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        Watchdog.shared.remove(directory: path)
        if geteuid() == 0 {
            guard let user = getpwnam("postgres") else { throw TestKitError("no user postgres") }
            chown(path, user.pointee.pw_uid, user.pointee.pw_gid)
        }
        let directory = PostgresDirectory(path: path, binaries: try self.findBinaries())
        let initialise = try directory.run(
            "initdb",
            ["-D", directory.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        )
        guard try await initialise.waitForExit(timeout: .seconds(120)) == .code(0) else {
            throw TestKitError("initdb failed\n\(initialise.errors.tail())")
        }
        return directory
    }

    /// Commits are written but not synced: they survive the death of the server, not of the machine.
    func startServer() throws(TestKitError) -> ChildProcess {
        let settings = [
            "unix_socket_directories=\(self.path)", "listen_addresses=", "fsync=off", "full_page_writes=off",
            "max_connections=300", "shared_buffers=64MB", "max_wal_size=256MB", "log_min_messages=warning",
            "timezone=UTC",
        ]
        return try self.run("postgres", ["-D", self.data] + settings.flatMap { ["-c", $0] }, signalAtEnd: "QUIT")
    }

    /// Copies the files of a stopped server aside, or a copy back in their place.
    func copyFiles(back: Bool) async throws {
        let (from, to) = back ? (self.path + "/saved", self.data) : (self.data, self.path + "/saved")
        for (program, arguments) in [("rm", ["-rf", to]), ("cp", ["-a", from, to])] {
            let process = try ChildProcess(program, arguments)
            guard try await process.waitForExit(timeout: .seconds(60)) == .code(0) else {
                throw TestKitError("\(program) \(arguments) failed\n\(process.errors.tail())")
            }
        }
    }

    /// PostgreSQL refuses to run as root.
    private func run(
        _ program: String,
        _ arguments: [String],
        signalAtEnd: String = "KILL"
    ) throws(TestKitError) -> ChildProcess {
        let path = self.binaries + "/" + program
        guard geteuid() == 0 else {
            return try ChildProcess(path, arguments, directory: self.path, signalAtEnd: signalAtEnd)
        }
        let identity = ["--reuid=postgres", "--regid=postgres", "--init-groups", path]
        return try ChildProcess("setpriv", identity + arguments, directory: self.path, signalAtEnd: signalAtEnd)
    }

    /// The newest installation under /usr/lib/postgresql.
    private static func findBinaries() throws(TestKitError) -> String {
        let versions = self.names(in: "/usr/lib/postgresql").compactMap { Int($0) }.sorted()
        for version in versions.reversed() {
            let path = "/usr/lib/postgresql/\(version)/bin"
            if access(path + "/initdb", X_OK) == 0 { return path }
        }
        throw TestKitError("no PostgreSQL server installed (looked for /usr/lib/postgresql/*/bin/initdb)")
    }

    static func children(of parent: pid_t) -> [pid_t] {
        self.names(in: "/proc").compactMap { pid_t($0) }.filter { process in
            guard let file = fopen("/proc/\(process)/stat", "r") else { return false }
            defer { fclose(file) }
            var line = [UInt8](repeating: 0, count: 512)
            let text = String(decoding: line.prefix(fread(&line, 1, line.count, file)), as: UTF8.self)
            // "pid (name) state parent …"; the name may hold anything, so count from its end
            let afterName = text.split(separator: ")").last?.split(separator: " ") ?? []
            return afterName.count > 1 && pid_t(afterName[1]) == parent
        }
    }

    private static func names(in directory: String) -> [String] {
        guard let stream = opendir(directory) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let offset = MemoryLayout<dirent>.offset(of: \.d_name) ?? 0
            let name = UnsafeRawPointer(entry).advanced(by: offset).assumingMemoryBound(to: CChar.self)
            names.append(String(cString: name))
        }
        return names
    }
}
