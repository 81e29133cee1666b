import Glibc
import Synchronization
import TestKit

/// A value that several tasks of a test change.
final class Guarded<Value: Sendable>: Sendable {
    private let mutex: Mutex<Value>

    init(_ value: Value) { self.mutex = Mutex(value) }

    var value: Value { self.mutex.withLock { $0 } }

    func change(_ body: (inout Value) -> Void) {
        self.mutex.withLock { value in
            var changed = value
            body(&changed)
            value = changed
        }
    }
}

/// Holds a database thread at one place of a transaction until the test lets it go on.
final class Gate: Sendable {
    private let hasArrived = Atomic(false)
    private let isOpen = Atomic(false)

    /// Called by the transaction: says that it is here, and blocks until `open`.
    func pass() {
        self.hasArrived.store(true, ordering: .releasing)
        while !self.isOpen.load(ordering: .acquiring) { usleep(1_000) }
    }

    func open() { self.isOpen.store(true, ordering: .releasing) }

    func waitForArrival() async throws {
        try await eventually("the transaction is here", looking: .milliseconds(1)) {
            self.hasArrived.load(ordering: .acquiring)
        }
    }
}
