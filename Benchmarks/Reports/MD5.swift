import Crypto
import Shared

/// The identifiers of the benchmark's rows: `md5('k7')::uuid`, as its SQL makes them.
enum MD5 {
    static func uuid(_ text: String) -> UUIDValue {
        UUIDValue(bytes: Array(Insecure.MD5.hash(data: Array(text.utf8)))) ?? UUIDValue(high: 0, low: 0)
    }

    private static let table: [String: [UUIDValue]] = [
        "k": (0..<World.keys).map { Self.uuid("k\($0)") }, "p": (0..<40).map { Self.uuid("p\($0)") },
        "m": (0..<12).map { Self.uuid("m\($0)") }, "v": (0..<4).map { Self.uuid("v\($0)") },
    ]

    /// The same from a table.
    static func known(_ letter: String, _ number: Int) -> UUIDValue {
        Self.table[letter].map { $0[number % $0.count] } ?? UUIDValue(high: 0, low: 0)
    }
}
