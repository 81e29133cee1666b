import Synchronization

/// Connections that no transaction uses, the most recently used first.
final class IdleConnections: Sendable {
    /// A connection is used by one thread at a time: whoever takes it out of here owns it until it is put back.
    private struct Handoff: @unchecked Sendable {
        let connection: Connection
    }

    private struct State {
        var idle: [Handoff] = []
        var isClosed = false
    }

    private let state = Mutex(State())

    func take() -> Connection? {
        self.state.withLock { $0.idle.popLast() }?.connection
    }

    /// Keeps a connection for the next transaction, or closes it when it is not fit for one.
    func put(_ connection: Connection) {
        guard connection.isReusable else { return }
        let handoff = Handoff(connection: connection)
        self.state.withLock { state in
            if !state.isClosed { state.idle.append(handoff) }
        }
    }

    /// Closes what is idle; a server that dropped one connection has most likely dropped them all.
    func discardAll() {
        let discarded = self.state.withLock { state in
            defer { state.idle = [] }
            return state.idle
        }
        _ = consume discarded  // closed here, outside the lock
    }

    func close() {
        self.state.withLock { $0.isClosed = true }
        self.discardAll()
    }
}
