import Glibc
import Synchronization

/// A shell that outlives the test process, however that ends, and then stops and removes what tests started.
///
/// It reads a pipe whose other end only the test process holds: the end of the file is the end of the process.
final class Watchdog: Sendable {
    /// Started before any other program, so that none inherits the pipe.
    static let shared = Watchdog()

    private let pipe: Int32

    private static let script = """
        trap '' INT TERM HUP
        groups=' '
        directories=''
        while read -r verb argument; do
            case "$verb" in
            watch) groups="$groups$argument " ;;
            forget) case "$groups" in
                *" $argument "*) groups="${groups%% $argument *} ${groups#* $argument }" ;;
                esac ;;
            remove) directories="$directories $argument" ;;
            esac
        done
        for entry in $groups; do kill -s "${entry%%:*}" -- "-${entry#*:}"; done
        for attempt in 1 2 3 4 5 6 7 8 9 10; do
            alive=''
            for entry in $groups; do kill -s 0 -- "-${entry#*:}" && alive=yes; done
            [ -n "$alive" ] || break
            sleep 0.2
        done
        for entry in $groups; do kill -s KILL -- "-${entry#*:}"; done
        [ -z "$directories" ] || rm -rf $directories || { sleep 1; rm -rf $directories; }
        """

    private init() {
        var ends: [Int32] = [-1, -1]
        guard Glibc.pipe(&ends) == 0 else { fatalError("no pipe for the watchdog") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        do throws(TestKitError) {
            _ = try Spawn.start(
                "/bin/sh",
                ["-c", Self.script],
                environment: ["PATH": "/usr/bin:/bin"],
                directory: "/",
                streams: .init(input: ends[0])
            )
        } catch {
            fatalError("\(error)")
        }
        close(ends[0])
        self.pipe = ends[1]
    }

    /// Sends `signal` to the group when the test process is gone, and SIGKILL two seconds later.
    func watch(group: pid_t, signal: String = "KILL") { self.tell("watch \(signal):\(group)") }

    func forget(group: pid_t, signal: String = "KILL") { self.tell("forget \(signal):\(group)") }

    /// Removes the directory, whose path has no spaces, when the test process is gone.
    func remove(directory: String) { self.tell("remove \(directory)") }

    private func tell(_ line: String) {
        let bytes = Array((line + "\n").utf8)
        _ = write(self.pipe, bytes, bytes.count)  // shorter than PIPE_BUF, so lines do not mix
    }
}
