import Shared
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct SchemaTests {
    /// The lines that only one of the two has, `-` for what is written down and `+` for what the migrations make.
    private static func difference(_ written: [Substring], _ made: [Substring]) -> [String] {
        made.difference(from: written).map { change in
            switch change {
            case .remove(_, let line, _): "- \(line)"
            case .insert(_, let line, _): "+ \(line)"
            }
        }
    }

    @Test func `schema.sql is what all migrations together make`() async throws {
        try await TestDatabase.withClone { database in
            let dump = try ChildProcess(RepositoryPaths.root + "/scripts/schema", ["dump", database.url])
            #expect(try await dump.waitForExit() == .code(0), "\(dump.errors.tail())")
            let made = String(decoding: try Files.read(dump.output.path, limit: 8 << 20), as: UTF8.self)
            let path = RepositoryPaths.migrations + "/schema.sql"
            let written = String(decoding: try Files.read(path, limit: 8 << 20), as: UTF8.self)
            let difference = Self.difference(written.split(separator: "\n"), made.split(separator: "\n"))
            #expect(made.contains("CREATE TABLE public.usage_event"))
            #expect(
                difference.isEmpty,
                "migrations/schema.sql is not what the migrations make; run scripts/schema:\n\(difference.joined(separator: "\n"))"
            )
        }
    }
}
