/// Why an attempt at a transaction failed, as far as trying again is concerned.
enum RetryReason: Sendable {
    case none
    /// No connection: nothing has happened yet.
    case notConnected
    /// A prepared statement's plan was out of date; the connection has forgotten its statements.
    case stalePlan
    case serialization
}

/// How often one transaction may still be tried again.
struct RetryBudget {
    private var serialization: Int
    private var stalePlan = 1
    private let reconnectUntil: ContinuousClock.Instant
    private var connecting = Backoff()
    private var contending = Backoff(first: 5, longest: 200)

    init(serialization: Int, reconnectUntil: ContinuousClock.Instant) {
        self.serialization = serialization
        self.reconnectUntil = reconnectUntil
    }

    /// The pause before the next attempt; nil when there is none.
    mutating func pause(after reason: RetryReason) -> Duration? {
        switch reason {
        case .none:
            return nil
        case .notConnected:
            let pause = self.connecting.next()
            return ContinuousClock.now + pause < self.reconnectUntil ? pause : nil
        case .stalePlan:
            self.stalePlan -= 1
            return self.stalePlan >= 0 ? .zero : nil
        case .serialization:
            self.serialization -= 1
            return self.serialization >= 0 ? self.contending.next() : nil
        }
    }
}
