import DataPlane
import Shared
import TestKit
import Testing

/// What is sent when, to a control plane that is as it should be, or answers as it should not.
@Suite struct UsageDeliveryTests {
    private let id = SpoolFixture.streamID()

    @Test func `what finished is delivered once, in order`() async throws {
        let fixture = try DeliveryFixture()
        let (stream, journal) = try fixture.newStream()
        try fixture.write(journal, 0..<2500)
        #expect(stream.sync())
        #expect(await fixture.round())
        #expect(fixture.delivery.figures.waiting == UsageBatch.recordsLimit)
        #expect(fixture.delivery.figures.shipped == UsageBatch.recordsLimit)
        await fixture.deliverAll()
        #expect(fixture.hasStored(0..<2500))
        #expect(fixture.control.batches.map(\.from) == [1, 2001])
        #expect(fixture.delivery.figures.shipped == 2500 && fixture.delivery.figures.waiting == 0)
        #expect(fixture.delivery.figures.failures == 0 && fixture.delivery.figures.lost == 0)
        #expect(await fixture.round() == false)
        try fixture.write(journal, 2500..<2501)
        #expect(stream.sync())
        await fixture.deliverAll()
        #expect(fixture.hasStored(0..<2501))
        #expect(fixture.control.batches.count == 3)
        #expect(fixture.control.batches.allSatisfy { $0.lost == nil && $0.gateway == DeliveryFixture.gateway })
    }

    @Test func `nothing is sent that a loss of the host could take back`() async throws {
        let fixture = try DeliveryFixture()
        let (stream, journal) = try fixture.newStream()
        try fixture.write(journal, 0..<5)
        #expect(await fixture.round() == false)
        #expect(fixture.control.batches.isEmpty)
        #expect(stream.sync())
        try fixture.write(journal, 5..<9)
        await fixture.deliverAll()
        #expect(fixture.hasStored(0..<5))
        // Later segments that are on the disk do not let through what comes before them and is not.
        try fixture.write(journal, 9..<SpoolSegment.capacity + 10)
        #expect(stream.segments.count == 2)
        #expect(stream.segments[1].sync() && stream.segments[1].syncedCount == 10)
        #expect(await fixture.round() == false)
        #expect(fixture.hasStored(0..<5))
        fixture.spool.sync()
        await fixture.deliverAll()
        #expect(fixture.hasStored(0..<SpoolSegment.capacity + 10))
        #expect(fixture.gaps().isEmpty)
    }

    @Test func `a batch of which a part was taken is followed by the rest`() async throws {
        let fixture = try DeliveryFixture()
        do {
            let (stream, journal) = try fixture.newStream()
            try fixture.write(journal, 0..<3)
            #expect(stream.sync())
            await fixture.deliverAll()
            try fixture.write(journal, 3..<8)
        }
        // The next process does not know what was acknowledged.
        try fixture.restart()
        await fixture.deliverAll()
        #expect(fixture.hasStored(0..<8))
        #expect(fixture.control.batches.map(\.from) == [1, 1, 4])
        #expect(fixture.delivery.figures.shipped == 5)
        try fixture.restart()
        await fixture.deliverAll()
        #expect(fixture.hasStored(0..<8))
        #expect(fixture.gaps().isEmpty)
    }

    @Test(arguments: FakeControlPlane.Fault.allCases)
    func `a wrong answer acknowledges nothing`(_ fault: FakeControlPlane.Fault) async throws {
        let fixture = try DeliveryFixture()
        let (stream, journal) = try fixture.newStream()
        try fixture.write(journal, 0..<4)
        #expect(stream.sync())
        fixture.control.set(fault, for: self.id)
        #expect(await fixture.round() == false)
        #expect(fixture.delivery.figures.failures == 1)
        #expect(fixture.delivery.figures.shipped == 0)
        fixture.control.set(nil, for: self.id)
        // Not before its time.
        #expect(await fixture.round() == false)
        #expect(fixture.control.batches.count == 1)
        fixture.clock.advance(seconds: 16)
        await fixture.deliverAll()
        #expect(fixture.hasStored(0..<4))
        #expect(fixture.control.batches.allSatisfy { $0.lost == nil })
    }

    @Test func `a stream that is not taken does not hold back another`() async throws {
        let fixture = try DeliveryFixture()
        let (stuck, first) = try fixture.newStream(1)
        let (well, second) = try fixture.newStream(2)
        fixture.control.set(.unreachable, for: stuck.id)
        for number in 0..<20 {
            try fixture.write(first, number..<number + 1)
            try fixture.write(second, number..<number + 1)
            fixture.spool.sync()
            _ = await fixture.round()
            #expect(fixture.last(2) == number + 1)
        }
        #expect(well.isSynced)
        #expect(fixture.control.batches.filter { $0.stream == stuck.id }.count == 1)
        // At shutdown it is tried at once.
        fixture.control.set(nil, for: stuck.id)
        fixture.delivery.retryNow()
        await fixture.deliverAll()
        #expect(fixture.hasStored(0..<20, 1) && fixture.hasStored(0..<20, 2))
    }

    @Test func `a control plane that never takes what it asks for is not asked without end`() async throws {
        let fixture = try DeliveryFixture()
        let (stream, journal) = try fixture.newStream()
        try fixture.write(journal, 0..<4)
        #expect(stream.sync())
        for last in [0, 2] {
            let before = fixture.control.batches.count
            fixture.control.set(stuckAt: last)
            for _ in 0..<100 { _ = await fixture.round() }
            #expect(fixture.control.batches.count - before <= 4)
            fixture.clock.advance(seconds: 16)
        }
        #expect(fixture.delivery.figures.failures > 0)
        fixture.control.set(stuckAt: nil)
        for _ in 0..<3 {
            await fixture.deliverAll()
            fixture.clock.advance(seconds: 16)
        }
        #expect(fixture.hasStored(0..<4))
    }

    // MARK: A database that is put back

    @Test func `what a restored database forgot comes again`() async throws {
        let fixture = try DeliveryFixture()
        let (stream, journal) = try fixture.newStream()
        try fixture.write(journal, 0..<SpoolSegment.capacity + 100)
        #expect(stream.sync())
        await fixture.deliverAll()
        fixture.control.restore(self.id, to: 7)
        try fixture.write(journal, SpoolSegment.capacity + 100..<SpoolSegment.capacity + 101)
        #expect(stream.sync())
        await fixture.deliverAll()
        #expect(fixture.hasStored(0..<SpoolSegment.capacity + 101))

        // Also when nothing new comes that would show it: after a while, and at once on a sign of it.
        let batches = fixture.control.batches.count
        #expect(await fixture.round() == false)
        #expect(fixture.control.batches.count == batches)
        fixture.control.restore(self.id, to: 3)
        fixture.clock.advance(seconds: 301)
        await fixture.deliverAll()
        #expect(fixture.hasStored(0..<SpoolSegment.capacity + 101))
        fixture.control.restore(self.id, to: 0)
        fixture.delivery.checkSoon()
        await fixture.deliverAll()
        #expect(fixture.hasStored(0..<SpoolSegment.capacity + 101))
        #expect(fixture.gaps().isEmpty)
        #expect(fixture.delivery.figures.failures == 0)
    }

    @Test func `usage is kept for a day after it was acknowledged, also when the clock is set`() async throws {
        let fixture = try DeliveryFixture()
        do {
            let (stream, journal) = try fixture.newStream()
            try fixture.write(journal, 0..<3)
            #expect(stream.sync())
        }
        try fixture.restart()
        await fixture.deliverAll()
        fixture.clock.step(seconds: 500_000)
        _ = await fixture.round()
        #expect(fixture.spool.streams.count == 1)
        fixture.clock.advance(seconds: 86_390)
        _ = await fixture.round()
        #expect(fixture.spool.streams.count == 1)
        fixture.clock.advance(seconds: 20)
        _ = await fixture.round()
        #expect(fixture.spool.streams.isEmpty)
        #expect(Files.names(in: fixture.files.path).isEmpty)
    }
}
