package import Shared
import Synchronization

/// The machine's clocks, with the wall clock put right by what the control plane signed.
///
/// Policy, assertions, freshness and usage go by `time`. Uptime is the machine's. An offset is not kept on disk: it would
/// be wrong as soon as somebody sets the machine's clock right, and without the control plane nothing tells whether
/// somebody did. A start without the control plane therefore goes by the machine's clock.
package final class GatewayClock: Sendable {
    package let machine: TimeSource
    private let microseconds = Atomic<Int64>(0)
    private let isMeasured = Atomic<Bool>(false)
    private let isDoubted = Atomic<Bool>(false)

    package init(machine: TimeSource) { self.machine = machine }

    /// The right time, as far as it is known.
    package var time: TimeSource {
        TimeSource(
            now: { self.machine.now().adding(microseconds: self.microseconds.load(ordering: .relaxed)) },
            uptime: self.machine.uptime
        )
    }

    /// Microseconds that the machine's wall clock is behind; negative when it is ahead, nil before it was compared.
    package var offset: Int64? {
        self.isMeasured.load(ordering: .acquiring) ? self.microseconds.load(ordering: .relaxed) : nil
    }

    func set(offset: Int64) {
        self.microseconds.store(offset, ordering: .relaxed)
        self.isMeasured.store(true, ordering: .releasing)
    }

    /// Has the clock compared soon: the control plane refused a call for its time.
    package func doubt() { self.isDoubted.store(true, ordering: .relaxed) }

    /// Whether it was doubted since this was asked last.
    func takeDoubt() -> Bool { self.isDoubted.exchange(false, ordering: .relaxed) }
}
