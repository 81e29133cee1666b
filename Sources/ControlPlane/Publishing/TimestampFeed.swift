package import Postgres
package import Shared
import Synchronization

/// The newest timestamp of each group, for gateways that wait for the next.
///
/// Every replica has one. A waiting call is woken by NOTIFY and looks once a second besides.
package final class TimestampFeed: Sendable {
    package static let channel = "gatehouse_timestamp"

    private let database: Database
    private let listener: Listener
    private let waiting = Mutex(Waiting())

    private struct Waiting {
        var next = 0
        var calls: [Int: Wakeup] = [:]
    }

    /// Calls that may wait at once.
    static let waitingLimit = 10_000

    package init(database: Database, listener: Listener) {
        self.database = database
        self.listener = listener
    }

    package func run() async {
        for await _ in self.listener.events() {
            for call in self.waiting.withLock({ Array($0.calls.values) }) { call.signal() }
        }
    }

    /// The group's timestamp envelope once its sequence is another than `known`; nil when it is not within `seconds`.
    ///
    /// Another, not a later one: a gateway that is ahead of a restored database must see that.
    package func timestamp(_ group: GatewayGroupID, known: Int, wait seconds: Int) async throws -> [UInt8]? {
        let wakeup = Wakeup()
        let call = self.waiting.withLock { waiting -> Int? in
            guard waiting.calls.count < Self.waitingLimit else { return nil }
            waiting.next += 1
            waiting.calls[waiting.next] = wakeup
            return waiting.next
        }
        defer { if let call { self.waiting.withLock { _ = $0.calls.removeValue(forKey: call) } } }
        let deadline = ContinuousClock.now.advanced(by: .seconds(call == nil ? 0 : seconds))
        while true {
            let found = try await self.database.transaction(.readOnly) { tx in
                try tx.queryOne(
                    "select envelope from snapshot_timestamp where group_id = $1 and sequence <> $2", group,
                    Int64(known)
                )?.get("envelope", as: [UInt8].self)
            }
            if let found { return found }
            let left = deadline - .now
            guard left > .zero, !Task.isCancelled else { return nil }
            await wakeup.wait(upTo: min(left, .seconds(5)))
        }
    }
}
