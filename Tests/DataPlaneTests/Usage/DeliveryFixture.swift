import DataPlane
import Glibc
import Logging
import Shared
import Testing

/// A spool of one gateway, what delivers it, and the control plane that it is delivered to.
final class DeliveryFixture {
    let files = SpoolFixture()
    let clock = TestClock()
    let control = FakeControlPlane()
    private(set) var spool: UsageSpool
    var delivery: UsageDelivery

    static let logger = Logger(label: "delivery", factory: { _ in SwiftLogNoOpLogHandler() })
    static let gateway = GatewayID(UUIDValue(high: 3, low: 3))

    init() throws {
        self.spool = try UsageSpool(folder: self.files.path, logger: Self.logger)
        self.delivery = Self.delivery(self.spool, self.control, self.clock)
    }

    private static func delivery(
        _ spool: UsageSpool, _ control: FakeControlPlane, _ clock: TestClock
    ) -> UsageDelivery {
        UsageDelivery(
            spool: spool, gateway: Self.gateway, time: clock.time, logger: Self.logger, root: { control.root },
            send: { try control.take($0) })
    }

    func newStream(_ number: UInt64 = 1) throws -> (stream: SpoolStream, journal: UsageJournal) {
        let stream = try self.spool.newStream(SpoolFixture.streamID(number))
        return (stream, try #require(UsageJournal(stream: stream)))
    }

    /// Writes down finished requests, making room as the keeper would.
    func write(_ journal: UsageJournal, _ numbers: Range<Int>) throws {
        for number in numbers {
            if !journal.stream.hasSpare { try journal.stream.prepareSpare() }
            #expect(journal.note(SpoolFixture.record(number)))
        }
    }

    /// Goes on as another process of the gateway does, once this one has ended and `change` was made to its files.
    ///
    /// Streams and journals that the caller still holds keep their lock: let them go first.
    func restart(_ change: (_ streamFolder: String) throws -> Void = { _ in }) throws {
        self.spool = try UsageSpool(folder: self.files.path, logger: Self.logger)
        self.delivery = Self.delivery(self.spool, self.control, self.clock)
        for name in Files.names(in: self.files.path) { try change("\(self.files.path)/\(name)") }
        self.spool.recover(now: self.clock.time.now())
        self.spool.sync()
    }

    func round() async -> Bool { await self.delivery.round() }

    /// Rounds until nothing is sent any more.
    func deliverAll() async {
        for _ in 0..<20_000 {
            guard await self.delivery.round() else { return }
        }
        Issue.record("delivery does not come to an end")
    }

    func stored(_ number: UInt64 = 1) -> [Int: UsageRecord] { self.control.stored(SpoolFixture.streamID(number)) }
    func last(_ number: UInt64 = 1) -> Int { self.control.last(SpoolFixture.streamID(number)) }
    func gaps(_ number: UInt64 = 1) -> [FakeControlPlane.Gap] { self.control.gaps(SpoolFixture.streamID(number)) }

    /// Whether exactly the records of these requests are stored, under the numbers from 1 on.
    func hasStored(_ numbers: Range<Int>, _ stream: UInt64 = 1) -> Bool {
        let stored = self.stored(stream)
        return stored.count == numbers.count
            && stored.allSatisfy { SpoolFixture.number($0.value) == numbers.lowerBound + $0.key - 1 }
    }
}
