import Crypto

/// What a chunk holds.
///
/// Numbers are part of the wire format: append only.
package enum ChunkType: UInt8, Sendable, CaseIterable {
    case nodes = 1
    case owners = 2
    case policies = 3
    case keys = 4
    case providers = 5
    case credentials = 6
    case models = 7
    case routes = 8
    case prices = 9
    case adjustments = 10
    case budgets = 11
    case rateLimits = 12

    package var name: String {
        switch self {
        case .nodes: "nodes"
        case .owners: "owners"
        case .policies: "policies"
        case .keys: "keys"
        case .providers: "providers"
        case .credentials: "credentials"
        case .models: "models"
        case .routes: "routes"
        case .prices: "prices"
        case .adjustments: "adjustments"
        case .budgets: "budgets"
        case .rateLimits: "rate-limits"
        }
    }

    /// How many bits of the sort key choose the chunk: for types that grow with organizations and their number, or with
    /// the price book.
    package func bucketBits(keys: Int) -> Int {
        switch self {
        case .keys: keys
        case .nodes, .owners, .policies, .prices, .adjustments, .budgets, .rateLimits: 6
        case .providers, .credentials, .models, .routes: 0
        }
    }

    /// The bucket of a row.
    ///
    /// Random identifiers differ in their last bits, hashes in any.
    package func bucket(of sortKey: [UInt8], keyBits: Int) -> Int {
        let bits = self.bucketBits(keys: keyBits)
        guard bits > 0, sortKey.count >= 16 else { return 0 }
        if self == .keys || self == .policies {
            return (Int(sortKey[0]) << 8 | Int(sortKey[1])) >> (16 - bits)
        }
        return Int(sortKey[15]) & ((1 << bits) - 1)
    }

    /// The name of a bucket's chunk: `keys/01f`.
    package func chunkName(bucket: Int) -> String {
        guard self.bucketBits(keys: 8) > 0 else { return self.name }
        let digits = String(bucket, radix: 16)
        return "\(self.name)/\(String(repeating: "0", count: max(0, 3 - digits.count)))\(digits)"
    }
}

/// A chunk as a manifest lists it.
package struct ChunkReference: WireMessage, Hashable {
    package var name: String
    package var type: ChunkType
    /// SHA-256 of the compressed bytes: the blob's name.
    package var sha256: [UInt8]
    package var size: Int
    /// SHA-256 of the raw bytes: two compressors may differ, the content does not.
    package var rawSHA256: [UInt8]
    package var rawSize: Int
    /// Rows in the chunk.
    package var count: Int

    package static let rawSizeLimit = 4 << 20
    package static let sizeLimit = (4 << 20) + 4096
    package static let countLimit = 200_000

    package init(
        name: String, type: ChunkType, sha256: [UInt8], size: Int, rawSHA256: [UInt8], rawSize: Int, count: Int
    ) {
        self.name = name
        self.type = type
        self.sha256 = sha256
        self.size = size
        self.rawSHA256 = rawSHA256
        self.rawSize = rawSize
        self.count = count
    }

    package init(from reader: inout WireReader) throws(WireError) {
        var type: ChunkType?
        self.name = ""
        self.sha256 = []
        self.size = 0
        self.rawSHA256 = []
        self.rawSize = 0
        self.count = 0
        while let field = try reader.next() {
            switch field {
            case 1: self.name = try reader.text(limit: 64, "chunk.name")
            case 2: type = try reader.enumeration("chunk.type")
            case 3: self.sha256 = try reader.bytes(count: 32, "chunk.sha256")
            case 4: self.size = try reader.integer(in: 0...Self.sizeLimit, "chunk.size")
            case 5: self.rawSHA256 = try reader.bytes(count: 32, "chunk.raw_sha256")
            case 6: self.rawSize = try reader.integer(in: 0...Self.rawSizeLimit, "chunk.raw_size")
            case 7: self.count = try reader.integer(in: 0...Self.countLimit, "chunk.count")
            default: try reader.skip()
            }
        }
        guard let type else { throw .missing("chunk.type") }
        guard !self.sha256.isEmpty else { throw .missing("chunk.sha256") }
        guard !self.rawSHA256.isEmpty else { throw .missing("chunk.raw_sha256") }
        self.type = type
    }

    package func write(to writer: inout WireWriter) {
        writer.text(1, self.name)
        writer.enumeration(2, self.type)
        writer.bytes(3, self.sha256)
        writer.integer(4, self.size)
        writer.bytes(5, self.rawSHA256)
        writer.integer(6, self.rawSize)
        writer.integer(7, self.count)
    }
}

/// Rows of one type, encoded.
package struct Chunk: Sendable {
    package let reference: ChunkReference
    /// The compressed bytes.
    package let blob: [UInt8]

    /// Encodes rows; nil when they do not fit a chunk.
    ///
    /// Sorts them.
    package static func encode<Row: SnapshotRow>(_ rows: [Row], bucket: Int) -> Chunk? {
        var writer = WireWriter(capacity: rows.count * 96)
        for row in rows.map({ (key: $0.sortKey, row: $0) }).sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            writer.message(1, row.row)
        }
        let raw = writer.bytes
        guard raw.count <= ChunkReference.rawSizeLimit, rows.count <= ChunkReference.countLimit,
            let blob = Gzip.compress(raw)
        else { return nil }
        let reference = ChunkReference(
            name: Row.type.chunkName(bucket: bucket), type: Row.type, sha256: Array(SHA256.hash(data: blob)),
            size: blob.count, rawSHA256: Array(SHA256.hash(data: raw)), rawSize: raw.count, count: rows.count
        )
        return Chunk(reference: reference, blob: blob)
    }

    /// Decodes a blob that should be what `reference` says: hashes, sizes, count and order are checked.
    package static func decode<Row: SnapshotRow>(
        _: Row.Type, blob: [UInt8], reference: ChunkReference
    ) throws(SnapshotError) -> [Row] {
        guard blob.count == reference.size, Array(SHA256.hash(data: blob)) == reference.sha256 else {
            throw SnapshotError(.corrupt, chunk: reference.name, "the blob is not the one that the manifest names")
        }
        guard let raw = Gzip.inflate(blob, size: reference.rawSize),
            Array(SHA256.hash(data: raw)) == reference.rawSHA256
        else {
            throw SnapshotError(.corrupt, chunk: reference.name, "the blob does not inflate to what the manifest says")
        }
        do throws(WireError) {
            return try Self.rows(raw, reference: reference)
        } catch {
            let code: SnapshotError.Code = if case .unknownCriticalField = error { .incompatible } else { .invalid }
            throw SnapshotError(code, chunk: reference.name, error.description)
        }
    }

    private static func rows<Row: SnapshotRow>(
        _ raw: [UInt8], reference: ChunkReference
    ) throws(WireError) -> [Row] {
        var rows: [Row] = []
        // The smallest row takes two bytes: what a manifest promises is no reason to reserve more.
        rows.reserveCapacity(min(reference.count, raw.count / 2))
        var previous: [UInt8] = []
        var reader = WireReader(raw.span)
        while let field = try reader.next() {
            guard field == 1 else {
                try reader.skip()
                continue
            }
            guard rows.count < reference.count else { throw .invalid("chunk.count") }
            var nested = try reader.message()
            let row = try Row(from: &nested)
            let key = row.sortKey
            guard rows.isEmpty || previous.lexicographicallyPrecedes(key) else { throw .invalid("chunk.order") }
            previous = key
            rows.append(row)
        }
        guard rows.count == reference.count else { throw .invalid("chunk.count") }
        return rows
    }
}
