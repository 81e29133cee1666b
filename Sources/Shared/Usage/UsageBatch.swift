/// Why records that a stream had numbers for will never come.
///
/// Numbers are part of the wire format: append only.
package enum UsageLossReason: UInt8, Sendable, CaseIterable {
    /// They were acknowledged once, and let go a day later; the control plane's database was put back to before that.
    case released = 1
    /// The spool does not have them: a file that is gone or damaged, or a loss of the host.
    case missing = 2

    /// The name in the API and in SQL.
    package var name: String {
        switch self {
        case .released: "released"
        case .missing: "missing"
        }
    }
}

/// Records right before a batch that are lost, by the word of the gateway that sends it.
package struct UsageLoss: Sendable, Hashable {
    /// Number of the first lost record; the last is the one before the batch.
    package var from: Int
    package var reason: UsageLossReason

    package init(from: Int, reason: UsageLossReason) {
        self.from = from
        self.reason = reason
    }
}

/// A run of usage records of one stream, numbered without gaps.
///
/// A stream is what one event loop of one gateway process appends to; numbers start at 1. The control plane takes a
/// batch exactly when it, or the loss that it declares, begins right after the last number it has.
package struct UsageBatch: WireMessage, Equatable {
    package var gateway: GatewayID
    package var stream: UsageStreamID
    /// The process that wrote the stream, which is whose leases the records are charged to; 0 for one of an earlier
    /// release.
    package var process: UInt64
    /// Number of the first record.
    package var from: Int
    package var records: [UsageRecord]
    /// What is lost between the last number that the control plane said it has and the first record.
    package var lost: UsageLoss?
    /// The sets of tags that the records name by their position, from 1 on.
    package var tagSets: [TagSet]

    package static let recordsLimit = 2000
    /// Bytes of all sets of tags together: with as many records as there may be, all of it fits `sizeLimit`.
    package static let tagBytesLimit = 512 << 10
    package static let sizeLimit = 2 << 20
    /// Highest number of a record (ten million a second for almost a year); more is a damaged file or a forgery, and
    /// sums over streams must stay numbers.
    package static let sequenceLimit = 1 << 48

    /// Number of the last record.
    package var to: Int { self.from + self.records.count - 1 }

    package init(
        gateway: GatewayID, stream: UsageStreamID, process: UInt64 = 0, from: Int, records: [UsageRecord],
        lost: UsageLoss? = nil, tagSets: [TagSet] = []
    ) {
        self.process = process
        self.gateway = gateway
        self.stream = stream
        self.from = from
        self.records = records
        self.lost = lost
        self.tagSets = tagSets
    }

    package init(from reader: inout WireReader) throws(WireError) {
        var gateway: GatewayID?, stream: UsageStreamID?, reason: UsageLossReason?
        var lostFrom = 0
        self.process = 0
        var tagBytes = 0
        self.from = 0
        self.records = []
        self.tagSets = []
        while let field = try reader.next() {
            switch field {
            case 1: gateway = try reader.identifier("batch.gateway")
            case 2: stream = try reader.identifier("batch.stream")
            case 3: self.from = try reader.integer(in: 1...Self.sequenceLimit, "batch.from")
            case 4:
                guard self.records.count < Self.recordsLimit else { throw .invalid("batch.records") }
                self.records.append(try reader.value())
            case 5: lostFrom = try reader.integer(in: 1...Self.sequenceLimit, "batch.lost_from")
            case 6: reason = try reader.enumeration("batch.lost_reason")
            case 7:
                let tags = try reader.tagSet("batch.tag_sets")
                tagBytes += tags.utf8.count
                guard self.tagSets.count < Self.recordsLimit, tagBytes <= Self.tagBytesLimit else {
                    throw .invalid("batch.tag_sets")
                }
                self.tagSets.append(tags)
            case 9: self.process = try reader.uint64()
            default: try reader.skip()
            }
        }
        guard let gateway else { throw .missing("batch.gateway") }
        guard let stream else { throw .missing("batch.stream") }
        guard self.from > 0 else { throw .missing("batch.from") }
        guard !self.records.isEmpty else { throw .missing("batch.records") }
        guard (lostFrom > 0) == (reason != nil) else { throw .missing("batch.lost") }
        guard lostFrom < self.from else { throw .invalid("batch.lost_from") }
        for record in self.records where record.tags > self.tagSets.count { throw .invalid("usage.tags") }
        self.gateway = gateway
        self.stream = stream
        self.lost = reason.map { UsageLoss(from: lostFrom, reason: $0) }
    }

    package func write(to writer: inout WireWriter) {
        writer.identifier(1, self.gateway)
        writer.identifier(2, self.stream)
        writer.integer(3, self.from)
        for record in self.records { writer.message(4, record) }
        if let lost {
            writer.integer(5, lost.from)
            writer.enumeration(6, lost.reason)
        }
        for tags in self.tagSets { writer.element(7, tags.utf8) }
        writer.uint64(9, self.process)
    }
}

/// The control plane's answer to a batch, signed and bound to it.
package struct UsageReply: WireMessage, Equatable {
    /// SHA-256 of the batch's bytes.
    package var request: [UInt8]
    package var stream: UsageStreamID
    /// The last number that is stored, whether this batch was taken or not: what to send next is one higher.
    package var last: Int

    /// The last record of a batch that begins at the highest number.
    package static let lastLimit = UsageBatch.sequenceLimit + UsageBatch.recordsLimit

    package init(request: [UInt8], stream: UsageStreamID, last: Int) {
        self.request = request
        self.stream = stream
        self.last = last
    }

    package init(from reader: inout WireReader) throws(WireError) {
        var stream: UsageStreamID?
        self.request = []
        self.last = 0
        while let field = try reader.next() {
            switch field {
            case 1: self.request = try reader.bytes(count: 32, "reply.request")
            case 2: stream = try reader.identifier("reply.stream")
            case 3: self.last = try reader.integer(in: 0...Self.lastLimit, "reply.last")
            default: try reader.skip()
            }
        }
        guard let stream else { throw .missing("reply.stream") }
        guard !self.request.isEmpty else { throw .missing("reply.request") }
        self.stream = stream
    }

    package func write(to writer: inout WireWriter) {
        writer.bytes(1, self.request)
        writer.identifier(2, self.stream)
        writer.integer(3, self.last)
    }
}
