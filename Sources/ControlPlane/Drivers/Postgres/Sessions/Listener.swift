import CLibPQ
package import Logging

/// A message sent with NOTIFY.
package struct DatabaseNotification: Sendable, Hashable {
    package let channel: String
    package let payload: String

    package init(channel: String, payload: String) {
        self.channel = channel
        self.payload = payload
    }
}

package enum ListenerEvent: Sendable, Hashable {
    case notification(DatabaseNotification)
    /// Listening has (again) begun, or the consumer was too slow: notifications may have been missed, so poll.
    case reconnected
}

/// Listens for notifications on a connection of its own.
///
/// Needs a direct connection: a transaction pooler does not carry LISTEN.
package struct Listener: Sendable {
    private let config: DatabaseConfig
    private let channels: [String]
    private let bufferSize: Int
    private let heartbeat: Duration
    private let logger: Logger

    package init(
        config: DatabaseConfig,
        channels: [String],
        bufferSize: Int = 256,
        heartbeat: Duration = .seconds(15),
        logger: Logger
    ) {
        self.config = config
        self.channels = channels
        self.bufferSize = bufferSize
        self.heartbeat = heartbeat
        self.logger = logger
    }

    /// Events from now on, over a new connection that is closed when the consumer stops.
    ///
    /// Holds at most `bufferSize` events; beyond that the oldest are dropped and `reconnected` is the newest.
    package func events() -> AsyncStream<ListenerEvent> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: ListenerEvent.self,
            bufferingPolicy: .bufferingNewest(max(2, self.bufferSize))
        )
        do throws(PostgresError) {
            let waker = try Waker()
            continuation.onTermination = { _ in waker.wake() }
            let isStarted = DedicatedThread.start {
                self.listen(waker, continuation)
                continuation.finish()
            }
            if !isStarted { throw .connection("no thread available") }
        } catch {
            self.logger.error("cannot listen", metadata: ["error": "\(error)"])
            continuation.finish()
        }
        return stream
    }

    private func listen(_ waker: Waker, _ continuation: AsyncStream<ListenerEvent>.Continuation) {
        var backoff = Backoff()
        while !waker.isWoken {
            do throws(PostgresError) {
                let connection = try Connection(self.config)
                for channel in self.channels {
                    try connection.command("LISTEN \(SQL.quoted(identifier: channel))")
                }
                backoff.reset()
                self.deliver(.reconnected, to: continuation)
                try self.receive(from: connection, waker, continuation)
            } catch {
                self.logger.warning("listening interrupted", metadata: ["error": "\(error)"])
                _ = waker.wait(timeout: backoff.next())
            }
        }
    }

    /// Returns when woken; throws when the connection is lost.
    private func receive(
        from connection: Connection,
        _ waker: Waker,
        _ continuation: AsyncStream<ListenerEvent>.Continuation
    ) throws(PostgresError) {
        while true {
            while let notification = connection.nextNotification() {
                self.deliver(.notification(notification), to: continuation)
            }
            switch waker.wait(forSocket: connection.socket, timeout: self.heartbeat) {
            case .woken: return
            case .readable: try connection.readInput()
            case .timeout: try connection.command("SELECT 1")
            }
        }
    }

    private func deliver(_ event: ListenerEvent, to continuation: AsyncStream<ListenerEvent>.Continuation) {
        if case .dropped = continuation.yield(event) { continuation.yield(.reconnected) }
    }
}

extension Connection {
    /// Reads what has arrived; throws `connection` when the server is gone.
    func readInput() throws(PostgresError) {
        guard PQconsumeInput(self.raw) == 1, !self.isBroken else {
            throw .connection(Self.message(of: self.raw))
        }
    }

    fileprivate func nextNotification() -> DatabaseNotification? {
        guard let raw = PQnotifies(self.raw) else { return nil }
        defer { PQfreemem(raw) }
        return DatabaseNotification(
            channel: String(cString: raw.pointee.relname),
            payload: String(cString: raw.pointee.extra)
        )
    }
}
