import DataPlane
import Glibc
import Shared
import TestKit
import Testing

/// What becomes of records that the spool does not have: declared lost, once it is certain.
@Suite struct UsageLossTests {
    private let id = SpoolFixture.streamID()
    private static let capacity = SpoolSegment.capacity

    /// A spool of three segments, of which the process has ended.
    private func threeSegments(delivering: Bool = false) async throws -> DeliveryFixture {
        let fixture = try DeliveryFixture()
        let (stream, journal) = try fixture.newStream()
        try fixture.write(journal, 0..<2 * Self.capacity + 10)
        #expect(stream.sync())
        if delivering { await fixture.deliverAll() }
        return fixture
    }

    @Test func `a file that is gone is declared lost, and what follows is delivered`() async throws {
        let fixture = try await self.threeSegments()
        try fixture.restart { unlink("\($0)/00000002.seg") }
        await fixture.deliverAll()
        let gap = FakeControlPlane.Gap(from: Self.capacity + 1, to: 2 * Self.capacity, reason: .missing)
        #expect(fixture.gaps() == [gap])
        #expect(fixture.stored().count == Self.capacity + 10)
        #expect(fixture.last() == 2 * Self.capacity + 10)
        #expect(fixture.delivery.figures.lost == Self.capacity)
        #expect(fixture.delivery.figures.failures == 0)
        // It is there once, also for the next process.
        try fixture.restart()
        await fixture.deliverAll()
        #expect(fixture.gaps() == [gap])
    }

    @Test func `what the spool lacks is lost only when the control plane lacks it too`() async throws {
        let fixture = try await self.threeSegments(delivering: true)
        try fixture.restart { unlink("\($0)/00000001.seg") }
        await fixture.deliverAll()
        #expect(fixture.gaps().isEmpty)
        #expect(fixture.stored().count == 2 * Self.capacity + 10)
        #expect(fixture.control.batches.allSatisfy { $0.lost == nil })
    }

    @Test func `a damaged record is lost alone`() async throws {
        let fixture = try await self.threeSegments()
        try fixture.restart { folder in
            let path = "\(folder)/00000001.seg"
            var bytes = try Files.read(path, limit: SpoolSegment.fileSize)
            bytes[SpoolSegment.headerSize + 4 * SpoolEntry.size + 100] ^= 1
            bytes[SpoolSegment.headerSize + 9 * SpoolEntry.size + 100] ^= 1
            try Files.replace(path, with: bytes)
        }
        await fixture.deliverAll()
        #expect(
            fixture.gaps() == [.init(from: 5, to: 5, reason: .missing), .init(from: 10, to: 10, reason: .missing)])
        #expect(fixture.stored().count == 2 * Self.capacity + 8)
    }

    @Test func `what cannot be read now is not lost, and is delivered when it can`() async throws {
        let fixture = try await self.threeSegments()
        var moved: [UInt8] = []
        var path = ""
        try fixture.restart { folder in
            path = "\(folder)/00000002.seg"
            moved = try Files.read(path, limit: SpoolSegment.fileSize)
            // A folder in its place cannot be opened as a file is.
            unlink(path)
            try Files.makeFolder(path)
        }
        #expect(fixture.spool.streams.isEmpty)
        await fixture.deliverAll()
        #expect(fixture.control.batches.isEmpty)
        rmdir(path)
        try Files.replace(path, with: moved)
        fixture.spool.recover(now: fixture.clock.time.now())
        await fixture.deliverAll()
        #expect(fixture.gaps().isEmpty)
        #expect(fixture.hasStored(0..<2 * Self.capacity + 10))
    }

    @Test func `what was let go and forgotten is lost as released, by this process and by the next`() async throws {
        for restarts in [false, true] {
            let fixture = try DeliveryFixture()
            do {
                let (stream, journal) = try fixture.newStream()
                try fixture.write(journal, 0..<Self.capacity + 10)
                #expect(stream.sync())
                await fixture.deliverAll()
                fixture.clock.advance(seconds: 86_401)
                _ = await fixture.round()
                #expect(stream.segments.map(\.ordinal) == [2])
                #expect(stream.released == Self.capacity)
                fixture.control.restore(self.id, to: 100)
                if !restarts {
                    fixture.delivery.checkSoon()
                    await fixture.deliverAll()
                }
            }
            if restarts {
                try fixture.restart()
                await fixture.deliverAll()
            }
            #expect(fixture.gaps() == [.init(from: 101, to: Self.capacity, reason: .released)])
            #expect(fixture.last() == Self.capacity + 10)
        }
    }

    @Test func `a live stream that is not on the disk yet has lost nothing`() async throws {
        let fixture = try DeliveryFixture()
        let (stream, journal) = try fixture.newStream()
        for number in 0..<200 {
            try fixture.write(journal, number..<number + 1)
            if number % 7 == 0 { #expect(stream.sync()) }
            _ = await fixture.round()
        }
        #expect(fixture.hasStored(0..<197))
        #expect(fixture.control.batches.allSatisfy { $0.lost == nil })
    }

    @Test func `impossible numbers in a file are damage, not a trap`() async throws {
        for sequence in [Int.max, Int.max - 1, UsageBatch.sequenceLimit + 1] {
            let fixture = try DeliveryFixture()
            do {
                let (stream, journal) = try fixture.newStream()
                try fixture.write(journal, 0..<3)
                let segment = try #require(stream.segments.last)
                var old = SpoolFixture.record(3)
                old.started = Timestamp(microseconds: .min)
                #expect(segment.append(old, kind: .closed, sequence: sequence))
                #expect(segment.append(old, kind: .open, sequence: sequence))
                var negative = SpoolFixture.record(4)
                negative.durationMicroseconds = -1
                #expect(segment.append(negative, kind: .closed, sequence: 5))
                #expect(segment.append(old, kind: .open, sequence: 3))
                #expect(stream.sync())
            }
            try fixture.restart()
            await fixture.deliverAll()
            #expect(fixture.last() == 4)
            #expect(fixture.gaps().isEmpty)
            #expect(fixture.stored()[4]?.outcome == .interrupted)
        }
    }

    @Test func `the highest number there can be is delivered`() async throws {
        let fixture = try DeliveryFixture()
        let limit = UsageBatch.sequenceLimit
        do {
            let (stream, _) = try fixture.newStream()
            let segment = try #require(stream.segments.last)
            #expect(segment.append(SpoolFixture.record(1), kind: .closed, sequence: limit))
            #expect(stream.sync())
        }
        try fixture.restart()
        await fixture.deliverAll()
        #expect(fixture.last() == limit)
        #expect(fixture.gaps() == [.init(from: 1, to: limit - 1, reason: .missing)])
    }

    // MARK: Losses of the host

    /// Takes from a file what was not on the disk: all of it, or as the system would, page by page.
    private static func lose(_ folder: String, _ synced: [Int: Int], _ random: inout SeededRandom) throws {
        for (ordinal, count) in synced {
            let digits = String(ordinal)
            let path = "\(folder)/\(String(repeating: "0", count: 8 - digits.count))\(digits).seg"
            var bytes = try Files.read(path, limit: SpoolSegment.fileSize)
            var page = SpoolSegment.headerSize + count * SpoolEntry.size
            while page < bytes.count {
                let end = min(bytes.count, (page / 4096 + 1) * 4096)
                if Bool.random(using: &random) {
                    bytes.replaceSubrange(page..<end, with: repeatElement(0, count: end - page))
                }
                page = end
            }
            try Files.replace(path, with: bytes)
        }
    }

    /// One history of a gateway: requests, a disk that follows now and then, deliveries, and losses of the host.
    private func history(_ random: inout SeededRandom) async throws {
        let fixture = try DeliveryFixture()
        var number = 0
        var known: Set<Int> = []
        for life in 1...UInt64(4) {
            var synced: [Int: Int] = [:]
            do {
                let (stream, journal) = try fixture.newStream(life)
                for _ in 0..<Int.random(in: 1...40, using: &random) {
                    let count = Int.random(in: 1...400, using: &random)
                    try fixture.write(journal, number..<number + count)
                    number += count
                    if Int.random(in: 0..<3, using: &random) == 0 { #expect(stream.sync()) }
                    if Int.random(in: 0..<3, using: &random) == 0 { _ = await fixture.round() }
                }
                for segment in stream.segments {
                    synced[segment.ordinal] = segment.syncedCount
                    for index in 0..<segment.syncedCount {
                        if let entry = segment.entry(index) { known.insert(SpoolFixture.number(entry.record)) }
                    }
                }
            }
            let folder = "\(fixture.files.path)/\(SpoolFixture.streamID(life))"
            var copy = random
            try fixture.restart { if $0 == folder { try Self.lose(folder, synced, &copy) } }
            random = copy
            await fixture.deliverAll()
        }
        await fixture.deliverAll()
        var stored: [Int] = []
        for life in 1...UInt64(4) {
            let records = fixture.stored(life)
            let lost = fixture.gaps(life).reduce(0) { $0 + $1.to - $1.from + 1 }
            #expect(records.count + lost == fixture.last(life))
            stored += records.values.map { SpoolFixture.number($0) }
        }
        #expect(Set(stored).count == stored.count, "counted twice")
        #expect(known.subtracting(stored).isEmpty, "lost although it was on the disk")
        #expect(fixture.delivery.figures.failures == 0)
    }

    @Test func `after losses of the host, what was on the disk is counted once and the streams go on`() async throws {
        var random = SeededRandom("losses of the host")
        for _ in 0..<3 { try await self.history(&random) }
    }
}
