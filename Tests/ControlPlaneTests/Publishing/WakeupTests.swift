import ControlPlane
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(10))) struct WakeupTests {
    @Test func `a wait ends with a signal, and a signal before it is kept`() async {
        let wakeup = Wakeup()
        wakeup.signal()
        wakeup.signal()
        await wakeup.wait(upTo: .seconds(600))
        let signaller = Task {
            try? await Task.sleep(for: .milliseconds(20))
            wakeup.signal()
        }
        await wakeup.wait(upTo: .seconds(600))
        await signaller.value
    }

    @Test func `it waits again after a time-out: it does not spin`() async {
        let wakeup = Wakeup()
        let began = ContinuousClock.now
        for _ in 0..<5 { await wakeup.wait(upTo: .milliseconds(20)) }
        #expect(ContinuousClock.now - began >= .milliseconds(100))
    }

    @Test func `cancelling the task ends its wait, and the next one waits`() async {
        let wakeup = Wakeup()
        let waiter = Task { await wakeup.wait(upTo: .seconds(600)) }
        try? await Task.sleep(for: .milliseconds(20))
        waiter.cancel()
        await waiter.value
        let began = ContinuousClock.now
        await wakeup.wait(upTo: .milliseconds(50))
        #expect(ContinuousClock.now - began >= .milliseconds(50))
    }
}
