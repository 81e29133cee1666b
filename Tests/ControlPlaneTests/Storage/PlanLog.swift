import Postgres
import TestKit

/// The plans of what was executed, as `auto_explain` writes them into the server's log.
struct PlanLog {
    struct Plan: Sendable {
        let query: String
        /// Tables that are read, each once for each node that reads it.
        var relations: [String] = []
        /// Those that are read from one end to the other.
        var scannedWhole: [String] = []
    }

    private let log: OutputFile

    /// Makes every session of the database that begins from now on explain what it executes.
    init(_ database: TestDatabase) async throws {
        guard let log = database.server.log else { throw TestKitError("the server is not ours: it has no log to read") }
        self.log = log
        for setting in [
            "session_preload_libraries = 'auto_explain'", "auto_explain.log_min_duration = 0",
            "auto_explain.log_nested_statements = on", "auto_explain.log_format = 'json'",
        ] {
            try await database.server.administer("alter database \(database.name) set \(setting)")
        }
        try await database.server.administer(
            "select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = '\(database.name)'"
        )
    }

    /// Everything executed so far.
    func plans() -> [Plan] {
        var plans: [Plan] = []
        var isSequential = false
        for line in self.log.tail(bytes: 256 << 20).split(separator: "\n") {
            if let query = Self.value("Query Text", line) {
                plans.append(Plan(query: Self.unescaped(query)))
                isSequential = false
            } else if let node = Self.value("Node Type", line) {
                isSequential = node == "Seq Scan"
            } else if let relation = Self.value("Relation Name", line), !plans.isEmpty {
                plans[plans.count - 1].relations.append(relation)
                if isSequential { plans[plans.count - 1].scannedWhole.append(relation) }
            }
        }
        return plans
    }

    private static func value(_ name: String, _ line: Substring) -> String? {
        let trimmed = line.drop { $0 == " " || $0 == "\t" }
        let prefix = "\"\(name)\": \""
        guard trimmed.hasPrefix(prefix) else { return nil }
        let rest = trimmed.dropFirst(prefix.count)
        guard let end = rest.lastIndex(of: "\"") else { return nil }
        return String(rest[..<end])
    }

    /// One line, however the statement was written.
    private static func unescaped(_ text: String) -> String {
        var words: [Substring] = []
        for word in text.replacing("\\n", with: " ").replacing("\\\"", with: "\"").split(separator: " ") {
            words.append(word)
        }
        return words.joined(separator: " ")
    }
}
