package import Shared
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The sets of tags that the entries of a stream name by number, in a file of the stream's folder.
///
/// A set is appended before the first entry that names it: what is written survives a kill of the process at once, and a
/// loss of the host when `sync` comes back. An entry of the file is its length (two bytes), a checksum (four), and the
/// text of the set; an end that a failure tore is left out, and a damaged one does not hide those after it.
package final class SpoolTags: Sendable {
    /// Most sets of a stream, and most bytes of all of them: 8 MiB in memory and on the disk.
    package static let countLimit = UsageRecord.tagNumbers.upperBound
    package static let bytesLimit = 8 << 20
    package static let name = "tags"
    private static let magic = Array("GHTAGS01".utf8)
    private static let headSize = 6
    private static let fileLimit = SpoolTags.magic.count + SpoolTags.bytesLimit + SpoolTags.countLimit * 6

    private let path: String
    /// -1 for a file that nobody writes any more.
    private let descriptor: Int32
    private let state: Mutex<State>

    private struct State {
        /// Nil for one that is damaged.
        var sets: [TagSet?] = []
        var bytes = 0
        /// Where the next one goes in the file.
        var end = SpoolTags.magic.count
        /// Sets that are on the disk.
        var synced = 0
        /// The disk refused the last time: what it has is then not known.
        var isDoubtful = false
    }

    /// Makes the file of a new stream.
    static func create(in folder: String) throws(FileError) -> SpoolTags {
        let path = "\(folder)/\(Self.name)"
        let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw FileError(path: path, operation: "create", code: errno) }
        guard Self.write(Self.magic, to: descriptor, at: 0), fdatasync(descriptor) == 0 else {
            let code = errno
            close(descriptor)
            throw FileError(path: path, operation: "write", code: code)
        }
        return SpoolTags(path, descriptor: descriptor, State())
    }

    /// Reads the file that an earlier process left.
    ///
    /// - Throws: when it cannot be read, or another version of the gateway wrote it.
    static func adopt(in folder: String) throws(FileError) -> SpoolTags {
        let path = "\(folder)/\(Self.name)"
        var state = State()
        do throws(FileError) {
            let bytes = try Files.read(path, limit: Self.fileLimit)
            // A kill right after it was made left nothing in it.
            if bytes.count >= Self.magic.count {
                guard bytes.starts(with: Self.magic) else {
                    throw FileError(
                        path: path, operation: "read what another version of the gateway wrote in", code: ENOTSUP)
                }
                state.sets = Self.read(bytes)
            }
        } catch {
            guard error.isMissing else { throw error }
        }
        state.synced = state.sets.count
        return SpoolTags(path, descriptor: -1, state)
    }

    private init(_ path: String, descriptor: Int32, _ state: State) {
        self.path = path
        self.descriptor = descriptor
        self.state = Mutex(state)
    }

    deinit { if self.descriptor >= 0 { close(self.descriptor) } }

    package var count: Int { self.state.withLock { $0.sets.count } }

    /// The set of a number, from 1 on; nil when there is none, or it is damaged.
    package func set(_ number: Int) -> TagSet? {
        self.state.withLock { number >= 1 && number <= $0.sets.count ? $0.sets[number - 1] : nil }
    }

    /// Appends a set; returns its number, or nil when there is no room for it.
    ///
    /// One writer at a time. Into memory of the system: it does not wait for the disk.
    package func append(_ set: TagSet) -> Int? {
        let entry = Self.entry(set)
        return self.state.withLock { state in
            guard self.descriptor >= 0, state.sets.count < Self.countLimit,
                state.bytes + set.utf8.count <= Self.bytesLimit, Self.write(entry, to: self.descriptor, at: state.end)
            else { return nil }
            state.sets.append(set)
            state.bytes += set.utf8.count
            state.end += entry.count
            return state.sets.count
        }
    }

    /// Writes what is new through to the disk; returns false when the disk refused.
    func sync() -> Bool {
        let (count, isDoubtful) = self.state.withLock { ($0.sets.count > $0.synced ? $0.sets.count : 0, $0.isDoubtful) }
        guard count > 0 else { return true }
        // After a refusal the system takes the pages for written. Written again, they are tried again.
        let isWritten = !isDoubtful || self.writeAgain(count)
        let isSynced = isWritten && fdatasync(self.descriptor) == 0
        self.state.withLock { state in
            if isSynced { state.synced = max(state.synced, count) }
            state.isDoubtful = !isSynced
        }
        return isSynced
    }

    func remove() { unlink(self.path) }

    private func writeAgain(_ count: Int) -> Bool {
        let sets = self.state.withLock { $0.sets.prefix(count) }
        var bytes = Self.magic
        for case let set? in sets { bytes += Self.entry(set) }
        return Self.write(bytes, to: self.descriptor, at: 0)
    }

    private static func entry(_ set: TagSet) -> [UInt8] {
        let sum = CRC32.checksum(set.utf8)
        return [UInt8(truncatingIfNeeded: set.utf8.count), UInt8(truncatingIfNeeded: set.utf8.count >> 8)]
            + (0..<4).map { UInt8(truncatingIfNeeded: sum >> (8 * UInt32($0))) } + set.utf8
    }

    private static func read(_ bytes: [UInt8]) -> [TagSet?] {
        var sets: [TagSet?] = []
        var position = Self.magic.count
        while position + Self.headSize <= bytes.count, sets.count < Self.countLimit {
            let length = Int(bytes[position]) | Int(bytes[position + 1]) << 8
            let start = position + Self.headSize
            guard length > 0, length <= TagText.setLimit, start + length <= bytes.count else { break }
            let text = Array(bytes[start..<start + length])
            let sum = (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[position + 2 + $1]) << (8 * UInt32($1)) }
            sets.append(CRC32.checksum(text) == sum ? TagSet(utf8: text) : nil)
            position = start + length
        }
        return sets
    }

    private static func write(_ bytes: [UInt8], to descriptor: Int32, at offset: Int) -> Bool {
        var done = 0
        while done < bytes.count {
            let written = bytes.withUnsafeBytes { bytes in
                bytes.baseAddress.map { pwrite(descriptor, $0 + done, bytes.count - done, off_t(offset + done)) } ?? 0
            }
            if written < 0 && errno == EINTR { continue }
            guard written > 0 else { return false }
            done += written
        }
        return true
    }
}
