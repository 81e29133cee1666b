import Postgres
import TestKit
import Testing

private struct Stop: Error {}

@Suite(.timeLimit(.minutes(10))) struct CopyTests {
    private func withTable(_ body: (TestDatabase) async throws -> Void) async throws {
        try await TestDatabase.withEmpty { test in
            try await test.database.transaction { tx in
                try tx.execute(
                    """
                    CREATE TABLE item (
                        id bigint, small integer, name text, data bytea, key uuid, at timestamptz, doc jsonb,
                        tags text[], address inet, ratio float8, flag boolean
                    )
                    """
                )
            }
            try await body(test)
        }
    }

    @Test func `ten thousand rows arrive as they were written`() async throws {
        try await self.withTable { test in
            let loaded = try await test.database.transaction { tx in
                try tx.copyIn("item (id, small, name, data, key, at, doc, tags, address, ratio, flag)") { writer in
                    for index in 0..<10_000 {
                        try writer.row(
                            index,
                            Int32(index),
                            index % 10 == 0 ? nil : "name \(index)",
                            [UInt8(index % 256)],
                            SQLUUID(high: 1, low: UInt64(index)),
                            SQLTimestamp(microseconds: Int64(index)),
                            SQLJSON(#"{"n":\#(index)}"#),
                            ["a", "b"],
                            SQLInet("10.0.0.1"),
                            0.5,
                            index % 2 == 0
                        )
                    }
                }
            }
            #expect(loaded == 10_000)
            try await test.database.transaction(.readOnly) { tx in
                let row = try tx.query(
                    """
                    SELECT count(*) AS rows, sum(id)::bigint AS ids, sum(small)::bigint AS smalls,
                        count(name) AS names, count(DISTINCT key) AS keys, sum((doc->>'n')::int)::bigint AS docs,
                        count(*) FILTER (WHERE tags = '{a,b}' AND address = '10.0.0.1' AND ratio = 0.5
                            AND flag = (id % 2 = 0) AND data = set_byte('\\x00', 0, (id % 256)::int)
                            AND extract(epoch FROM at) * 1000000 = id) AS right
                    FROM item
                    """
                )[0]
                #expect(try row.get("rows") == 10_000)
                #expect(try row.get("ids") == 49_995_000)
                #expect(try row.get("smalls") == 49_995_000)
                #expect(try row.get("names") == 9_000)
                #expect(try row.get("keys") == 10_000)
                #expect(try row.get("docs") == 49_995_000)
                #expect(try row.get("right") == 10_000)
            }
        }
    }

    @Test func `a writer that throws loads nothing, and its error is the one thrown`() async throws {
        try await self.withTable { test in
            await #expect(throws: Stop.self) {
                try await test.database.transaction { tx in
                    try tx.copyIn("item (id)") { writer in
                        for index in 0..<20_000 { try writer.row(index) }
                        throw Stop()
                    }
                }
            }
            let count: Int = try await test.database.transaction {
                try $0.query("SELECT count(*) AS n FROM item")[0].get("n")
            }
            #expect(count == 0)
        }
    }

    @Test func `a refused row is the server's error, and a savepoint contains it`() async throws {
        try await self.withTable { test in
            try await test.database.transaction { tx in
                for target: SQL in ["item (small)", "nothing (id)"] {
                    let error = #expect(throws: PostgresError.self) {
                        try tx.savepoint { tx in
                            try tx.copyIn(target) { writer in
                                for index in 0..<50_000 { try writer.row(index) }
                            }
                        }
                    }
                    #expect(error?.sqlState != nil)
                }
                let loaded = try tx.copyIn("item (id)") { try $0.row(7) }
                #expect(loaded == 1)
            }
        }
    }

    @Test func `COPY as a plain statement is an error, not a hang`() async throws {
        try await self.withTable { test in
            await #expect(throws: PostgresError.self) {
                try await test.database.transaction { _ = try $0.query("COPY item FROM STDIN") }
            }
            try await test.database.transaction { try $0.execute("SELECT 1") }
        }
    }
}
