import Crypto
import Shared
import Testing

@Suite struct ChunkTests {
    @Test func `documents of random rows come back from their chunks`() throws {
        var sampler = Sampler("documents")
        for bits in 8...11 {
            let document = Self.document(&sampler)
            let chunks = try #require(document.chunks(keyBits: bits))
            #expect(
                chunks.map(\.blob) == document.chunks(keyBits: bits)?.map(\.blob), "the same rows give the same bytes")
            #expect(Set(chunks.map(\.reference.name)).count == chunks.count)
            var read = SnapshotDocument()
            for chunk in chunks {
                #expect(chunk.reference.size == chunk.blob.count)
                #expect(try ChunkReference(wire: chunk.reference.wireBytes) == chunk.reference)
                try read.add(chunk.blob, chunk.reference, keyBits: bits)
            }
            #expect(Set(read.keys) == Set(document.keys) && Set(read.nodes) == Set(document.nodes))
            #expect(Set(read.owners) == Set(document.owners) && Set(read.policies) == Set(document.policies))
            #expect(Set(read.providers) == Set(document.providers) && Set(read.models) == Set(document.models))
            #expect(Set(read.credentials) == Set(document.credentials) && Set(read.routes) == Set(document.routes))
            #expect(Set(read.prices) == Set(document.prices))
            let changed = document.keys[0].digest
            var other = document
            other.keys[0].status = document.keys[0].status == .active ? .revoked : .active
            let difference = try #require(other.chunks(keyBits: bits)).filter { chunk in
                !chunks.contains { $0.reference == chunk.reference }
            }
            let bucket = ChunkType.keys.bucket(of: changed, keyBits: bits)
            #expect(difference.map(\.reference.name) == [ChunkType.keys.chunkName(bucket: bucket)])
        }
    }

    private static func document(_ sampler: inout Sampler) -> SnapshotDocument {
        var document = SnapshotDocument()
        document.nodes = sampler.many(1...200) { $0.node() }
        document.owners = sampler.many(1...200) { $0.owner() }
        document.policies = sampler.many(1...50) { $0.policy() }
        document.keys = sampler.many(1...500) { $0.key() }
        document.providers = sampler.many(1...5) { $0.provider() }
        document.credentials = sampler.many(1...5) { $0.credential() }
        document.models = sampler.many(1...20) { $0.model() }
        document.routes = sampler.many(1...20) { $0.route() }
        document.prices = sampler.many(1...20) { $0.price() }
        return document
    }

    // MARK: What is refused

    private struct Forged {
        let reference: ChunkReference
        let blob: [UInt8]
    }

    /// A chunk of the given raw bytes that claims `count` rows.
    private static func forged(_ raw: [UInt8], count: Int, rawSize: Int? = nil, blob: [UInt8]? = nil) -> Forged {
        let blob = blob ?? Gzip.compress(raw) ?? []
        let reference = ChunkReference(
            name: "owners", type: .owners, sha256: Array(SHA256.hash(data: blob)), size: blob.count,
            rawSHA256: Array(SHA256.hash(data: raw)), rawSize: rawSize ?? raw.count, count: count)
        return Forged(reference: reference, blob: blob)
    }

    private static func raw(_ rows: [OwnerRow]) -> [UInt8] {
        var writer = WireWriter()
        for row in rows { writer.message(1, row) }
        return writer.bytes
    }

    private static func code(_ chunk: Forged) -> SnapshotError.Code? {
        do throws(SnapshotError) {
            _ = try Chunk.decode(OwnerRow.self, blob: chunk.blob, reference: chunk.reference)
            return nil
        } catch {
            return error.code
        }
    }

    @Test func `rows that are unsorted, doubled, too many, too few or of a newer build are refused`() {
        var sampler = Sampler("bad rows")
        let rows = (0..<20).map { _ in sampler.owner() }.sorted { $0.sortKey.lexicographicallyPrecedes($1.sortKey) }
        #expect(Self.code(Self.forged(Self.raw(rows), count: 20)) == nil)
        #expect(Self.code(Self.forged([], count: 0)) == nil)
        #expect(Self.code(Self.forged(Self.raw(rows.reversed()), count: 20)) == .invalid)
        #expect(Self.code(Self.forged(Self.raw([rows[0], rows[0]]), count: 2)) == .invalid)
        #expect(Self.code(Self.forged(Self.raw(rows), count: 19)) == .invalid)
        #expect(Self.code(Self.forged(Self.raw(rows), count: 21)) == .invalid)
        #expect(Self.code(Self.forged(Self.raw(rows), count: 0)) == .invalid)
        #expect(Self.code(Self.forged(Self.raw(rows) + [0x10, 1], count: 20)) == .incompatible)
        #expect(Self.code(Self.forged(Self.raw(rows) + RawFields.tag(1000, 0) + [1], count: 20)) == nil)
        #expect(Self.code(Self.forged(Array(Self.raw(rows).dropLast()), count: 20)) == .invalid)
        #expect(Self.code(Self.forged(Self.raw(rows) + [0x0A, 2, 0x18, 1], count: 21)) == .incompatible)
    }

    @Test func `a blob that is not what its reference says is corrupt`() throws {
        var sampler = Sampler("bad blobs")
        let rows = (0..<20).map { _ in sampler.owner() }.sorted { $0.sortKey.lexicographicallyPrecedes($1.sortKey) }
        let raw = Self.raw(rows)
        let blob = try #require(Gzip.compress(raw))
        #expect(Self.code(Self.forged(raw, count: 20, rawSize: raw.count - 1)) == .corrupt)
        #expect(Self.code(Self.forged(raw, count: 20, rawSize: raw.count + 1)) == .corrupt)
        #expect(Self.code(Self.forged(raw, count: 20, rawSize: 0)) == .corrupt)
        #expect(Self.code(Self.forged(raw, count: 20, blob: blob + [0])) == .corrupt)
        #expect(Self.code(Self.forged(raw, count: 20, blob: blob + blob)) == .corrupt)
        #expect(Self.code(Self.forged(raw, count: 20, blob: Array(blob.dropLast()))) == .corrupt)
        #expect(Self.code(Self.forged(raw, count: 20, blob: [])) == .corrupt)
        #expect(Self.code(Self.forged(raw, count: 20, blob: raw)) == .corrupt)
        let good = Self.forged(raw, count: 20)
        for index in good.blob.indices {
            var changed = good.blob
            changed[index] ^= 1 << UInt8(sampler.below(8))
            #expect(Self.code(Forged(reference: good.reference, blob: changed)) == .corrupt)
            // Also when its name is right: bytes that inflate to the same rows are the same rows.
            let renamed = Self.code(Self.forged(raw, count: 20, blob: changed))
            #expect(renamed == .corrupt || renamed == nil)
        }
        var wrongRaw = good.reference
        wrongRaw.rawSHA256 = sampler.bytes(32)
        #expect(Self.code(Forged(reference: wrongRaw, blob: good.blob)) == .corrupt)
    }

    @Test func `a gzip bomb is not inflated beyond what was promised`() throws {
        let bomb = try #require(Gzip.compress([UInt8](repeating: 0, count: 64 << 20)))
        #expect(bomb.count < 100_000)
        for size in [0, 1, 1000, ChunkReference.rawSizeLimit] { #expect(Gzip.inflate(bomb, size: size) == nil) }
        #expect(Gzip.inflate(bomb, size: -1) == nil)
        var sampler = Sampler("gzip")
        for count in [0, 1, 100, 70_000] {
            let bytes = sampler.bytes(count)
            let blob = try #require(Gzip.compress(bytes))
            #expect(Gzip.compress(bytes) == blob)
            #expect(Array(blob[4..<8]) == [0, 0, 0, 0], "no time in the header")
            #expect(Gzip.inflate(blob, size: count) == bytes)
            #expect(Gzip.inflate(blob, size: count + 1) == nil)
            for _ in 0..<200 { _ = Gzip.inflate(sampler.bytes(0...50), size: 100) }
        }
    }

    @Test func `a row in a chunk of another bucket is refused`() throws {
        var sampler = Sampler("buckets")
        let row = sampler.key()
        let bucket = ChunkType.keys.bucket(of: row.sortKey, keyBits: 8)
        #expect(bucket == Int(row.digest[0]))
        for (wrong, bits) in [((bucket + 1) % 256, 8), (bucket, 9)] where bits == 8 || row.digest[0] > 0 {
            let chunk = try #require(Chunk.encode([row], bucket: wrong))
            var document = SnapshotDocument()
            #expect { try document.add(chunk.blob, chunk.reference, keyBits: bits) } throws: {
                ($0 as? SnapshotError)?.code == .invalid
            }
            #expect(document.keys.isEmpty)
        }
    }

    @Test func `rows that do not fit a chunk are not encoded`() throws {
        var sampler = Sampler("large chunks")
        var route = sampler.route()
        route.targets = (0..<32).map { _ in sampler.target() }
        // Rows that differ in their id only are all of one size, which the seed decides.
        let size = try #require(Chunk.encode([route], bucket: 0)?.reference.rawSize)
        let rows = (0...ChunkReference.rawSizeLimit / size).map { _ in
            var copy = route
            copy.id = sampler.id()
            return copy
        }
        #expect(Chunk.encode(rows, bucket: 0) == nil)
        #expect(SnapshotDocument.chunks(of: rows, keyBits: 8) == nil)
        #expect(Chunk.encode([RouteRow](), bucket: 0)?.reference.count == 0)
    }
}
