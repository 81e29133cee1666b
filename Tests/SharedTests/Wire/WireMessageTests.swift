import Shared
import Testing

@Suite struct WireMessageTests {
    @Test(arguments: WireCase.all)
    func `a value reads back as itself and is written the same way twice`(_ message: WireCase) throws {
        var sampler = Sampler("wire round trip")
        for _ in 0..<50 {
            let bytes = message.encode(&sampler)
            #expect(try message.recode(bytes) == bytes)
        }
    }

    @Test(arguments: WireCase.all)
    func `a message cut anywhere is refused or a whole one`(_ message: WireCase) throws {
        var sampler = Sampler("wire truncation")
        for _ in 0..<3 {
            let bytes = message.encode(&sampler)
            let ends = RawFields.split(bytes).reduce(into: [0]) { $0.append(($0.last ?? 0) + $1.bytes.count) }
            for count in 0..<bytes.count {
                let cut = Array(bytes[..<count])
                guard ends.contains(count) else {
                    #expect(throws: WireError.self) { try message.recode(cut) }
                    continue
                }
                Self.expectStable(cut, message)
            }
        }
    }

    @Test(arguments: WireCase.all)
    func `no changed byte makes the reader trap or the writer unstable`(_ message: WireCase) throws {
        var sampler = Sampler("wire mutation")
        for _ in 0..<2 {
            let bytes = message.encode(&sampler)
            for index in bytes.indices.prefix(1500) {
                var changed = bytes
                for value in [bytes[index] ^ 1, bytes[index] ^ 0x80, 0, 0xFF, UInt8(sampler.below(256))] {
                    changed[index] = value
                    Self.expectStable(changed, message)
                }
            }
            for _ in 0..<300 {
                var changed = bytes + sampler.bytes(0...4)
                for _ in 0...sampler.below(4) where !changed.isEmpty {
                    let index = sampler.below(changed.count)
                    switch sampler.below(3) {
                    case 0: changed.remove(at: index)
                    case 1: changed.insert(UInt8(sampler.below(256)), at: index)
                    default: changed[index] = UInt8(sampler.below(256))
                    }
                }
                Self.expectStable(changed, message)
            }
            for _ in 0..<300 { Self.expectStable(sampler.bytes(0...60), message) }
        }
    }

    /// Whatever was accepted is written as something that is accepted and the same.
    private static func expectStable(_ bytes: [UInt8], _ message: WireCase) {
        guard let once = try? message.recode(bytes) else { return }
        let twice = try? message.recode(once)
        #expect(twice == once, "\(message.testDescription): \(bytes)")
    }

    @Test(arguments: WireCase.all)
    func `an unknown field below 1000 is refused and another skipped`(_ message: WireCase) throws {
        var sampler = Sampler("wire unknown fields")
        let bytes = message.encode(&sampler)
        let values: [(type: Int, bytes: [UInt8])] = [
            (0, [5]), (1, [1, 2, 3, 4, 5, 6, 7, 8]), (2, [2, 9, 9]), (5, [1, 2, 3, 4]),
        ]
        for value in values {
            for unknown in [200, 999] {
                let field = RawFields.tag(unknown, value.type) + value.bytes
                #expect(throws: WireError.unknownCriticalField(unknown)) { try message.recode(field + bytes) }
                #expect(throws: WireError.unknownCriticalField(unknown)) { try message.recode(bytes + field) }
            }
            for unknown in [1900, 1999, 536_870_911] {
                let field = RawFields.tag(unknown, value.type) + value.bytes
                #expect(try message.recode(field + bytes) == bytes)
                #expect(try message.recode(bytes + field) == bytes)
                #expect(throws: WireError.truncated) { try message.recode(bytes + field.dropLast()) }
            }
        }
        for type in [3, 4, 6, 7] {
            #expect(throws: WireError.badTag) { try message.recode(bytes + RawFields.tag(1000, type)) }
        }
        #expect(throws: WireError.badTag) { try message.recode(bytes + [0, 0]) }
    }

    @Test(arguments: WireCase.all)
    func `a message without a field that must be there is refused`(_ message: WireCase) throws {
        var sampler = Sampler("wire required fields")
        for _ in 0..<10 {
            let fields = RawFields.split(message.encode(&sampler))
            for required in message.required {
                let rest = fields.filter { $0.number != required }.flatMap(\.bytes)
                #expect(throws: WireError.self, "without \(required)") { try message.recode(rest) }
            }
            for field in fields {
                // As a fixed32, which no field is; first, where no list is full yet.
                let bytes = RawFields.tag(field.number, 5) + [0, 0, 0, 0] + fields.flatMap(\.bytes)
                #expect(throws: WireError.badTag, "\(field.number)") { try message.recode(bytes) }
            }
        }
    }
}

@Suite struct WireReaderTests {
    static let malformed: [([UInt8], WireError)] = [
        ([0x80], .truncated),
        ([0x08], .truncated),
        ([0x08, 0x80], .truncated),
        ([0x08] + [UInt8](repeating: 0xFF, count: 10) + [0x01], .badVarint),
        ([0x08] + [UInt8](repeating: 0xFF, count: 9) + [0x02], .badVarint),
        ([0x08] + [UInt8](repeating: 0x80, count: 10) + [0x00], .badVarint),
        ([0x0B], .badTag),
        ([0x00], .badTag),
        ([0x12, 0x05, 1, 2], .truncated),
        ([0x12, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01], .truncated),
        // Field number 2^29, one too high.
        ([0x80, 0x80, 0x80, 0x80, 0x10, 0x00], .badTag),
    ]

    @Test(arguments: Self.malformed)
    func `malformed bytes are refused with their reason`(_ bytes: [UInt8], _ reason: WireError) {
        #expect(throws: reason) { try Numbers(wire: bytes) }
    }

    @Test func `numbers keep all their bits`() throws {
        for value in [UInt64.min, 1, 127, 128, 1 << 32, UInt64(Int64.max), .max - 1, .max] {
            #expect(try Numbers(wire: Numbers(value: value, bytes: []).wireBytes).value == value)
        }
        // Longer than needed, as protobuf allows.
        #expect(try Numbers(wire: [0x08, 0x85, 0x80, 0x00]).value == 5)
        // The last of a repeated single field counts, as in protobuf.
        #expect(try Numbers(wire: [0x08, 1, 0x08, 2]).value == 2)
    }

    struct Numbers: WireMessage, Equatable {
        var value: UInt64
        var bytes: [UInt8]

        init(value: UInt64, bytes: [UInt8]) {
            self.value = value
            self.bytes = bytes
        }

        init(from reader: inout WireReader) throws(WireError) {
            self.init(value: 0, bytes: [])
            while let field = try reader.next() {
                switch field {
                case 1: self.value = try reader.uint64()
                case 2: self.bytes = try reader.bytes(limit: 10, "bytes")
                default: try reader.skip()
                }
            }
        }

        func write(to writer: inout WireWriter) {
            writer.uint64(1, self.value)
            writer.bytes(2, self.bytes)
        }
    }
}

@Suite struct WireBoundTests {
    private func refused<Message: WireMessage>(_ message: Message) -> Bool {
        (try? Message(wire: message.wireBytes)) == nil
    }

    @Test func `texts, lists and numbers beyond their bounds are refused`() {
        var sampler = Sampler("wire bounds")
        var policy = sampler.policy()
        policy.models = Array(repeating: "m", count: PolicyRow.modelsLimit)
        #expect(!self.refused(policy))
        policy.models?.append("m")
        #expect(self.refused(policy))
        policy.models = [String(repeating: "m", count: PolicyRow.aliasLimit + 1)]
        #expect(self.refused(policy))
        policy.models = nil
        policy.networks = (0...PolicyRow.networksLimit).map { _ in sampler.network() }
        #expect(self.refused(policy))

        var route = sampler.route()
        route.targets = (0..<RouteRow.targetsLimit).map { _ in sampler.target() }
        #expect(!self.refused(route))
        route.targets.append(sampler.target())
        #expect(self.refused(route))
        route = sampler.route()
        route.targets = [RouteTarget(model: sampler.id(), credential: nil, order: 101, weight: 0)]
        #expect(self.refused(route))
        route.targets = [RouteTarget(model: sampler.id(), credential: nil, order: 0, weight: 10_001)]
        #expect(self.refused(route))

        var price = sampler.price()
        price.items = [PriceItem(meter: .input, nanoUSDPerMillion: -1)]
        #expect(self.refused(price))
        price.items = [PriceItem(meter: .input, nanoUSDPerMillion: 0, abovePromptTokens: -1)]
        #expect(self.refused(price))
        price.items = (0...PriceRow.itemsLimit).map { _ in sampler.priceItem() }
        #expect(self.refused(price))

        var node = sampler.node()
        node.kind = .unit
        node.parent = nil
        #expect(self.refused(node))
        node.kind = .organization
        node.parent = sampler.id()
        #expect(self.refused(node))

        var record = sampler.record()
        record.cost = NanoUSD(-1)
        #expect(self.refused(record))
        record = sampler.record()
        record.counters.output = -1
        #expect(self.refused(record))
        record = sampler.record()
        record.status = 1000
        #expect(self.refused(record))

        var manifest = sampler.manifest()
        manifest.limits.keyBucketBits = 12
        #expect(self.refused(manifest))
        manifest = sampler.manifest()
        manifest.previous = sampler.bytes(31)
        #expect(self.refused(manifest))

        var root = sampler.root()
        root.config.threshold = 2
        #expect(self.refused(root))
        root = sampler.root()
        root.root.keyIDs.append(sampler.bytes(32))
        #expect(self.refused(root))
        root = sampler.root()
        root.root.keyIDs.append(root.root.keyIDs[0])
        #expect(self.refused(root))
        root = sampler.root()
        root.timestamp.keyIDs = []
        #expect(self.refused(root))
    }

    @Test func `a batch at its largest fits what is accepted`() throws {
        var sampler = Sampler("largest batch")
        var record = sampler.record()
        record.owner = sampler.uuid()
        record.route = sampler.id()
        record.model = sampler.id()
        record.provider = sampler.id()
        record.price = sampler.id()
        record.started = Timestamp(microseconds: -1)
        record.durationMicroseconds = .max
        record.firstByteMicroseconds = .max
        for meter in Meter.allCases { record.counters[meter] = .max }
        record.cost = .max
        record.code = String(repeating: "x", count: UsageRecord.codeLimit)
        record.snapshot = SnapshotVersion(epoch: Int(Int32.max), version: .max)
        #expect(record.wireBytes.count <= UsageRecord.sizeLimit)
        let set = try #require(TagSet(["n": String(repeating: "v", count: TagText.valueLimit)]))
        let sets = Array(repeating: set, count: UsageBatch.recordsLimit)
        record.tags = sets.count
        let batch = UsageBatch(
            gateway: sampler.id(), stream: sampler.id(), from: UsageBatch.sequenceLimit,
            records: Array(repeating: record, count: UsageBatch.recordsLimit), tagSets: sets)
        // With as many bytes of tags as there may be, each set behind three bytes of its own.
        let tagBytes = UsageBatch.tagBytesLimit - sets.reduce(0) { $0 + $1.utf8.count }
        #expect(batch.wireBytes.count + tagBytes + sets.count <= UsageBatch.sizeLimit)
        #expect(try UsageBatch(wire: batch.wireBytes) == batch)
        var more = batch
        more.records.append(record)
        #expect(self.refused(more))
        var unknown = batch
        unknown.records[5].tags = sets.count + 1
        #expect(self.refused(unknown))
        var tooManySets = batch
        tooManySets.tagSets.append(set)
        #expect(self.refused(tooManySets))
    }

    @Test func `tags are taken in their one form and order only`() throws {
        var sampler = Sampler("tag rows")
        var node = sampler.node()
        (node.kind, node.parent) = (.project, sampler.id())
        node.tags = [TagDeclaration(name: "a", isRequired: true), TagDeclaration(name: "b", isRequired: false)]
        #expect(try NodeRow(wire: node.wireBytes) == node)
        var other = node
        other.tags.reverse()
        #expect(self.refused(other))
        other.tags = [node.tags[0], node.tags[0]]
        #expect(self.refused(other))
        other.tags = (0...TagText.countLimit).map { TagDeclaration(name: "n" + String($0 + 10), isRequired: false) }
        #expect(self.refused(other))
        other.tags.removeLast()
        #expect(!self.refused(other))
        other.tags = [TagDeclaration(name: "A", isRequired: false)]
        #expect(self.refused(other))
        other = node
        other.kind = .unit
        #expect(self.refused(other))
    }

    @Test func `a manifest with every possible chunk fits its bound, and a key row its own`() {
        var sampler = Sampler("largest manifest")
        var manifest = sampler.manifest()
        manifest.limits.keyBucketBits = 11
        manifest.chunks = ChunkType.allCases.flatMap { type in
            (0..<(1 << type.bucketBits(keys: 11))).map { bucket in
                ChunkReference(
                    name: type.chunkName(bucket: bucket), type: type, sha256: sampler.bytes(32),
                    size: ChunkReference.sizeLimit, rawSHA256: sampler.bytes(32),
                    rawSize: ChunkReference.rawSizeLimit, count: ChunkReference.countLimit)
            }
        }
        #expect(manifest.chunks.count <= Manifest.chunksLimit)
        #expect(manifest.wireBytes.count <= Manifest.sizeLimit)
        #expect(!self.refused(manifest))
        for _ in 0..<100 { #expect(sampler.key().wireBytes.count <= 256) }
    }

    @Test func `an expiry at the beginning of time is an expiry`() throws {
        var sampler = Sampler("expiry")
        var key = sampler.key()
        key.expires = Timestamp(microseconds: 0)
        #expect(try KeyRow(wire: key.wireBytes).expires == Timestamp(microseconds: 0))
        key.expires = nil
        #expect(try KeyRow(wire: key.wireBytes).expires == nil)
    }

    @Test func `a status report with a long reason is cut, not refused`() throws {
        var sampler = Sampler("long report")
        var report: StatusReport = sampler.status()
        report.refused = SnapshotVersion(epoch: 1, version: 2)
        report.code = "invalid"
        report.chunk = String(repeating: "模", count: 64)
        report.message = String(repeating: "🚪", count: 400)
        let read = try StatusReport(wire: report.wireBytes)
        #expect(read.chunk == String(repeating: "模", count: 21))
        #expect(read.message == String(repeating: "🚪", count: 125))
    }
}
