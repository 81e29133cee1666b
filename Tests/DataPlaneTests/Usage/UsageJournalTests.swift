import DataPlane
import Shared
import TestKit
import Testing

@Suite struct UsageJournalTests {
    private let fixture = SpoolFixture()

    @Test func `a journal without a spare refuses to open before it would lose a close`() throws {
        var random = SeededRandom("journal room")
        for share in [50, 90, 100] {
            let stream = try SpoolStream.create(SpoolFixture.streamID(UInt64(share)), in: self.fixture.path)
            let journal = try #require(UsageJournal(stream: stream))
            let room = 2 * SpoolSegment.capacity
            var used = 0
            var open: [Int] = []
            var closed: [Int] = []
            var refusals = 0
            for number in 0... {
                guard refusals < 100 else { break }
                if !open.isEmpty && Int.random(in: 0..<100, using: &random) >= share {
                    let settled = open.remove(at: Int.random(in: 0..<open.count, using: &random))
                    journal.close(SpoolFixture.record(settled))
                    closed.append(settled)
                    used += 1
                } else if Int.random(in: 0..<10, using: &random) == 0 {
                    let taken = journal.note(SpoolFixture.record(number))
                    #expect(taken == (room - used >= open.count + 1))
                    if taken {
                        used += 1
                        closed.append(number)
                    }
                } else {
                    let taken = journal.open(SpoolFixture.record(number))
                    #expect(taken == (room - used >= open.count + 2))
                    if taken {
                        used += 1
                        open.append(number)
                    } else {
                        refusals += 1
                    }
                }
                #expect(journal.openCount == open.count)
            }
            for number in open { journal.close(SpoolFixture.record(number)) }
            closed += open
            #expect(journal.openCount == 0)
            #expect(stream.closed.map { SpoolFixture.number($0.record) } == closed)
            #expect(stream.closed.map(\.sequence) == Array(1...closed.count))
        }
    }

    @Test func `segments follow one another while spares are made`() throws {
        let stream = try SpoolStream.create(SpoolFixture.streamID(), in: self.fixture.path)
        let journal = try #require(UsageJournal(stream: stream))
        let count = SpoolSegment.capacity + 3000
        for number in 0..<count {
            #expect(journal.open(SpoolFixture.record(number)))
            journal.close(SpoolFixture.record(number))
            if number % 1000 == 0 { try stream.prepareSpare() }
        }
        #expect(stream.segments.map(\.count) == [SpoolSegment.capacity, SpoolSegment.capacity, 6000])
        #expect(stream.segments.map(\.ordinal) == [1, 2, 3])
        #expect(stream.closed.map(\.sequence) == Array(1...count))
        #expect(stream.sync())
        try stream.prune { $0.ordinal < 3 }
        #expect(stream.segments.map(\.ordinal) == [3])
        try stream.prune { _ in true }
        #expect(stream.segments.map(\.ordinal) == [3], "the newest stays")
        #expect(Files.names(in: stream.folder).filter { $0.hasSuffix(".seg") }.count == 2)
        stream.destroy()
        #expect(Files.names(in: self.fixture.path).isEmpty)
    }
}
