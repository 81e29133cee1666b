/// What the event loops of a gateway have counted and what they hold, taken loop by loop.
package struct LoopFigures: Sendable {
    package var counters = LoopCounters()
    /// Client connections.
    package var connections = 0
    /// Connections to providers, those of them that serve a request, and those that wait for one.
    package var upstreamOpen = 0
    package var upstreamBusy = 0
    package var upstreamIdle = 0
    /// Bytes of request bodies that are held.
    package var bodyBytes = 0
    /// Requests that are open in the journal.
    package var openRequests = 0
    /// Requests that wait for money of a budget.
    package var parked = 0
    /// Sets of tags that are told apart, of each loop; and requests whose values were counted as `(other)`.
    package var tagSets = 0
    package var tagOthers = 0
    /// Nanoseconds by which the latest of the loops was late, lately.
    package var lag: UInt64 = 0

    mutating func add(_ other: LoopFigures) {
        self.counters.add(other.counters)
        self.connections += other.connections
        self.upstreamOpen += other.upstreamOpen
        self.upstreamBusy += other.upstreamBusy
        self.upstreamIdle += other.upstreamIdle
        self.bodyBytes += other.bodyBytes
        self.openRequests += other.openRequests
        self.parked += other.parked
        self.tagSets += other.tagSets
        self.tagOthers += other.tagOthers
        self.lag = max(self.lag, other.lag)
    }
}

extension LoopState {
    var figures: LoopFigures {
        var figures = LoopFigures()
        figures.counters = self.counters
        figures.connections = self.connectionCount
        figures.upstreamOpen = self.pool.openCount
        figures.upstreamBusy = self.pool.busyCount
        figures.upstreamIdle = self.pool.idleCount
        figures.bodyBytes = self.bodyBytes
        figures.openRequests = self.journal.openCount
        figures.parked = self.parkedCount
        figures.tagSets = self.tags.count
        figures.tagOthers = self.tags.others
        figures.lag = self.lag.greatest
        return figures
    }
}
