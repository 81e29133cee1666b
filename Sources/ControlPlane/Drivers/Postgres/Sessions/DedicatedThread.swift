import Glibc

/// Blocking work on a thread of its own, for sessions that outlive a transaction.
enum DedicatedThread {
    private final class Work {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    /// Starts a detached thread; false when the system has none.
    static func start(_ body: @escaping @Sendable () -> Void) -> Bool {
        let work = Unmanaged.passRetained(Work(body))
        var thread = pthread_t()
        let status = pthread_create(
            &thread,
            nil,
            { argument in
                if let argument { Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().body() }
                return nil
            },
            work.toOpaque()
        )
        guard status == 0 else {
            work.release()
            return false
        }
        pthread_detach(thread)
        return true
    }

    /// Runs `body` on a new thread and returns its value.
    static func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            let isStarted = self.start { continuation.resume(with: Result(catching: body)) }
            if !isStarted { continuation.resume(throwing: PostgresError.connection("no thread available")) }
        }
    }
}

extension Connection {
    /// Lends a new connection, outside any transaction and any pool, to `body` on a thread of its own.
    ///
    /// For maintenance: scripts, commands that refuse to run in a transaction.
    package static func withSession<Value: Sendable>(
        _ config: DatabaseConfig,
        _ body: @escaping @Sendable (Connection) throws -> Value
    ) async throws -> Value {
        try await DedicatedThread.run { try body(Connection(config)) }
    }
}
