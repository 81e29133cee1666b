import DataPlane
import Logging
import Shared
import Synchronization
import TestKit
import Testing

/// A gateway whose own clock is wrong goes by what the control plane signs, and by nothing else.
@Suite(.timeLimit(.minutes(10))) struct ClockSyncTests {
    /// The control plane has the right time; the machine's differs by `skew` seconds.
    private final class Fixture: Sendable {
        let control = FakeControlPlane()
        let machine: TestClock
        let clock: GatewayClock
        private let skew: Mutex<Int64>
        private let asked = Mutex(0)

        init(skew: Int64 = 0) {
            self.skew = Mutex(skew)
            self.machine = TestClock(now: Timestamp(microseconds: 1_800_000_000_000_000).adding(seconds: skew))
            self.clock = GatewayClock(machine: self.machine.time)
        }

        /// What time it is.
        var right: Timestamp { self.machine.time.now().adding(seconds: -self.skew.withLock { $0 }) }
        /// Somebody sets the machine's clock.
        func setMachine(seconds: Int64) {
            self.skew.withLock { $0 += seconds }
            self.machine.step(seconds: seconds)
        }
        var calls: Int { self.asked.withLock { $0 } }

        func answer(_ nonce: [UInt8], by key: SigningKey? = nil) throws -> Envelope {
            self.asked.withLock { $0 += 1 }
            return try self.control.sign(
                .time, SignedTime(deployment: self.control.deployment, nonce: nonce, time: self.right), key)
        }

        func sync(
            _ time: (@Sendable ([UInt8]) async throws -> Envelope)? = nil,
            nextRoot: @escaping @Sendable (Int) async throws -> [UInt8]? = { _ in nil }
        ) -> ClockSync {
            ClockSync(
                clock: self.clock,
                source: .init(
                    deployment: self.control.deployment, root: { self.control.root }, nextRoot: nextRoot,
                    time: time ?? { try self.answer($0) }), logger: DeliveryFixture.logger)
        }

        /// Whether the clock is what it was at the start.
        var isUntouched: Bool { self.clock.offset == nil && self.clock.time.now() == self.machine.time.now() }
    }

    @Test(arguments: [3600, -3600, 0, 86_400 * 400, -86_400 * 400])
    func `a clock that is wrong is put right`(_ skew: Int64) async throws {
        let fixture = Fixture(skew: skew)
        #expect(fixture.isUntouched)
        #expect(try await fixture.sync().measure() == -skew * 1_000_000)
        #expect(fixture.clock.offset == -skew * 1_000_000)
        #expect(fixture.clock.time.now() == fixture.right)
        #expect(fixture.clock.time.uptime() == fixture.machine.time.uptime())
        fixture.machine.advance(seconds: 100_000)
        #expect(fixture.clock.time.now() == fixture.right)
    }

    @Test func `what it signs is accepted although the machine is an hour off`() async throws {
        for skew in [Int64(3600), -3600] {
            let fixture = Fixture(skew: skew)
            let (key, gateway) = (SigningKey(), DeliveryFixture.gateway)
            func isAccepted() throws -> Bool {
                let assertion = NodeAssertion(
                    gateway: gateway, audience: fixture.control.deployment, method: "GET", path: "/", body: [],
                    issued: fixture.clock.time.now(), process: 1)
                let (claim, envelope) = try NodeAssertion.parse(header: try #require(assertion.header(signedBy: key)))
                do throws(NodeAssertion.Failure) {
                    try claim.verify(
                        envelope, key: key.publicKey, audience: fixture.control.deployment, method: "GET", path: "/",
                        body: [], now: fixture.right)
                    return true
                } catch {
                    #expect(error == .expired)
                    return false
                }
            }
            #expect(try !isAccepted())
            _ = try await fixture.sync().measure()
            #expect(try isAccepted())
        }
    }

    @Test func `the time is that in the middle of the call`() async throws {
        let fixture = Fixture(skew: 50)
        let sync = fixture.sync { nonce in
            fixture.machine.advance(seconds: 2)
            let envelope = try fixture.answer(nonce)
            fixture.machine.advance(seconds: 2)
            return envelope
        }
        #expect(try await sync.measure() == -50_000_000)
    }

    @Test func `an answer that took too long, or during which the clock was set, is not gone by`() async throws {
        for (passes, steps) in [(Int64(5), Int64(0)), (60, 0), (1, 30), (1, -30), (0, 1_000_000_000_000)] {
            let fixture = Fixture(skew: 3600)
            let sync = fixture.sync { nonce in
                let envelope = try fixture.answer(nonce)
                fixture.machine.advance(seconds: passes)
                fixture.machine.step(seconds: steps)
                return envelope
            }
            await #expect(throws: ClockSync.Refusal.self) { try await sync.measure() }
            #expect(fixture.isUntouched)
        }
    }

    @Test func `an answer to another question, of another deployment or by another key is not gone by`() async throws {
        let fixture = Fixture(skew: 3600)
        let control = fixture.control
        let earlier = try fixture.answer([UInt8](repeating: 7, count: 16))
        let elsewhere: DeploymentID = TimeSource.system.newID()
        let wrong: [@Sendable ([UInt8]) async throws -> Envelope] = [
            { _ in earlier },
            { try control.sign(.time, SignedTime(deployment: elsewhere, nonce: $0, time: fixture.right)) },
            { try fixture.answer($0, by: control.wrongKey) },
            { try fixture.answer($0, by: SigningKey()) },
            {
                try control.sign(
                    .timestamp, SignedTime(deployment: control.deployment, nonce: $0, time: fixture.right))
            },
            {
                var envelope = try fixture.answer($0)
                envelope.payload[envelope.payload.count - 1] ^= 1
                return envelope
            },
            { try control.sign(.time, UsageReply(request: $0 + $0, stream: SpoolFixture.streamID(), last: 1)) },
        ]
        for answer in wrong {
            await #expect(throws: (any Error).self) { try await fixture.sync(answer).measure() }
            #expect(fixture.isUntouched)
        }
        _ = try await fixture.sync().measure()
        for answer in wrong {
            await #expect(throws: (any Error).self) { try await fixture.sync(answer).measure() }
            #expect(fixture.clock.offset == -3_600_000_000)
        }
    }

    @Test func `impossible times do not stop the gateway`() async throws {
        for time in [Timestamp(microseconds: .max), Timestamp(microseconds: .min), Timestamp(microseconds: 0)] {
            let fixture = Fixture()
            let sync = fixture.sync { nonce in
                try fixture.control.sign(
                    .time, SignedTime(deployment: fixture.control.deployment, nonce: nonce, time: time))
            }
            _ = try? await sync.measure()
            _ = fixture.clock.time.now()
            fixture.machine.step(seconds: .max / 2)
            _ = fixture.clock.time.now()
            _ = try? await fixture.sync().measure()
        }
    }

    @Test func `keys that were replaced while the gateway was away are followed`() async throws {
        let fixture = Fixture(skew: -3600)
        let key = SigningKey()
        let next = try fixture.control.nextRoot(timestamp: key)
        let sync = fixture.sync({ try fixture.answer($0, by: key) }, nextRoot: { $0 == 2 ? next : nil })
        #expect(try await sync.measure() == 3_600_000_000)
        // The old key is worth nothing to who knows the new root only from the network.
        let other = Fixture(skew: -3600)
        let forged = try fixture.control.nextRoot(timestamp: key)
        let cheated = other.sync({ try other.answer($0, by: key) }, nextRoot: { $0 == 2 ? forged : nil })
        await #expect(throws: SnapshotError.self) { try await cheated.measure() }
        #expect(other.isUntouched)
    }

    @Test func `it is compared at the start, every ten minutes and when it is doubted`() async throws {
        let fixture = Fixture(skew: 3600)
        let sync = fixture.sync()
        await sync.start()
        #expect(fixture.calls == 1 && fixture.clock.offset == -3_600_000_000)
        let running = Task { try await sync.run() }
        try await Task.sleep(for: .milliseconds(600))
        #expect(fixture.calls == 1)
        func isComparedAgain(_ calls: Int) async throws {
            // Much less than ten minutes in all.
            try await eventually("it is compared again") {
                if fixture.calls >= calls { return true }
                fixture.machine.advance(seconds: 2)
                try await Task.sleep(for: .milliseconds(100))
                return false
            }
        }
        fixture.clock.doubt()
        try await isComparedAgain(2)
        try await Task.sleep(for: .milliseconds(600))
        #expect(fixture.calls == 2)
        fixture.machine.advance(seconds: 601)
        try await isComparedAgain(3)
        try await Task.sleep(for: .milliseconds(300))
        // Somebody sets the machine's clock; the next refusal of a call tells.
        fixture.setMachine(seconds: -3000)
        fixture.clock.doubt()
        try await isComparedAgain(4)
        try await eventually("it is right") { fixture.clock.offset == -600_000_000 }
        running.cancel()
        _ = try? await running.value
    }

    @Test func `a start does not wait for a control plane that does not answer`() async throws {
        let fixture = Fixture(skew: 3600)
        await fixture.sync { _ in
            try await Task.sleep(for: .seconds(3600))
            throw FakeControlPlane.Unreachable()
        }.start()
        #expect(fixture.isUntouched)
        await fixture.sync { _ in throw FakeControlPlane.Unreachable() }.start()
        #expect(fixture.isUntouched)
    }
}
