import Shared
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
    static let capacity = 8192
    static let headerSize = 64
    static let fileSize = SpoolSegment.headerSize + SpoolSegment.capacity * SpoolEntry.size
    private static let magic: UInt64 = 0x4748_5350_4F4F_4C31  // GHSPOOL1

    let path: String
    let stream: UsageStreamID
    let ordinal: Int
    private let descriptor: Int32
    private let base: UncheckedPointer
    /// Entries that are complete and may be read.
    private let committed: Atomic<Int>
    private let synced: Atomic<Int>

    private struct UncheckedPointer: @unchecked Sendable {
        let pointer: UnsafeMutableRawPointer
    }

    /// Makes a new segment file; it must not exist.
    static func create(_ path: String, stream: UsageStreamID, ordinal: Int) throws(FileError) -> SpoolSegment {
        let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw FileError(path: path, operation: "create", code: errno) }
        let failure = posix_fallocate(descriptor, 0, off_t(Self.fileSize))
        guard failure == 0 else {
            close(descriptor)
            unlink(path)
            throw FileError(path: path, operation: "allocate", code: failure)
        }
        let segment = try SpoolSegment(path, descriptor: descriptor, stream: stream, ordinal: ordinal)
        let base = segment.base.pointer
        base.storeBytes(of: Self.magic, as: UInt64.self)
        base.storeBytes(of: stream.value.high, toByteOffset: 8, as: UInt64.self)
        base.storeBytes(of: stream.value.low, toByteOffset: 16, as: UInt64.self)
        base.storeBytes(of: UInt64(ordinal), toByteOffset: 24, as: UInt64.self)
        base.storeBytes(of: UInt64(SpoolEntry.size), toByteOffset: 32, as: UInt64.self)
        return segment
    }

    /// Opens a segment that an earlier process left; nil when it is not one of this format.
    static func adopt(_ path: String) throws(FileError) -> SpoolSegment? {
        let descriptor = open(path, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileError(path: path, operation: "open", code: errno) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_size == Self.fileSize else {
            close(descriptor)
            return nil
        }
        let segment = try SpoolSegment(
            path, descriptor: descriptor, stream: UsageStreamID(UUIDValue(high: 0, low: 0)), ordinal: 0
        )
        let base = UnsafeRawPointer(segment.base.pointer)
        guard base.load(as: UInt64.self) == Self.magic,
            base.load(fromByteOffset: 32, as: UInt64.self) == UInt64(SpoolEntry.size),
            let ordinal = Int(exactly: base.load(fromByteOffset: 24, as: UInt64.self))
        else { return nil }
        let stream = UsageStreamID(
            UUIDValue(
                high: base.load(fromByteOffset: 8, as: UInt64.self), low: base.load(fromByteOffset: 16, as: UInt64.self)
            )
        )
        let adopted = try SpoolSegment(path, descriptor: dup(descriptor), stream: stream, ordinal: ordinal)
        var count = 0
        while count < Self.capacity, SpoolEntry(at: adopted.address(count)) != nil { count += 1 }
        adopted.committed.store(count, ordering: .releasing)
        adopted.synced.store(count, ordering: .relaxed)
        return adopted
    }

    private init(_ path: String, descriptor: Int32, stream: UsageStreamID, ordinal: Int) throws(FileError) {
        let mapped = mmap(nil, Self.fileSize, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
        guard let mapped, mapped != MAP_FAILED else {
            let code = errno
            close(descriptor)
            throw FileError(path: path, operation: "map", code: code)
        }
        self.path = path
        self.stream = stream
        self.ordinal = ordinal
        self.descriptor = descriptor
        self.base = UncheckedPointer(pointer: mapped)
        self.committed = Atomic(0)
        self.synced = Atomic(0)
    }

    deinit {
        munmap(self.base.pointer, Self.fileSize)
        close(self.descriptor)
    }

    private func address(_ index: Int) -> UnsafeMutableRawPointer {
        self.base.pointer + Self.headerSize + index * SpoolEntry.size
    }

    /// Entries that may be read.
    package var count: Int { self.committed.load(ordering: .acquiring) }

    /// Appends an entry; false when the segment is full.
    ///
    /// One writer at a time.
    func append(_ record: borrowing UsageRecord, kind: SpoolEntryKind, sequence: Int) -> Bool {
        let index = self.committed.load(ordering: .relaxed)
        guard index < Self.capacity else { return false }
        SpoolEntry.store(record, kind: kind, sequence: sequence, at: self.address(index))
        self.committed.store(index + 1, ordering: .releasing)
        return true
    }

    /// The entry at an index below `count`; nil when it is damaged.
    package func entry(_ index: Int) -> SpoolEntry? {
        guard index >= 0, index < self.count else { return nil }
        return SpoolEntry(at: self.address(index))
    }

    /// Writes what is new through to the disk; returns false when the disk refused.
    func sync() -> Bool {
        let count = self.count
        guard count > self.synced.load(ordering: .relaxed) else { return true }
        guard fdatasync(self.descriptor) == 0 else { return false }
        self.synced.store(count, ordering: .relaxed)
        return true
    }

    func remove() { unlink(self.path) }
}
