package import Logging

/// A lock by number, held by a session: for electing one leader among processes.
///
/// Needs a direct connection: a transaction pooler shares sessions.
package struct AdvisoryLock: Sendable {
    private let config: DatabaseConfig
    private let heartbeat: Duration
    private let logger: Logger

    /// A silent loss of the connection is noticed after `heartbeat` and the TCP time-outs (about 20 s).
    package init(config: DatabaseConfig, heartbeat: Duration = .seconds(5), logger: Logger) {
        self.config = config
        self.heartbeat = heartbeat
        self.logger = logger
    }

    /// Opens a session and takes the lock, or returns nil when another session holds it.
    ///
    /// Throws `connection` when the database cannot be reached.
    package func tryAcquire(_ key: Int64) async throws -> AdvisoryLockHold? {
        let state = HoldState(waker: try Waker())
        let isHeld = try await withCheckedThrowingContinuation { continuation in
            let isStarted = DedicatedThread.start { self.hold(key, state, continuation) }
            if !isStarted { continuation.resume(throwing: PostgresError.connection("no thread available")) }
        }
        return isHeld ? AdvisoryLockHold(state) : nil
    }

    /// The life of the session, on its thread.
    private func hold(_ key: Int64, _ state: HoldState, _ started: CheckedContinuation<Bool, any Error>) {
        let connection: Connection
        do throws(PostgresError) {
            connection = try Connection(self.config)
            let rows = try connection.query("SELECT pg_try_advisory_lock($1) AS held", key)
            guard let row = rows.first, try row.get("held", as: Bool.self) else {
                return started.resume(returning: false)
            }
        } catch {
            return started.resume(throwing: error)
        }
        started.resume(returning: true)
        defer { state.end() }
        do throws(PostgresError) {
            while true {
                switch state.waker.wait(forSocket: connection.socket, timeout: self.heartbeat) {
                case .woken:
                    try connection.command("SELECT pg_advisory_unlock_all()")
                    return
                case .readable: try connection.readInput()
                case .timeout: try connection.command("SELECT 1")
                }
            }
        } catch {
            self.logger.warning("advisory lock lost", metadata: ["key": "\(key)", "error": "\(error)"])
        }
    }
}

/// A lock that is held, until it is released, lost with its connection, or this object goes away.
///
/// Whoever acts on it must bear that the loss is noticed late: fence writes in the database too.
package final class AdvisoryLockHold: Sendable {
    private let state: HoldState

    fileprivate init(_ state: HoldState) { self.state = state }

    deinit { self.state.waker.wake() }

    /// False as soon as the loss is noticed.
    package var isHeld: Bool { self.state.isHeld }

    /// Returns when the lock is lost or released, or the task is cancelled.
    package func waitUntilLost() async { await self.state.waitForEnd() }

    /// Gives the lock back; returns when the server has been told.
    package func release() async {
        self.state.waker.wake()
        await self.state.waitForEnd()
    }
}
