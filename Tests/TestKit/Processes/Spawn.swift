import CSpawn
import Glibc

/// Starts programs; what both `ChildProcess` and the watchdog are made with.
enum Spawn {
    /// What the program's first three descriptors are.
    struct Streams {
        var input: Int32?
        var output = "/dev/null"
        var errors = "/dev/null"
    }

    /// Starts a program as the leader of a new process group, with default signal handling; returns its id.
    ///
    /// It gets its three streams and none of our descriptors: NIO's accepted sockets are not marked to be closed, and
    /// a connection that another test's server closes would stay open as long as the program runs.
    static func start(
        _ executable: String,
        _ arguments: [String],
        environment: [String: String],
        directory: String?,
        streams: Streams
    ) throws(TestKitError) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let input = streams.input {
            posix_spawn_file_actions_adddup2(&actions, input, 0)
        } else {
            posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        }
        let append = O_WRONLY | O_CREAT | O_APPEND
        posix_spawn_file_actions_addopen(&actions, 1, streams.output, append, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, streams.errors, append, 0o600)
        posix_spawn_file_actions_addclosefrom_np(&actions, 3)

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(
            &attributes,
            Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF)
        )

        var process = pid_t()
        let variables = environment.map { "\($0.key)=\($0.value)" }
        // env(1) changes the directory: Swift's Glibc module does not show posix_spawn_file_actions_addchdir_np.
        let command = (directory.map { ["env", "-C", $0] } ?? []) + [executable] + arguments
        let status = self.withArguments(command) { argv in
            self.withArguments(variables) { envp in
                posix_spawnp(&process, command[0], &actions, &attributes, argv, envp)
            }
        }
        guard status == 0 else {
            throw TestKitError("cannot start \(executable): \(String(cString: strerror(status)))")
        }
        return process
    }

    private static func withArguments<Value>(
        _ strings: [String],
        _ body: ([UnsafeMutablePointer<CChar>?]) -> Value
    ) -> Value {
        let copies = strings.map { strdup($0) }
        defer { for copy in copies { free(copy) } }
        return body(copies + [nil])
    }
}
