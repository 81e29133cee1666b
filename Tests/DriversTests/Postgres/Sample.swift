import Postgres
import TestKit
import Testing

/// One value of every type; the first rounds are the edges.
struct Sample {
    let integer: Int64
    let small: Int32
    let double: Double
    let text: String
    let bytes: [UInt8]
    let id: SQLUUID
    let time: SQLTimestamp
    let texts: [String?]
    let integers: [Int64]
    let ids: [SQLUUID]
    let blobs: [[UInt8]]

    init(round: Int, _ random: inout SeededRandom) {
        let edges: [Int64] = [0, 1, -1, .max, .min]
        let smallEdges: [Int32] = [0, 1, -1, .max, .min]
        let doubleEdges = [0, -0.0, .infinity, -.infinity, .greatestFiniteMagnitude]
        // the two epochs, just before one, the server's first moment, our last
        let timeEdges: [Int64] = [0, -1, 946_684_800_000_000, -210_866_803_200_000_000, .max]
        let isEdge = round < edges.count
        self.integer = isEdge ? edges[round] : .random(in: .min ... .max, using: &random)
        self.small = isEdge ? smallEdges[round] : .random(in: .min ... .max, using: &random)
        self.double = isEdge ? doubleEdges[round] : .random(in: -1e300...1e300, using: &random)
        let count = isEdge ? 0 : Int.random(in: 0...40, using: &random)
        self.text = Self.text(length: count, &random)
        self.bytes = Self.bytes(length: count, &random)
        self.id = SQLUUID(high: random.next(), low: random.next())
        let someTime = Int64.random(in: -2_000_000_000_000_000...4_000_000_000_000_000, using: &random)
        self.time = SQLTimestamp(microseconds: isEdge ? timeEdges[round] : someTime)
        var texts: [String?] = []
        var integers: [Int64] = []
        var ids: [SQLUUID] = []
        var blobs: [[UInt8]] = []
        for index in 0..<count {
            texts.append(index % 5 == 4 ? nil : Self.text(length: index % 7, &random))
            integers.append(.random(in: .min ... .max, using: &random))
            ids.append(SQLUUID(high: random.next(), low: random.next()))
            blobs.append(Self.bytes(length: index % 9, &random))
        }
        (self.texts, self.integers, self.ids, self.blobs) = (texts, integers, ids, blobs)
    }

    func checkScalars(in tx: borrowing Transaction) throws {
        let row = try #require(
            try tx.queryOne(
                "SELECT $1 AS b, $2 AS i, $3 AS s, $4 AS d, $5 AS t, $6 AS y, $7 AS u, $8 AS z, $9 AS j",
                self.integer > 0,
                self.integer,
                self.small,
                self.double,
                self.text,
                self.bytes,
                self.id,
                self.time,
                SQLJSON(#"{"n": \#(self.small)}"#)
            )
        )
        #expect(try row.get("b") == (self.integer > 0))
        #expect(try row.get("i") == self.integer)
        #expect(try row.get("i") == Int(self.integer))
        #expect(try row.get("s") == self.small)
        #expect(try row.get("d", as: Double.self).bitPattern == self.double.bitPattern)
        #expect(try row.get("t") == self.text)
        #expect(try row.get("y") == self.bytes)
        #expect(try row.get("u") == self.id)
        #expect(SQLUUID(self.id.description) == self.id)
        #expect(try row.get("z") == self.time)
        #expect(try row.get("j") == SQLJSON(#"{"n": \#(self.small)}"#))
    }

    func checkArrays(in tx: borrowing Transaction) throws {
        let row = try #require(
            try tx.queryOne(
                "SELECT $1 AS t, $2 AS i, $3 AS u, $4 AS y, $5::int[] AS s",
                SQLValue.textArray(self.texts),
                self.integers,
                self.ids,
                self.blobs,
                self.integers.map { $0 % 1_000 }
            )
        )
        #expect(try row.get("t") == self.texts)
        #expect(try row.get("i") == self.integers)
        #expect(try row.get("i") == self.integers.map { Int($0) })
        #expect(try row.get("u") == self.ids)
        #expect(try row.get("y") == self.blobs)
        #expect(try row.get("s") == self.integers.map { $0 % 1_000 })
    }

    private static func text(length: Int, _ random: inout SeededRandom) -> String {
        var text = ""
        for _ in 0..<length {
            let scalar = Unicode.Scalar(UInt32.random(in: 1...0x1_FFFF, using: &random)) ?? "\""
            text.unicodeScalars.append(scalar)
        }
        return text
    }

    private static func bytes(length: Int, _ random: inout SeededRandom) -> [UInt8] {
        (0..<length).map { _ in .random(in: 0...255, using: &random) }
    }
}
