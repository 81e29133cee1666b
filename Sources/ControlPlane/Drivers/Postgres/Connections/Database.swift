package import Logging
import NIOPosix

/// A bounded pool of connections to one database.
///
/// Transactions are synchronous closures on the pool's own threads, so nothing can be awaited while one is open.
package final class Database: Sendable {
    private let config: DatabaseConfig
    private let logger: Logger
    private let slots: SlotQueue
    private let idle = IdleConnections()
    private let threads: NIOThreadPool

    /// Connects when the first transaction needs it.
    package init(config: DatabaseConfig, logger: Logger) {
        self.config = config
        self.logger = logger
        self.slots = SlotQueue(size: config.poolSize, queueSize: config.queueSize)
        self.threads = NIOThreadPool(numberOfThreads: max(1, config.poolSize))
        self.threads.start()
    }

    /// Connections in use, and tasks that wait for one.
    package var usage: (busy: Int, waiting: Int) {
        let (free, waiting) = self.slots.figures
        return (max(1, self.config.poolSize) - free, waiting)
    }

    deinit { self.threads.shutdownGracefully { _ in } }

    /// Runs `body` between BEGIN and COMMIT, or ROLLBACK when it throws, and returns its value.
    ///
    /// `body` runs a second time when a migration has changed a prepared statement's result, and up to
    /// `retrySerialization` more times after a serialization failure or deadlock: it must not have effects outside
    /// the database. Connecting is tried again until the acquire timeout.
    ///
    /// Cancelling the task ends the wait for a connection; a transaction that has begun is carried to its end.
    /// Throws `PostgresError`, `CancellationError`, or what `body` threw.
    @discardableResult
    package func transaction<Value: Sendable>(
        _ mode: TransactionMode = .readWrite,
        retrySerialization: Int = 0,
        _ body: @escaping @Sendable (inout Transaction) throws -> Value
    ) async throws -> Value {
        let deadline = ContinuousClock.now + self.config.acquireTimeout
        try await self.slots.acquire(until: deadline)
        defer { self.slots.release() }
        var retries = RetryBudget(serialization: retrySerialization, reconnectUntil: deadline)
        while true {
            try Task.checkCancellation()
            switch try await self.onThread({ self.attempt(mode, body) }) {
            case .finished(let value): return value
            case .failed(let error, let reason):
                guard let pause = retries.pause(after: reason) else { throw error }
                if case .notConnected = reason {
                    self.logger.warning("database not reachable, trying again", metadata: ["error": "\(error)"])
                }
                try await Task.sleep(for: pause)
            }
        }
    }

    /// Refuses new work, lets running transactions end, closes every connection.
    package func shutdown() async {
        self.slots.close()
        do {
            try await self.threads.shutdownGracefully()
        } catch {
            self.logger.error("database threads did not stop", metadata: ["error": "\(error)"])
        }
        self.idle.close()
    }

    private enum Outcome<Value: Sendable>: Sendable {
        case finished(Value)
        case failed(any Error, RetryReason)
    }

    /// One attempt, on a thread of the pool.
    private func attempt<Value: Sendable>(
        _ mode: TransactionMode,
        _ body: (inout Transaction) throws -> Value
    ) -> Outcome<Value> {
        let connection: Connection
        do throws(PostgresError) {
            connection = try self.begin(mode)
        } catch {
            if case .connection = error { return .failed(error, .notConnected) }
            return .failed(error, .none)
        }
        defer { self.idle.put(connection) }
        do {
            return .finished(try connection.finish(body))
        } catch {
            guard let failure = connection.lastFailure, !connection.isBroken else { return .failed(error, .none) }
            if failure.isStalePlan {
                connection.forgetStatements()
                return .failed(error, .stalePlan)
            }
            return .failed(error, failure.sqlState.isTransient ? .serialization : .none)
        }
    }

    /// A connection with an open transaction; idle connections that turn out to be dead are replaced.
    private func begin(_ mode: TransactionMode) throws(PostgresError) -> Connection {
        if let connection = self.idle.take() {
            do throws(PostgresError) {
                try connection.begin(mode)
                return connection
            } catch {
                guard connection.isBroken else {
                    connection.rollback()
                    throw error
                }
                self.idle.discardAll()
            }
        }
        let connection = try Connection(self.config)
        try connection.begin(mode)
        return connection
    }

    /// Not `NIOThreadPool.runIfActive`: that gives up on a cancelled task, and remembers it for ever.
    private func onThread<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            self.threads.submit { state in
                switch state {
                case .active: continuation.resume(returning: body())
                case .cancelled: continuation.resume(throwing: PostgresError.closed)
                }
            }
        }
    }
}
