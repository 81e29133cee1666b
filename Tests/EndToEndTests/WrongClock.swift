import Foundation
import TestKit

/// A machine whose wall clock is wrong, for a program of ours: what `faketime` does, made here with the compiler that
/// comes with Swift.
enum WrongClock {
    private static let source = """
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <stdlib.h>
        #include <time.h>

        static long seconds(void) {
            const char *text = getenv("WRONG_CLOCK_SECONDS");
            return text ? atol(text) : 0;
        }

        int clock_gettime(clockid_t clock, struct timespec *time) {
            static int (*real)(clockid_t, struct timespec *);
            if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
            int result = real(clock, time);
            if (result == 0 && clock == CLOCK_REALTIME) time->tv_sec += seconds();
            return result;
        }
        """

    /// The environment of a program whose wall clock is so many seconds ahead.
    static func environment(ahead seconds: Int, folder: String) async throws -> [String: String] {
        let library = "\(folder)/wrong-clock.so"
        if !FileManager.default.fileExists(atPath: library) {
            try Self.source.write(toFile: "\(folder)/wrong-clock.c", atomically: true, encoding: .utf8)
            let compiler = try ChildProcess(
                "clang", ["-shared", "-fPIC", "-o", library, "\(folder)/wrong-clock.c", "-ldl"])
            guard try await compiler.waitForExit() == .code(0) else {
                throw TestKitError("clang failed: \(compiler.errors.tail())")
            }
        }
        return ["LD_PRELOAD": library, "WRONG_CLOCK_SECONDS": String(seconds)]
    }
}
