import Glibc
package import Postgres
import Shared

/// Writes the records of one day of arrival (UTC) to a file, one JSON object a line, as the API shows them.
package enum UsageExport {
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    /// Records that are in memory at once.
    private static let portion: Int64 = 2000

    /// The file is there as a whole or not at all, and none is replaced.
    ///
    /// - Parameter day: `2026-11-30`.
    /// - Returns: how many records were written.
    package static func write(_ database: Database, day: String, to path: String) async throws -> Int {
        guard let start = Timestamp(day + "T00:00:00Z"), day.utf8.count == 10 else {
            throw Failure(description: "'\(day)' is no day, as 2026-11-30")
        }
        guard access(path, F_OK) != 0 else { throw Failure(description: "\(path) exists; it is not replaced") }
        let temporary = path + ".partial"
        do {
            let count = try await database.transaction(.repeatableReadOnly) { tx in
                try Self.write(&tx, from: start, to: start.adding(seconds: 86_400), temporary)
            }
            guard rename(temporary, path) == 0 else { throw Failure(description: "\(path) cannot be written") }
            return count
        } catch {
            unlink(temporary)
            throw error
        }
    }

    private static func write(
        _ tx: inout Transaction, from: Timestamp, to: Timestamp, _ path: String
    ) throws -> Int {
        guard let file = fopen(path, "wx") else { throw Failure(description: "\(path) exists or cannot be written") }
        var isOpen = true
        defer { if isOpen { fclose(file) } }
        // In the order in which they lie on disk: whatever the day's size, it is read once.
        _ = try tx.execute(
            "declare usage_export no scroll cursor for select * from usage_event where ingested_at >= $1 and ingested_at < $2",
            from, to)
        var count = 0
        while true {
            let rows = try tx.query("fetch 2000 from usage_export")
            for entry in try UsageEntry.corrected(try UsageEntry.read(rows, &tx), &tx) {
                let line = entry.json.utf8 + [10]
                guard fwrite(line, 1, line.count, file) == line.count else {
                    throw Failure(description: "\(path) cannot be written: is the disk full?")
                }
            }
            count += rows.count
            if rows.count < Int(Self.portion) { break }
        }
        isOpen = false
        let isFlushed = fflush(file) == 0 && fsync(fileno(file)) == 0
        guard fclose(file) == 0, isFlushed else {
            throw Failure(description: "\(path) cannot be written: is the disk full?")
        }
        return count
    }
}
