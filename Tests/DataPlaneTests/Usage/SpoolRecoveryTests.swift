import DataPlane
import Glibc
import Logging
import Shared
import TestKit
import Testing

@Suite struct SpoolRecoveryTests {
    private let fixture = SpoolFixture()
    private let id = SpoolFixture.streamID()

    private func adopt() throws -> SpoolStream {
        try #require(try SpoolStream.adopt(self.id, in: self.fixture.path))
    }

    /// Every request that was opened is closed once, with numbers that run from 1.
    static func expectSettled(_ stream: SpoolStream, opened: Set<Int>, completed: Set<Int>) {
        let closed = stream.closed
        #expect(closed.map(\.sequence) == (0..<closed.count).map { $0 + 1 })
        let numbers = closed.map { SpoolFixture.number($0.record) }
        #expect(Set(numbers).count == numbers.count, "closed twice")
        #expect(Set(numbers) == opened)
        for entry in closed {
            let isCompleted = completed.contains(SpoolFixture.number(entry.record))
            #expect((entry.record.outcome == .completed) == isCompleted)
            if isCompleted { continue }
            #expect(entry.record.outcome == .interrupted && entry.record.isEstimate)
            #expect(entry.record.code == "gateway_interrupted" && entry.record.durationMicroseconds >= 0)
            #expect(throws: Never.self) { try UsageRecord(wire: entry.record.wireBytes) }
        }
    }

    @Test func `what was open is closed once, also when recovery runs again`() throws {
        var random = SeededRandom("recovery")
        for round in 0..<12 {
            let fixture = SpoolFixture()
            var opened: Set<Int> = []
            var completed: Set<Int> = []
            do {
                let stream = try SpoolStream.create(self.id, in: fixture.path)
                let journal = try #require(UsageJournal(stream: stream))
                for number in 0..<Int.random(in: 0...(round < 9 ? 300 : 9000), using: &random) {
                    try stream.prepareSpare()
                    #expect(journal.open(SpoolFixture.record(number)))
                    opened.insert(number)
                    if let settled = opened.subtracting(completed).randomElement(using: &random), number % 3 > 0 {
                        journal.close(SpoolFixture.record(settled))
                        completed.insert(settled)
                    }
                    if round >= 9 && number % 100 > 0 && opened.count - completed.count > 20 { break }
                }
            }
            for again in 0..<3 {
                let stream = try #require(try SpoolStream.adopt(self.id, in: fixture.path))
                let count = try SpoolRecovery.closeOpenEntries(of: stream, now: Timestamp(microseconds: 5))
                #expect(count == (again == 0 ? opened.count - completed.count : 0))
                Self.expectSettled(stream, opened: opened, completed: completed)
            }
        }
    }

    @Test func `recovery goes on in a new segment when the last is full`() throws {
        do {
            let stream = try SpoolStream.create(self.id, in: self.fixture.path)
            let journal = try #require(UsageJournal(stream: stream))
            for number in 0..<SpoolSegment.capacity { #expect(journal.open(SpoolFixture.record(number))) }
            #expect(stream.segments.count == 1)
            // The spare's file is there, and what a kill left of it is no segment.
            let spare = "\(stream.folder)/00000002.seg"
            #expect(truncate(spare, 0) == 0)
        }
        let stream = try self.adopt()
        #expect(stream.segments.count == 1)
        #expect(try SpoolRecovery.closeOpenEntries(of: stream, now: .init(microseconds: 0)) == SpoolSegment.capacity)
        Self.expectSettled(stream, opened: Set(0..<SpoolSegment.capacity), completed: [])
        #expect(stream.segments.map(\.ordinal) == [1, 3])
    }

    @Test func `numbers go on where pruned segments ended`() throws {
        do {
            let stream = try SpoolStream.create(self.id, in: self.fixture.path)
            let journal = try #require(UsageJournal(stream: stream))
            for number in 0..<SpoolSegment.capacity / 2 {
                #expect(journal.open(SpoolFixture.record(number)))
                journal.close(SpoolFixture.record(number))
            }
            #expect(journal.open(SpoolFixture.record(9000)))
            #expect(journal.open(SpoolFixture.record(9001)))
            try stream.prune { $0.ordinal == 1 }
            #expect(stream.closed.isEmpty)
        }
        let stream = try self.adopt()
        #expect(try SpoolRecovery.closeOpenEntries(of: stream, now: .init(microseconds: 0)) == 2)
        let first = SpoolSegment.capacity / 2 + 1
        #expect(stream.closed.map(\.sequence) == [first, first + 1])
        #expect(stream.closed.map { SpoolFixture.number($0.record) } == [9000, 9001])
    }

    @Test func `a request that is opened twice is closed once`() throws {
        do {
            let stream = try SpoolStream.create(self.id, in: self.fixture.path)
            let journal = try #require(UsageJournal(stream: stream))
            #expect(journal.open(SpoolFixture.record(1)) && journal.open(SpoolFixture.record(1)))
        }
        let stream = try self.adopt()
        #expect(try SpoolRecovery.closeOpenEntries(of: stream, now: .init(microseconds: 0)) == 1)
        Self.expectSettled(stream, opened: [1], completed: [])
    }

    @Test func `a stream that a live process writes is left alone`() throws {
        let live = try SpoolStream.create(self.id, in: self.fixture.path)
        #expect(try SpoolStream.adopt(self.id, in: self.fixture.path)?.id == nil)
        #expect(throws: FileError.self) { try SpoolStream.create(self.id, in: self.fixture.path) }
        #expect(live.segments.count == 1)
        let spool = try UsageSpool(
            folder: self.fixture.path, logger: Logger(label: "spool", factory: { _ in SwiftLogNoOpLogHandler() }))
        spool.recover(now: .init(microseconds: 0))
        #expect(spool.streams.isEmpty)
    }

    @Test func `files that are no segments of the stream are passed over`() throws {
        do {
            let stream = try SpoolStream.create(self.id, in: self.fixture.path)
            let journal = try #require(UsageJournal(stream: stream))
            #expect(journal.open(SpoolFixture.record(1)))
            let other = try SpoolStream.create(SpoolFixture.streamID(2), in: self.fixture.path)
            let bytes = try Files.read("\(other.folder)/00000001.seg", limit: SpoolSegment.fileSize)
            try Files.replace("\(stream.folder)/00000007.seg", with: bytes)
            try Files.replace("\(stream.folder)/00000008.seg", with: [])
            try Files.replace("\(stream.folder)/junk.seg", with: [1, 2, 3])
            var magicless = bytes
            magicless[0] ^= 1
            try Files.replace("\(stream.folder)/00000009.seg", with: magicless)
        }
        let stream = try self.adopt()
        #expect(stream.segments.map(\.ordinal) == [1, 2])
        #expect(try SpoolRecovery.closeOpenEntries(of: stream, now: .init(microseconds: 0)) == 1)
        try stream.prepareSpare()
        #expect(stream.advance()?.ordinal == 10)
    }

    @Test(arguments: [-8, 8]) func `what another version wrote is not passed over`(difference: Int) throws {
        do {
            let stream = try SpoolStream.create(self.id, in: self.fixture.path)
            let path = "\(stream.folder)/00000001.seg"
            var bytes = try Files.read(path, limit: SpoolSegment.fileSize)
            // The size of an entry stands in the header, and makes the size of the file.
            bytes[32] = UInt8(truncatingIfNeeded: SpoolEntry.size + difference)
            bytes[33] = UInt8(truncatingIfNeeded: (SpoolEntry.size + difference) >> 8)
            let size = SpoolSegment.headerSize + SpoolSegment.capacity * (SpoolEntry.size + difference)
            bytes = Array(bytes.prefix(size)) + [UInt8](repeating: 0, count: max(0, size - bytes.count))
            try Files.replace(path, with: bytes)
        }
        let error = #expect(throws: FileError.self) { try self.adopt() }
        #expect(error?.description.contains("another version") == true)
        // It stays where it is, for the version that can deliver it.
        #expect(try Files.read("\(self.fixture.path)/\(self.id)/00000001.seg", limit: 1 << 30).count > 0)
    }

    @Test func `only for an earlier process that has ended is it said that all it spent is known`() throws {
        let logger = Logger(label: "spool", factory: { _ in SwiftLogNoOpLogHandler() })
        func spool(_ process: UInt64) throws -> UsageSpool {
            try UsageSpool(folder: self.fixture.path, process: process, logger: logger)
        }
        let now = Timestamp(microseconds: 0)
        var first: UsageSpool? = try spool(1)
        let stream = try first?.newStream(SpoolFixture.streamID(1))
        let second = try spool(2)
        _ = try second.newStream(SpoolFixture.streamID(2))
        // The first lives: its stream cannot be taken over. The second began later: the first knows nothing of it.
        second.recover(now: now)
        #expect(second.settled(among: [1], delivering: []) == [])
        #expect(first?.settled(among: [2], delivering: []) == [])
        first?.forget(except: [])
        try withExtendedLifetime(stream) { _ = try #require(first) }
        first = nil
        let third = try spool(3)
        // Killed with the first, but the second lives.
        third.recover(now: now)
        #expect(third.settled(among: [1, 2], delivering: []) == [])
    }

    @Test func `what a process that has ended held is free once all is delivered`() throws {
        let logger = Logger(label: "spool", factory: { _ in SwiftLogNoOpLogHandler() })
        do {
            let ended = try UsageSpool(folder: self.fixture.path, process: 1, logger: logger)
            _ = try ended.newStream(SpoolFixture.streamID(1))
        }
        let next = try UsageSpool(folder: self.fixture.path, process: 2, logger: logger)
        #expect(next.settled(among: [1], delivering: []) == [], "its stream was not taken over yet")
        next.recover(now: Timestamp(microseconds: 0))
        #expect(next.streams.map(\.process) == [1])
        #expect(next.settled(among: [1], delivering: [1]) == [])
        #expect(next.settled(among: [1, 2, 7], delivering: []) == [1])
        next.forget(except: [1])
        let markers = { Files.names(in: self.fixture.path).filter { $0.hasPrefix("process-") }.sorted() }
        #expect(markers() == ["process-1", "process-2"])
        next.forget(except: [])
        #expect(markers() == ["process-2"])
    }

    @Test func `a spool recovers every stream once and keeps them apart`() throws {
        for number in UInt64(1)...3 {
            let stream = try SpoolStream.create(SpoolFixture.streamID(number), in: self.fixture.path)
            let journal = try #require(UsageJournal(stream: stream))
            for request in 0..<Int(number) { #expect(journal.open(SpoolFixture.record(request))) }
        }
        try Files.replace("\(self.fixture.path)/not-a-stream", with: [1])
        let logger = Logger(label: "spool", factory: { _ in SwiftLogNoOpLogHandler() })
        let spool = try UsageSpool(folder: self.fixture.path, logger: logger)
        let live = try spool.newStream(SpoolFixture.streamID(9))
        let journal = try #require(UsageJournal(stream: live))
        #expect(journal.open(SpoolFixture.record(5)))
        for _ in 0..<2 {
            spool.recover(now: .init(microseconds: 0))
            #expect(spool.streams.count == 4)
        }
        #expect(spool.streams.map(\.closed.count).sorted() == [0, 1, 2, 3])
        spool.maintain()
        #expect(live.hasSpare)
    }

    // MARK: Kills

    @Test func `an entry that is torn at any word is written over`() throws {
        let path = "\(self.fixture.path)/torn"
        let start = SpoolSegment.headerSize + 3 * SpoolEntry.size
        for word in 0..<SpoolEntry.words {
            do {
                let segment = try SpoolSegment.create(path, stream: self.id, ordinal: 4)
                for number in 0..<4 {
                    #expect(segment.append(SpoolFixture.record(number), kind: .closed, sequence: number + 1))
                }
            }
            var bytes = try Files.read(path, limit: SpoolSegment.fileSize)
            let stored = bytes[start + word * 8..<start + word * 8 + 8]
            let wasTorn = stored.contains { $0 != 0 }
            bytes.replaceSubrange(stored.indices, with: repeatElement(0, count: 8))
            try Files.replace(path, with: bytes)
            let segment = try #require(try SpoolSegment.adopt(path))
            #expect(segment.stream == self.id && segment.ordinal == 4)
            #expect(segment.count == (wasTorn ? 3 : 4))
            if wasTorn { #expect(segment.append(SpoolFixture.record(9), kind: .closed, sequence: 4)) }
            #expect(segment.entry(3)?.record == SpoolFixture.record(wasTorn ? 9 : 3))
            #expect(segment.entry(4)?.record == nil && segment.entry(-1)?.record == nil)
            #expect(segment.sync())
            Files.remove(path)
        }
    }
}
