/// Everything a gateway group knows, as rows: a snapshot before it is cut into chunks, or after it was put together.
package struct SnapshotDocument: Sendable, Equatable {
    package var nodes: [NodeRow] = []
    package var owners: [OwnerRow] = []
    package var policies: [PolicyRow] = []
    package var keys: [KeyRow] = []
    package var providers: [ProviderRow] = []
    package var credentials: [CredentialRow] = []
    package var models: [ModelRow] = []
    package var routes: [RouteRow] = []
    package var prices: [PriceRow] = []
    package var adjustments: [PriceAdjustment] = []
    package var budgets: [BudgetRow] = []
    package var rateLimits: [RateLimitRow] = []

    package init() {}

    /// Adds the rows of a chunk, checked against its reference.
    ///
    /// - Parameter keyBits: the manifest's `key_bucket_bits`; a row in a chunk it does not belong to is refused.
    package mutating func add(_ blob: [UInt8], _ reference: ChunkReference, keyBits: Int) throws(SnapshotError) {
        switch reference.type {
        case .nodes: self.nodes += try Self.decode(blob, reference, keyBits)
        case .owners: self.owners += try Self.decode(blob, reference, keyBits)
        case .policies: self.policies += try Self.decode(blob, reference, keyBits)
        case .keys: self.keys += try Self.decode(blob, reference, keyBits)
        case .providers: self.providers += try Self.decode(blob, reference, keyBits)
        case .credentials: self.credentials += try Self.decode(blob, reference, keyBits)
        case .models: self.models += try Self.decode(blob, reference, keyBits)
        case .routes: self.routes += try Self.decode(blob, reference, keyBits)
        case .prices: self.prices += try Self.decode(blob, reference, keyBits)
        case .adjustments: self.adjustments += try Self.decode(blob, reference, keyBits)
        case .budgets: self.budgets += try Self.decode(blob, reference, keyBits)
        case .rateLimits: self.rateLimits += try Self.decode(blob, reference, keyBits)
        }
    }

    private static func decode<Row: SnapshotRow>(
        _ blob: [UInt8], _ reference: ChunkReference, _ keyBits: Int
    ) throws(SnapshotError) -> [Row] {
        let rows = try Chunk.decode(Row.self, blob: blob, reference: reference)
        for row in rows {
            let bucket = Row.type.bucket(of: row.sortKey, keyBits: keyBits)
            guard Row.type.chunkName(bucket: bucket) == reference.name else {
                throw SnapshotError(.invalid, chunk: reference.name, "a row belongs to another chunk")
            }
        }
        return rows
    }

    /// Cuts the rows of one type into chunks; empty buckets have none.
    ///
    /// Nil when a bucket does not fit a chunk.
    package static func chunks<Row: SnapshotRow>(of rows: [Row], keyBits: Int) -> [Chunk]? {
        var chunks: [Chunk] = []
        let buckets = Dictionary(grouping: rows) { Row.type.bucket(of: $0.sortKey, keyBits: keyBits) }
        for (bucket, rows) in buckets.sorted(by: { $0.key < $1.key }) {
            guard let chunk = Chunk.encode(rows, bucket: bucket) else { return nil }
            chunks.append(chunk)
        }
        return chunks
    }

    /// All chunks of the document, in the order of their types and buckets.
    package func chunks(keyBits: Int) -> [Chunk]? {
        guard let nodes = Self.chunks(of: self.nodes, keyBits: keyBits),
            let owners = Self.chunks(of: self.owners, keyBits: keyBits),
            let policies = Self.chunks(of: self.policies, keyBits: keyBits),
            let keys = Self.chunks(of: self.keys, keyBits: keyBits),
            let providers = Self.chunks(of: self.providers, keyBits: keyBits),
            let credentials = Self.chunks(of: self.credentials, keyBits: keyBits),
            let models = Self.chunks(of: self.models, keyBits: keyBits),
            let routes = Self.chunks(of: self.routes, keyBits: keyBits),
            let prices = Self.chunks(of: self.prices, keyBits: keyBits),
            let adjustments = Self.chunks(of: self.adjustments, keyBits: keyBits),
            let budgets = Self.chunks(of: self.budgets, keyBits: keyBits),
            let rateLimits = Self.chunks(of: self.rateLimits, keyBits: keyBits)
        else { return nil }
        return nodes + owners + policies + keys + providers + credentials + models + routes + prices
            + adjustments + budgets + rateLimits
    }
}
