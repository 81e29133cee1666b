import Synchronization

/// How many questions that take long are answered at once by one process: each has a processor and a database connection to
/// itself for up to a second, and the other requests need those too.
package final class QuestionSlots: Sendable {
    private let free: Mutex<Int>

    /// - Parameter count: how many at once.
    package init(_ count: Int) { self.free = Mutex(count) }

    /// Runs `body`, or throws `unavailable` (`busy`) when all are taken: nobody waits in a row.
    package func use<Value: Sendable>(_ body: () async throws -> Value) async throws -> Value {
        let isTaken = self.free.withLock { free in
            guard free > 0 else { return false }
            free -= 1
            return true
        }
        guard isTaken else {
            throw ControlError(.unavailable, "busy", "Other questions of this kind are being answered; try again.")
        }
        defer { self.free.withLock { $0 += 1 } }
        return try await body()
    }
}
