package import Logging
package import Shared
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// All usage streams of a gateway: those that its loops write, and those that earlier processes left behind.
package final class UsageSpool: Sendable {
    private let folder: String
    private let logger: Logger
    private let state: Mutex<[SpoolStream]>
    private let live: Mutex<Set<UsageStreamID>>
    /// The process that writes new streams.
    package let process: UInt64
    /// Processes that had begun to write here before this one.
    private let earlier: Set<UInt64>

    /// - Parameter folder: survives the process; on a volume that survives the container.
    package init(folder: String, process: UInt64 = 0, logger: Logger) throws(FileError) {
        try Files.makeFolder(folder)
        self.process = process
        self.earlier = Self.processes(in: folder).subtracting([process])
        if process != 0 { try Files.replace(Self.marker(process, in: folder), with: []) }
        self.folder = folder
        self.logger = logger
        self.state = Mutex([])
        self.live = Mutex([])
    }

    /// A new stream for one event loop.
    package func newStream(_ id: UsageStreamID) throws(FileError) -> SpoolStream {
        let stream = try SpoolStream.create(id, in: self.folder, process: self.process)
        self.state.withLock { $0.append(stream) }
        self.live.withLock { _ = $0.insert(id) }
        return stream
    }

    /// Takes over what earlier processes left: every request that was open when they ended is closed at its bound.
    ///
    /// Called at the start and every minute: a stream that another process still had, or whose files could not be read,
    /// is taken over when that has changed.
    package func recover(now: Timestamp) {
        let known = Set(self.streams.map(\.id))
        for name in Files.names(in: self.folder) {
            guard let id = UsageStreamID(name), !known.contains(id) else { continue }
            do throws(FileError) {
                guard let stream = try SpoolStream.adopt(id, in: self.folder) else { continue }
                let closed = try SpoolRecovery.closeOpenEntries(of: stream, now: now)
                self.logger.info(
                    "recovered usage of an earlier process",
                    metadata: ["stream": "\(id)", "interrupted": "\(closed)"]
                )
                self.state.withLock { $0.append(stream) }
            } catch {
                self.logger.error(
                    "usage of an earlier process cannot be read; it is tried again every minute",
                    metadata: ["stream": "\(id)", "error": "\(error)"]
                )
            }
        }
    }

    // MARK: Earlier processes

    private static let markerPrefix = "process-"

    private static func marker(_ process: UInt64, in folder: String) -> String {
        "\(folder)/\(Self.markerPrefix)\(String(process, radix: 16))"
    }

    private static func processes(in folder: String) -> Set<UInt64> {
        Set(
            Files.names(in: folder).compactMap { name in
                guard name.hasPrefix(Self.markerPrefix) else { return nil }
                return UInt64(name.dropFirst(Self.markerPrefix.count), radix: 16)
            })
    }

    /// Whether every stream that is here was taken over: one that was not may be of a process that lives, or lost.
    private var knowsAll: Bool {
        let known = Set(self.streams.map(\.id))
        return Files.names(in: self.folder).allSatisfy { name in UsageStreamID(name).map(known.contains) ?? true }
    }

    /// Of some processes those that will never send usage again: they wrote here before this one began, have ended, and all
    /// of it was acknowledged.
    ///
    /// One that began after this one is not judged: it may live.
    ///
    /// - Parameter delivering: processes of which something is not acknowledged yet.
    package func settled(among processes: [UInt64], delivering: Set<UInt64>) -> [UInt64] {
        let candidates = processes.filter { self.earlier.contains($0) && !delivering.contains($0) }
        guard !candidates.isEmpty, self.knowsAll else { return [] }
        return candidates
    }

    /// Forgets earlier processes whose usage was all delivered and that hold nothing.
    ///
    /// - Parameter known: those that hold something, or of which something is not delivered.
    package func forget(except known: Set<UInt64>) {
        guard self.knowsAll else { return }
        for process in self.earlier where !known.contains(process) {
            unlink(Self.marker(process, in: self.folder))
        }
    }

    package var streams: [SpoolStream] { self.state.withLock { $0 } }

    /// Whether a loop of this process writes the stream.
    func isLive(_ id: UsageStreamID) -> Bool { self.live.withLock { $0.contains(id) } }

    /// Drops a stream of an earlier process whose records are all stored and old.
    package func discard(_ stream: SpoolStream) {
        self.state.withLock { streams in streams.removeAll { $0.id == stream.id } }
        stream.destroy()
    }

    /// Makes spare segments and writes through to the disk.
    ///
    /// Called every 50 ms from a thread of its own.
    package func maintain() {
        for stream in self.streams where self.isLive(stream.id) {
            do throws(FileError) {
                try stream.prepareSpare()
            } catch {
                self.logger.error("no room for usage", metadata: ["error": "\(error)"])
            }
        }
        self.sync()
    }

    /// Writes all through to the disk; what is not there is not delivered.
    package func sync() {
        for stream in self.streams where !stream.sync() {
            self.logger.error("usage could not be written through", metadata: ["stream": "\(stream.id)"])
        }
    }
}

/// What happens to a stream whose process ended without settling its requests.
package enum SpoolRecovery {
    /// Appends a closed entry for every open one that has none.
    ///
    /// Doing it twice changes nothing.
    ///
    /// - Returns: how many there were.
    package static func closeOpenEntries(of stream: SpoolStream, now: Timestamp) throws(FileError) -> Int {
        var open: [RequestID: UsageRecord] = [:]
        var order: [RequestID] = []
        var sequence = 0
        for segment in stream.segments {
            for index in 0..<segment.count {
                guard let entry = segment.entry(index) else { continue }
                switch entry.kind {
                case .open:
                    open[entry.record.request] = entry.record
                    order.append(entry.record.request)
                    sequence = max(sequence, entry.sequence)
                case .closed:
                    open[entry.record.request] = nil
                    sequence = max(sequence, entry.sequence)
                }
            }
        }
        let unsettled = order.compactMap { open.removeValue(forKey: $0) }
        var segment = stream.segments.last
        for var record in unsettled {
            record.outcome = .interrupted
            record.isEstimate = true
            record.code = "gateway_interrupted"
            let (duration, overflow) = now.microseconds.subtractingReportingOverflow(record.started.microseconds)
            record.durationMicroseconds = overflow ? 0 : max(0, duration)
            sequence += 1
            let charges = record.charges.map(\.value)
            if segment?.append(record, charges: charges.span, kind: .closed, sequence: sequence) != true {
                try stream.prepareSpare()
                segment = stream.advance()
                guard segment?.append(record, charges: charges.span, kind: .closed, sequence: sequence) == true else {
                    throw FileError(path: stream.folder, operation: "recover usage in", code: ENOSPC)
                }
            }
        }
        _ = stream.sync()
        return unsettled.count
    }
}
