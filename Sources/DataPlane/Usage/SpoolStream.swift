package import Shared
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The folder of one usage stream: numbered segments, written by one event loop (or nobody any more), read by the shipper.
package final class SpoolStream: Sendable {
    package let id: UsageStreamID
    package let folder: String
    /// The process that wrote it; 0 when it is not known.
    package let process: UInt64
    /// The sets of tags that the entries name.
    package let tags: SpoolTags
    private let lock: FileLock
    private let state: Mutex<State>

    private struct State {
        var segments: [SpoolSegment]
        /// Made ahead of need, so that a loop never waits for the file system.
        var spare: SpoolSegment?
        var nextOrdinal: Int
        /// The highest number among those let go: they were acknowledged.
        var released: Int
    }

    /// Whether a spare segment is ready; read by the loop without a lock.
    private let spareReady: Atomic<Bool>

    /// A new stream with its first segment and a spare.
    package static func create(
        _ id: UsageStreamID, in spool: String, process: UInt64 = 0
    ) throws(FileError) -> SpoolStream {
        let folder = "\(spool)/\(id)"
        try Files.makeFolder(folder)
        Files.syncFolder(spool)
        guard let lock = try FileLock("\(folder)/lock") else {
            throw FileError(path: folder, operation: "lock", code: EBUSY)
        }
        let stream = SpoolStream(
            id, folder: folder, process: process, tags: try SpoolTags.create(in: folder), lock: lock, segments: [],
            nextOrdinal: 1, released: 0
        )
        try stream.prepareSpare()
        _ = stream.advance()
        try stream.prepareSpare()
        return stream
    }

    /// A stream that an earlier process left; nil when a live process still has it.
    ///
    /// - Throws: when one of its files cannot be read: only what was adopted whole says which records are gone.
    package static func adopt(_ id: UsageStreamID, in spool: String) throws(FileError) -> SpoolStream? {
        let folder = "\(spool)/\(id)"
        guard let lock = try FileLock("\(folder)/lock") else { return nil }
        var segments: [SpoolSegment] = []
        // A name is never used again, also not that of a file which is none: it may have been made just before a kill.
        var next = 1
        for name in Files.names(in: folder) where name.hasSuffix(".seg") {
            if let ordinal = Int(name.dropLast(4)), ordinal < Int32.max { next = max(next, ordinal + 1) }
            if let segment = try SpoolSegment.adopt("\(folder)/\(name)"), segment.stream == id {
                segments.append(segment)
            }
        }
        segments.sort { $0.ordinal < $1.ordinal }
        return SpoolStream(
            id, folder: folder, process: segments.first?.process ?? 0, tags: try SpoolTags.adopt(in: folder),
            lock: lock,
            segments: segments,
            nextOrdinal: next, released: try Self.released(folder)
        )
    }

    private static let releasedName = "released"

    /// What an earlier process noted when it let go of segments.
    private static func released(_ folder: String) throws(FileError) -> Int {
        let bytes: [UInt8]
        do throws(FileError) {
            bytes = try Files.read("\(folder)/\(Self.releasedName)", limit: 32)
        } catch {
            if error.isMissing { return 0 }
            throw error
        }
        let number = Int(String(decoding: bytes, as: UTF8.self)) ?? 0
        return (0...UsageBatch.sequenceLimit).contains(number) ? number : 0
    }

    private init(
        _ id: UsageStreamID, folder: String, process: UInt64, tags: SpoolTags, lock: FileLock,
        segments: [SpoolSegment],
        nextOrdinal: Int, released: Int
    ) {
        self.process = process
        self.id = id
        self.folder = folder
        self.tags = tags
        self.lock = lock
        self.state = Mutex(State(segments: segments, spare: nil, nextOrdinal: nextOrdinal, released: released))
        self.spareReady = Atomic(false)
    }

    package var hasSpare: Bool { self.spareReady.load(ordering: .acquiring) }

    /// All segments, oldest first.
    package var segments: [SpoolSegment] { self.state.withLock { $0.segments } }

    /// Makes a spare segment when there is none.
    ///
    /// Called off the loop.
    package func prepareSpare() throws(FileError) {
        guard !self.hasSpare else { return }
        let ordinal = self.state.withLock { state in
            state.nextOrdinal += 1
            return state.nextOrdinal - 1
        }
        let digits = String(ordinal)
        let name = String(repeating: "0", count: max(0, 8 - digits.count)) + digits
        let segment = try SpoolSegment.create(
            "\(self.folder)/\(name).seg", stream: self.id, ordinal: ordinal, process: self.process)
        Files.syncFolder(self.folder)
        self.state.withLock { state in
            state.spare = segment
            self.spareReady.store(true, ordering: .releasing)
        }
    }

    /// Makes the spare the segment that is written; nil when there is none.
    package func advance() -> SpoolSegment? {
        self.state.withLock { state in
            guard let spare = state.spare else { return nil }
            state.spare = nil
            state.segments.append(spare)
            self.spareReady.store(false, ordering: .releasing)
            return spare
        }
    }

    /// Writes what is new through to the disk; returns false when the disk refused.
    ///
    /// What entries name is there before they count as being there.
    package func sync() -> Bool {
        let counts = self.segments.map { (segment: $0, count: $0.count) }
        guard self.tags.sync() else { return false }
        return counts.reduce(true) { $1.segment.sync(upTo: $1.count) && $0 }
    }

    /// Whether every entry is on the disk.
    package var isSynced: Bool { self.segments.allSatisfy { $0.syncedCount >= $0.count } }

    /// The highest number of a record that was acknowledged and let go; 0 for none.
    package var released: Int { self.state.withLock { $0.released } }

    /// Removes the oldest segments for which `isDone` holds, whose records are acknowledged; the newest stays.
    ///
    /// What they had is noted first, so that it is never taken for lost.
    package func prune(_ isDone: (SpoolSegment) -> Bool) throws(FileError) {
        let done = self.segments.dropLast().prefix { isDone($0) }
        guard !done.isEmpty else { return }
        var highest = self.released
        for segment in done {
            for index in 0..<segment.count {
                guard let entry = segment.entry(index), entry.kind == .closed else { continue }
                highest = max(highest, entry.sequence)
            }
        }
        try Files.replace("\(self.folder)/\(Self.releasedName)", with: Array("\(highest)".utf8))
        self.state.withLock { state in
            state.released = highest
            state.segments.removeFirst(done.count)
        }
        for segment in done { segment.remove() }
    }

    /// Removes the stream from the disk.
    package func destroy() {
        let segments = self.state.withLock { state in
            let all = state.segments + (state.spare.map { [$0] } ?? [])
            state.segments = []
            state.spare = nil
            return all
        }
        for segment in segments { segment.remove() }
        self.tags.remove()
        unlink("\(self.folder)/\(Self.releasedName)")
        unlink("\(self.folder)/lock")
        rmdir(self.folder)
    }
}

/// An advisory lock that ends with the process that holds it.
final class FileLock: Sendable {
    private let descriptor: Int32

    /// Nil when another process holds it.
    init?(_ path: String) throws(FileError) {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw FileError(path: path, operation: "open", code: errno) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            return nil
        }
        self.descriptor = descriptor
    }

    deinit { close(self.descriptor) }
}
