import Postgres
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct ValueTests {
    @Test func `every type comes back as it went, for random values and the edges`() async throws {
        try await TestDatabase.withEmpty { test in
            try await test.database.transaction { tx in
                var random = SeededRandom("value round trips")
                for round in 0..<100 {
                    let sample = Sample(round: round, &random)
                    try sample.checkScalars(in: tx)
                    try sample.checkArrays(in: tx)
                }
            }
        }
    }

    @Test func `NULL is nil for every type, and an error where a value is required`() async throws {
        try await TestDatabase.withEmpty { test in
            try await test.database.transaction { tx in
                let row = try #require(
                    try tx.queryOne(
                        """
                        SELECT $1::boolean AS b, $2::bigint AS i, $3::text AS t, $4::bytea AS y, $5::uuid AS u,
                            $6::timestamptz AS z, $7::jsonb AS j, $8::text[] AS a, $9::inet AS n, $10::int AS s,
                            $11::float8 AS d
                        """,
                        nil,
                        nil,
                        nil,
                        nil,
                        nil,
                        nil,
                        nil,
                        nil,
                        nil,
                        nil,
                        nil
                    )
                )
                #expect(try row.optional("b", as: Bool.self) == nil)
                #expect(try row.optional("i", as: Int64.self) == nil)
                #expect(try row.optional("t", as: String.self) == nil)
                #expect(try row.optional("y", as: [UInt8].self) == nil)
                #expect(try row.optional("u", as: SQLUUID.self) == nil)
                #expect(try row.optional("z", as: SQLTimestamp.self) == nil)
                #expect(try row.optional("j", as: SQLJSON.self) == nil)
                #expect(try row.optional("a", as: [String].self) == nil)
                #expect(try row.optional("n", as: SQLInet.self) == nil)
                #expect(try row.optional("s", as: Int32.self) == nil)
                #expect(try row.get("d", as: Double?.self) == nil)
                let error = #expect(throws: PostgresError.self) { try row.get("i", as: Int.self) }
                #expect(error?.description == "database result: column i: expected bigint, found NULL")
            }
        }
    }

    @Test func `the server agrees on what a value means`() async throws {
        try await TestDatabase.withEmpty { test in
            try await test.database.transaction { tx in
                let row = try #require(
                    try tx.queryOne(
                        "SELECT $1::text AS u, $2::text AS z, $3::text AS n, $4::text AS a, $5->>'k' AS j",
                        SQLUUID("0198c5f0-1234-7abc-8def-0123456789ab"),
                        SQLTimestamp(microseconds: 1_000_000),
                        SQLInet("2001:db8::1/64"),
                        ["a", "b,c"],
                        SQLJSON(#"{"k":"v"}"#)
                    )
                )
                #expect(try row.get("u") == "0198c5f0-1234-7abc-8def-0123456789ab")
                #expect(try row.get("z") == "1970-01-01 00:00:01+00")
                #expect(try row.get("n") == "2001:db8::1/64")
                #expect(try row.get("a") == #"{a,"b,c"}"#)
                #expect(try row.get(at: 4) == "v")
            }
        }
    }

    @Test(arguments: ["10.1.2.3", "10.1.2.0/24", "::1", "2001:db8::/32", "::ffff:1.2.3.4", "0.0.0.0/0"])
    func `addresses come back as the server writes them`(_ text: String) async throws {
        try await TestDatabase.withEmpty { test in
            try await test.database.transaction { tx in
                let row = try #require(
                    try tx.queryOne("SELECT $1 AS v, $1::text AS t, network($1) AS c", SQLInet(text))
                )
                // text(inet) always shows the prefix length
                let shown: String = try row.get("t")
                #expect(try row.get("v", as: SQLInet.self).text == (text.contains("/") ? shown : text))
                #expect(try row.get("c", as: SQLCIDR.self).text.contains("/"))
            }
        }
    }

    @Test func `an enum of strings is a value`() async throws {
        enum Colour: String, SQLEncodable, SQLDecodable { case red, green }
        try await TestDatabase.withEmpty { test in
            try await test.database.transaction { tx in
                try tx.execute("CREATE TYPE colour AS ENUM ('red', 'green', 'blue')")
                let row = try #require(
                    try tx.queryOne("SELECT $1 AS text, 'green'::colour AS enum, 'blue'::colour AS new", Colour.red)
                )
                #expect(try row.get("text") == Colour.red)
                #expect(try row.get("enum") == Colour.green)
                #expect(throws: PostgresError.self) { try row.get("new", as: Colour.self) }
            }
        }
    }

    @Test func `a wrong type, name or shape is named, never the value`() async throws {
        try await TestDatabase.withEmpty { test in
            try await test.database.transaction { tx in
                let row = try #require(
                    try tx.queryOne(
                        """
                        SELECT 'secret' AS t, 5::bigint AS i, sum(x) AS total, 'infinity'::timestamptz AS z,
                            ARRAY[[1, 2]]::bigint[] AS m, ARRAY['secret', NULL] AS a, 1 AS d, 2 AS d, (1, 'secret') AS r
                        FROM (VALUES (1::bigint)) AS v (x)
                        """
                    )
                )
                func message<Value: SQLDecodable>(_ name: String, _ type: Value.Type) -> String {
                    do throws(PostgresError) { return "\(try row.get(name, as: type))" } catch { return "\(error)" }
                }
                #expect(message("t", Int.self) == "database result: column t: expected bigint, found text")
                #expect(message("i", Int32.self) == "database result: column i: expected integer, found bigint")
                #expect(message("total", Int.self).contains("found numeric (cast it"))
                #expect(message("z", SQLTimestamp.self).contains("timestamptz outside its range"))
                #expect(message("m", [Int64].self).contains("multi-dimensional"))
                #expect(message("a", [String].self).contains("an array with NULL"))
                #expect(try row.get("a", as: [String?].self) == ["secret", nil])
                #expect(message("d", Int.self).contains("found several"))
                #expect(message("x", Int.self).contains("expected a column of this name, found none"))
                #expect(message("r", String.self).contains("found record"))
                #expect(throws: PostgresError.self) { try row.get(at: 99, as: Int.self) }
            }
        }
    }

    @Test func `what the server cannot store is refused, not changed`() async throws {
        try await TestDatabase.withEmpty { test in
            try await test.database.transaction { tx in
                func state(_ body: (inout Transaction) throws -> Void) -> SQLSTATE? {
                    do { try tx.savepoint(body) } catch { return (error as? PostgresError)?.sqlState }
                    return nil
                }
                #expect(state { _ = try $0.query("SELECT $1", "a\0b") } == .characterNotInRepertoire)
                for extreme: Int64 in [.min, .min + 946_684_800_000_000, -210_866_803_200_000_001] {
                    let timestamp = SQLTimestamp(microseconds: extreme)
                    #expect(state { _ = try $0.query("SELECT $1", timestamp) } == .datetimeOverflow)
                }
                #expect(state { _ = try $0.query("SELECT $1", SQLInet("1.2.3")) } == .invalidTextRepresentation)
                #expect(state { _ = try $0.query("SELECT $1", SQLJSON("{")) } == .invalidTextRepresentation)
            }
        }
    }

    @Test func `a UUID's text is read strictly`() {
        let id = SQLUUID("0198C5F0-1234-7ABC-8DEF-0123456789AB")
        #expect(id?.description == "0198c5f0-1234-7abc-8def-0123456789ab")
        #expect(SQLUUID("0198c5f012347abc8def0123456789ab") == id)
        for text in [
            "", "0198c5f0", "0198c5f0-1234-7abc-8def-0123456789a", "0198c5f01-234-7abc-8def-0123456789ab",
            "0198c5f0-1234-7abc-8def-0123456789ag", "{0198c5f0-1234-7abc-8def-0123456789ab}",
        ] {
            #expect(SQLUUID(text) == nil)
        }
    }
}
