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
    let folder: String
    private let lock: FileLock
    private let state: Mutex<State>

    private struct State {
        var segments: [SpoolSegment]
        /// Made ahead of need, so that a loop never waits for the file system.
        var spare: SpoolSegment?
        var nextOrdinal: Int
    }

    /// Whether a spare segment is ready; read by the loop without a lock.
    private let spareReady: Atomic<Bool>

    /// A new stream with its first segment and a spare.
    static func create(_ id: UsageStreamID, in spool: String) throws(FileError) -> SpoolStream {
        let folder = "\(spool)/\(id)"
        try Files.makeFolder(folder)
        guard let lock = try FileLock("\(folder)/lock") else {
            throw FileError(path: folder, operation: "lock", code: EBUSY)
        }
        let stream = SpoolStream(id, folder: folder, lock: lock, segments: [], nextOrdinal: 1)
        try stream.prepareSpare()
        _ = stream.advance()
        try stream.prepareSpare()
        return stream
    }

    /// A stream that an earlier process left; nil when a live process still has it or nothing in it is readable.
    static func adopt(_ id: UsageStreamID, in spool: String) throws(FileError) -> SpoolStream? {
        let folder = "\(spool)/\(id)"
        guard let lock = try FileLock("\(folder)/lock") else { return nil }
        var segments: [SpoolSegment] = []
        for name in Files.names(in: folder) where name.hasSuffix(".seg") {
            if let segment = try SpoolSegment.adopt("\(folder)/\(name)"), segment.stream == id {
                segments.append(segment)
            }
        }
        segments.sort { $0.ordinal < $1.ordinal }
        let next = (segments.last?.ordinal ?? 0) + 1
        return SpoolStream(id, folder: folder, lock: lock, segments: segments, nextOrdinal: next)
    }

    private init(_ id: UsageStreamID, folder: String, lock: FileLock, segments: [SpoolSegment], nextOrdinal: Int) {
        self.id = id
        self.folder = folder
        self.lock = lock
        self.state = Mutex(State(segments: segments, spare: nil, nextOrdinal: nextOrdinal))
        self.spareReady = Atomic(false)
    }

    var hasSpare: Bool { self.spareReady.load(ordering: .acquiring) }

    /// All segments, oldest first.
    package var segments: [SpoolSegment] { self.state.withLock { $0.segments } }

    /// Makes a spare segment when there is none.
    ///
    /// Called off the loop.
    func prepareSpare() throws(FileError) {
        guard !self.hasSpare else { return }
        let ordinal = self.state.withLock { state in
            state.nextOrdinal += 1
            return state.nextOrdinal - 1
        }
        let digits = String(ordinal)
        let name = String(repeating: "0", count: max(0, 8 - digits.count)) + digits
        let segment = try SpoolSegment.create("\(self.folder)/\(name).seg", stream: self.id, ordinal: ordinal)
        self.state.withLock { $0.spare = segment }
        self.spareReady.store(true, ordering: .releasing)
    }

    /// Makes the spare the segment that is written; nil when there is none.
    func advance() -> SpoolSegment? {
        self.state.withLock { state in
            guard let spare = state.spare else { return nil }
            state.spare = nil
            state.segments.append(spare)
            self.spareReady.store(false, ordering: .releasing)
            return spare
        }
    }

    func sync() -> Bool { self.segments.reduce(true) { $1.sync() && $0 } }

    /// Removes the oldest segments for which `isDone` holds; the newest stays.
    func prune(_ isDone: (SpoolSegment) -> Bool) {
        let removed = self.state.withLock { state in
            var removed: [SpoolSegment] = []
            while state.segments.count > 1, let first = state.segments.first, isDone(first) {
                removed.append(state.segments.removeFirst())
            }
            return removed
        }
        for segment in removed { segment.remove() }
    }

    /// Removes the stream from the disk.
    func destroy() {
        let segments = self.state.withLock { state in
            let all = state.segments + (state.spare.map { [$0] } ?? [])
            state.segments = []
            state.spare = nil
            return all
        }
        for segment in segments { segment.remove() }
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
