package import Shared
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// One file of a usage stream, mapped shared: what is stored there survives a kill of the process at once, and a loss of
/// the host from the next `sync` on.
///
/// The file is allocated in full when it is made, so that a full disk is met then and never while a request is settled.
package final class SpoolSegment: Sendable {
    /// Entries that a segment holds.
    package static let capacity = 8192
    package static let headerSize = 64
    package static let fileSize = SpoolSegment.headerSize + SpoolSegment.capacity * SpoolEntry.size
    private static let magic: UInt64 = 0x4748_5350_4F4F_4C31  // GHSPOOL1

    package let path: String
    package let stream: UsageStreamID
    package let ordinal: Int
    /// The process that wrote it; 0 when it is not known.
    package let process: UInt64
    private let descriptor: Int32
    private let base: UncheckedPointer
    /// Entries that are complete and may be read.
    private let committed: Atomic<Int>
    /// Entries that are on the disk too.
    private let synced: Atomic<Int>
    /// Whether the disk refused the last time: what it has is then not known.
    private let isDoubtful: Atomic<Bool>

    private struct UncheckedPointer: @unchecked Sendable {
        let pointer: UnsafeMutableRawPointer
    }

    /// Makes a new segment file; it must not exist.
    package static func create(
        _ path: String, stream: UsageStreamID, ordinal: Int, process: UInt64 = 0
    ) throws(FileError) -> SpoolSegment {
        let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw FileError(path: path, operation: "create", code: errno) }
        let failure = posix_fallocate(descriptor, 0, off_t(Self.fileSize))
        guard failure == 0 else {
            close(descriptor)
            unlink(path)
            throw FileError(path: path, operation: "allocate", code: failure)
        }
        let segment: SpoolSegment
        do throws(FileError) {
            segment = try SpoolSegment(
                path, descriptor: descriptor, stream: stream, ordinal: ordinal, process: process)
        } catch {
            unlink(path)
            throw error
        }
        let base = segment.base.pointer
        base.storeBytes(of: Self.magic, as: UInt64.self)
        base.storeBytes(of: stream.value.high, toByteOffset: 8, as: UInt64.self)
        base.storeBytes(of: stream.value.low, toByteOffset: 16, as: UInt64.self)
        base.storeBytes(of: UInt64(ordinal), toByteOffset: 24, as: UInt64.self)
        base.storeBytes(of: UInt64(SpoolEntry.size), toByteOffset: 32, as: UInt64.self)
        base.storeBytes(of: process, toByteOffset: 40, as: UInt64.self)
        return segment
    }

    /// Opens a segment that an earlier process left; nil when it is not one of this format.
    ///
    /// A damaged entry does not hide those after it: they count, and it is read as nil.
    ///
    /// - Throws: when the file cannot be read, which says nothing of what is in it; also when another version of the
    ///   gateway wrote it, whose entries have another size: only that version can deliver them.
    package static func adopt(_ path: String) throws(FileError) -> SpoolSegment? {
        let descriptor = open(path, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileError(path: path, operation: "open", code: errno) }
        let header: [UInt64]?
        let isWhole: Bool
        do throws(FileError) {
            (header, isWhole) = try Self.readThrough(path, descriptor)
        } catch {
            close(descriptor)
            throw error
        }
        if let header, header[0] == Self.magic, header[4] != 0, header[4] != UInt64(SpoolEntry.size) {
            close(descriptor)
            throw FileError(path: path, operation: "read what another version of the gateway wrote in", code: ENOTSUP)
        }
        guard isWhole, let header, header[0] == Self.magic, header[4] == UInt64(SpoolEntry.size),
            let ordinal = Int(exactly: header[3]), ordinal <= Int(Int32.max)
        else {
            close(descriptor)
            return nil
        }
        let stream = UsageStreamID(UUIDValue(high: header[1], low: header[2]))
        let adopted = try SpoolSegment(
            path, descriptor: descriptor, stream: stream, ordinal: ordinal, process: header[5])
        let last = (0..<Self.capacity).last { SpoolEntry(at: adopted.address($0)) != nil }
        adopted.committed.store(last.map { $0 + 1 } ?? 0, ordering: .releasing)
        // The earlier process may have ended before it synced: `synced` stays 0.
        return adopted
    }

    /// Reads a whole file, and returns the words of its header (nil when it is shorter than one) and whether it has the
    /// size of a segment.
    ///
    /// All of it, because a disk that fails under a mapping kills the process, where a read is told.
    private static func readThrough(
        _ path: String, _ descriptor: Int32
    ) throws(FileError) -> (header: [UInt64]?, isWhole: Bool) {
        var header: [UInt64]?
        var piece = [UInt64](repeating: 0, count: 8192)
        var offset = 0
        while true {
            let got = piece.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress, $0.count, off_t(offset)) }
            if got < 0 && errno == EINTR { continue }
            guard got >= 0 else { throw FileError(path: path, operation: "read", code: errno) }
            if got == 0 { break }
            if offset == 0 && got >= Self.headerSize { header = Array(piece[..<(Self.headerSize / 8)]) }
            offset += got
            guard offset <= Self.fileSize else { return (header, false) }
        }
        return (header, offset == Self.fileSize)
    }

    private init(
        _ path: String, descriptor: Int32, stream: UsageStreamID, ordinal: Int, process: UInt64
    ) throws(FileError) {
        let mapped = mmap(nil, Self.fileSize, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
        guard let mapped, mapped != MAP_FAILED else {
            let code = errno
            close(descriptor)
            throw FileError(path: path, operation: "map", code: code)
        }
        self.path = path
        self.stream = stream
        self.ordinal = ordinal
        self.process = process
        self.descriptor = descriptor
        self.base = UncheckedPointer(pointer: mapped)
        self.committed = Atomic(0)
        self.synced = Atomic(0)
        self.isDoubtful = Atomic(false)
    }

    deinit {
        munmap(self.base.pointer, Self.fileSize)
        close(self.descriptor)
    }

    private func address(_ index: Int) -> UnsafeMutableRawPointer {
        self.base.pointer + Self.headerSize + index * SpoolEntry.size
    }

    /// Entries that survive a loss of the host: the first so many.
    package var syncedCount: Int { self.synced.load(ordering: .acquiring) }

    /// Entries that may be read.
    package var count: Int { self.committed.load(ordering: .acquiring) }

    /// Appends an entry; false when the segment is full.
    ///
    /// One writer at a time.
    package func append(
        _ record: borrowing UsageRecord, charges: Span<UInt64>, kind: SpoolEntryKind, sequence: Int
    ) -> Bool {
        let index = self.committed.load(ordering: .relaxed)
        guard index < Self.capacity else { return false }
        SpoolEntry.store(record, charges: charges, kind: kind, sequence: sequence, at: self.address(index))
        self.committed.store(index + 1, ordering: .releasing)
        return true
    }

    /// The entry at an index below `count`; nil when it is damaged.
    package func entry(_ index: Int) -> SpoolEntry? {
        guard index >= 0, index < self.count else { return nil }
        return SpoolEntry(at: self.address(index))
    }

    /// Writes what is new through to the disk, or its first `limit` entries; returns false when the disk refused.
    ///
    /// Any thread may call it, also while another does.
    package func sync(upTo limit: Int = SpoolSegment.capacity) -> Bool {
        let count = min(self.count, limit)
        let synced = self.syncedCount
        guard count > synced else { return true }
        // After a refusal the system takes the pages for written. Written again, they are tried again.
        if self.isDoubtful.load(ordering: .relaxed) && !self.writeAgain(from: synced, to: count) { return false }
        guard fdatasync(self.descriptor) == 0 else {
            self.isDoubtful.store(true, ordering: .relaxed)
            return false
        }
        self.isDoubtful.store(false, ordering: .relaxed)
        self.synced.max(count, ordering: .releasing)
        return true
    }

    /// Stores entries that nobody changes any more once more, and the header.
    private func writeAgain(from first: Int, to end: Int) -> Bool {
        let ranges = [
            0..<Self.headerSize, Self.headerSize + first * SpoolEntry.size..<Self.headerSize + end * SpoolEntry.size,
        ]
        for range in ranges {
            var offset = range.lowerBound
            while offset < range.upperBound {
                let written = pwrite(
                    self.descriptor, self.base.pointer + offset, range.upperBound - offset, off_t(offset))
                if written < 0 && errno == EINTR { continue }
                guard written > 0 else { return false }
                offset += written
            }
        }
        return true
    }

    func remove() { unlink(self.path) }
}
