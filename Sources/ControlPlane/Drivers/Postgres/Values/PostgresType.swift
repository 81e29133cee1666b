/// The built-in types of PostgreSQL that this driver knows, by object id.
///
/// The ids are fixed in PostgreSQL's `pg_type.dat` and never change.
struct PostgresType: Hashable, Sendable {
    let oid: UInt32

    init(_ oid: UInt32) { self.oid = oid }

    static let unspecified = PostgresType(0)
    static let bool = PostgresType(16)
    static let bytea = PostgresType(17)
    static let char = PostgresType(18)
    static let name = PostgresType(19)
    static let int8 = PostgresType(20)
    static let int2 = PostgresType(21)
    static let int4 = PostgresType(23)
    static let text = PostgresType(25)
    static let oid = PostgresType(26)
    static let json = PostgresType(114)
    static let cidr = PostgresType(650)
    static let float4 = PostgresType(700)
    static let float8 = PostgresType(701)
    static let unknown = PostgresType(705)
    static let inet = PostgresType(869)
    static let byteaArray = PostgresType(1001)
    static let textArray = PostgresType(1009)
    static let int8Array = PostgresType(1016)
    static let bpchar = PostgresType(1042)
    static let varchar = PostgresType(1043)
    static let timestamptz = PostgresType(1184)
    static let numeric = PostgresType(1700)
    static let uuid = PostgresType(2950)
    static let uuidArray = PostgresType(2951)
    static let jsonb = PostgresType(3802)

    /// Types made by `CREATE TYPE` and extensions have ids from here on; enums among them travel as text.
    var isUserDefined: Bool { self.oid >= 16_384 }

    /// The name as SQL spells it.
    var sqlName: String { Self.names[self.oid] ?? "type with oid \(self.oid)" }

    private static let names: [UInt32: String] = [
        16: "boolean", 17: "bytea", 18: "\"char\"", 19: "name", 20: "bigint", 21: "smallint", 23: "integer",
        25: "text", 26: "oid", 114: "json", 650: "cidr", 700: "real", 701: "double precision", 705: "unknown",
        869: "inet", 1000: "boolean[]", 1001: "bytea[]", 1005: "smallint[]", 1007: "integer[]", 1009: "text[]",
        1015: "varchar[]", 1016: "bigint[]", 1042: "char", 1043: "varchar", 1082: "date", 1083: "time",
        1114: "timestamp", 1184: "timestamptz", 1186: "interval", 1231: "numeric[]", 1266: "timetz",
        1700: "numeric", 2249: "record", 2278: "void", 2950: "uuid", 2951: "uuid[]", 3802: "jsonb",
        3807: "jsonb[]", 3910: "tstzrange",
    ]
}
