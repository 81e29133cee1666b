import DataPlane
import Glibc
import Shared
import TestKit
import Testing

/// The sets of tags of a stream: there before the first entry that names them, also after a kill.
@Suite struct SpoolTagsTests {
    private let fixture = SpoolFixture()
    private let id = SpoolFixture.streamID()

    private static func set(_ number: Int) throws -> TagSet {
        try #require(TagSet(["team": "t\(number)", "env": String(repeating: "e", count: number % 60 + 1)]))
    }

    private var path: String { "\(self.fixture.path)/\(self.id)/\(SpoolTags.name)" }

    private func adopt() throws -> SpoolStream {
        try #require(try SpoolStream.adopt(self.id, in: self.fixture.path))
    }

    /// Writes so many sets, and lets go of the stream without writing it through.
    private func leave(_ count: Int) throws {
        let stream = try SpoolStream.create(self.id, in: self.fixture.path)
        for number in 1...max(1, count) where number <= count {
            #expect(stream.tags.append(try Self.set(number)) == number)
            #expect(stream.tags.set(number) == (try Self.set(number)))
        }
        #expect(stream.tags.set(0) == nil && stream.tags.set(count + 1) == nil)
    }

    @Test(arguments: [0, 1, 100]) func `what was appended is there for the next process`(_ count: Int) throws {
        try self.leave(count)
        let stream = try self.adopt()
        #expect(stream.tags.count == count)
        for number in 1...max(1, count) where number <= count {
            #expect(stream.tags.set(number) == (try Self.set(number)))
        }
        // Nobody appends to what another process left.
        #expect(stream.tags.append(try Self.set(1)) == nil)
        stream.destroy()
        #expect(Files.names(in: self.fixture.path).isEmpty)
    }

    @Test func `wherever the end is torn, what is before it is there`() throws {
        try self.leave(3)
        let whole = try Files.read(self.path, limit: 1 << 20)
        let sizes = try (1...3).map { 6 + (try Self.set($0)).utf8.count }
        for end in 0...whole.count {
            try Files.replace(self.path, with: Array(whole[..<end]))
            var (kept, size) = (0, 8)
            while kept < 3 && size + sizes[kept] <= end {
                size += sizes[kept]
                kept += 1
            }
            #expect(try self.adopt().tags.count == kept, "\(end) of \(whole.count)")
            // A hole, as a loss of the host leaves one, is no set either.
            try Files.replace(self.path, with: Array(whole[..<end]) + [UInt8](repeating: 0, count: 50))
            if end >= 8 { #expect(try self.adopt().tags.set(kept + 1) == nil) }
        }
    }

    @Test func `a damaged set does not hide those after it`() throws {
        try self.leave(3)
        var bytes = try Files.read(self.path, limit: 1 << 20)
        bytes[8 + 6 + (try Self.set(1)).utf8.count + 6 + 2] ^= 1
        try Files.replace(self.path, with: bytes)
        let tags = try self.adopt().tags
        #expect(tags.count == 3)
        #expect(tags.set(1) == (try Self.set(1)))
        #expect(tags.set(2) == nil)
        #expect(tags.set(3) == (try Self.set(3)))
    }

    @Test func `whatever the file holds, it is read without harm`() throws {
        try self.leave(5)
        let whole = try Files.read(self.path, limit: 1 << 20)
        var random = SeededRandom("tag files")
        for _ in 0..<300 {
            var bytes = whole
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                bytes[Int.random(in: 8..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            try Files.replace(self.path, with: bytes)
            let tags = try self.adopt().tags
            for number in 1...max(1, tags.count) {
                guard let set = tags.set(number) else { continue }
                // A length that was changed moves the next ones; a checksum tells what is no set.
                #expect(try (1...5).contains { set == (try Self.set($0)) })
            }
        }
    }

    @Test func `a file of another version is left alone, and so is its stream`() throws {
        try self.leave(1)
        try Files.replace(self.path, with: Array("GHTAGS99 and more".utf8))
        #expect(throws: FileError.self) { _ = try SpoolStream.adopt(self.id, in: self.fixture.path) }
    }

    @Test func `there is room for so many bytes and no more`() throws {
        let stream = try SpoolStream.create(self.id, in: self.fixture.path)
        var bytes = 0
        var number = 0
        while true {
            var tags: [String: String] = [:]
            for index in 0..<TagText.countLimit {
                tags["n\(index)" + String(repeating: "x", count: 36)] =
                    "\(number)-" + String(repeating: "v", count: 50)
            }
            let set = try #require(TagSet(tags))
            guard let given = stream.tags.append(set) else { break }
            number += 1
            bytes += set.utf8.count
            #expect(given == number)
            try #require(number <= SpoolTags.countLimit)
        }
        #expect(bytes <= SpoolTags.bytesLimit && bytes > SpoolTags.bytesLimit - 2 * TagText.setLimit)
        #expect(stream.tags.count == number)
    }

    // MARK: On the way to the control plane

    private func record(_ number: Int, tags: Int) -> UsageRecord {
        var record = SpoolFixture.record(number)
        record.tags = tags
        return record
    }

    @Test func `every batch has the sets that its records name, also after a kill`() async throws {
        var random = SeededRandom("tagged usage")
        let delivery = try DeliveryFixture()
        var wanted: [Int: TagSet] = [:]
        do {
            let (stream, journal) = try delivery.newStream()
            for number in 0..<5000 {
                if !stream.hasSpare { try stream.prepareSpare() }
                let known = stream.tags.count
                var tags = Int.random(in: 0...known, using: &random)
                if known < 300 && Int.random(in: 0..<5, using: &random) == 0 {
                    tags = try #require(stream.tags.append(try Self.set(known + 1)))
                }
                if tags > 0 { wanted[number] = try Self.set(tags) }
                #expect(journal.note(self.record(number, tags: tags)))
                if number == 2500 {
                    delivery.spool.sync()
                    await delivery.deliverAll()
                }
            }
            #expect(journal.open(self.record(5000, tags: 7)))
            wanted[5000] = try Self.set(7)
        }
        // The process is gone without having written anything through.
        try delivery.restart()
        await delivery.deliverAll()
        #expect(delivery.last() == 5001)
        var delivered = 0
        for batch in delivery.control.batches {
            #expect(batch.tagSets.count == Set(batch.tagSets).count)
            #expect(batch.records.allSatisfy { $0.tags <= batch.tagSets.count })
            for record in batch.records {
                let tags = record.tags > 0 ? batch.tagSets[record.tags - 1] : nil
                #expect(tags == wanted[SpoolFixture.number(record)])
                delivered += 1
            }
        }
        #expect(delivered >= 5001)
    }

    @Test func `records whose set is not there are delivered without tags`() async throws {
        let delivery = try DeliveryFixture()
        do {
            let (stream, journal) = try delivery.newStream()
            _ = stream.tags.append(try Self.set(1))
            _ = stream.tags.append(try Self.set(2))
            for tags in [1, 2, 1, 3] { #expect(journal.note(self.record(tags, tags: tags))) }
        }
        try delivery.restart { folder in
            let path = "\(folder)/\(SpoolTags.name)"
            let bytes = try Files.read(path, limit: 1 << 20)
            try Files.replace(path, with: bytes.dropLast())
        }
        await delivery.deliverAll()
        #expect(delivery.last() == 4)
        #expect(delivery.gaps().isEmpty)
        #expect(delivery.stored().sorted { $0.key < $1.key }.map(\.value.tags) == [1, 0, 1, 0])
    }

    @Test func `a batch ends where its tags would be too many bytes`() async throws {
        let delivery = try DeliveryFixture()
        let (stream, journal) = try delivery.newStream()
        for number in 0..<1000 {
            var tags: [String: String] = [:]
            for index in 0..<TagText.countLimit {
                tags["n\(index)" + String(repeating: "x", count: 36)] =
                    "\(number)-" + String(repeating: "v", count: 55)
            }
            let given = try #require(TagSet(tags).flatMap { stream.tags.append($0) })
            #expect(journal.note(self.record(number, tags: given)))
        }
        #expect(stream.sync())
        await delivery.deliverAll()
        #expect(delivery.last() == 1000)
        #expect(delivery.control.batches.count > 2)
        for batch in delivery.control.batches { #expect(batch.wireBytes.count <= UsageBatch.sizeLimit) }
    }
}
