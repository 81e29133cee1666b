/// A run of usage records of one stream, numbered without gaps.
///
/// A stream is what one event loop of one gateway process appends to; numbers start at 1. The control plane takes a
/// batch exactly when it begins right after the last number it has.
package struct UsageBatch: WireMessage, Equatable {
    package var gateway: GatewayID
    package var stream: UsageStreamID
    /// Number of the first record.
    package var from: Int
    package var records: [UsageRecord]

    package static let recordsLimit = 2000
    package static let sizeLimit = 2 << 20

    /// Number of the last record.
    package var to: Int { self.from + self.records.count - 1 }

    package init(gateway: GatewayID, stream: UsageStreamID, from: Int, records: [UsageRecord]) {
        self.gateway = gateway
        self.stream = stream
        self.from = from
        self.records = records
    }

    package init(from reader: inout WireReader) throws(WireError) {
        var gateway: GatewayID?, stream: UsageStreamID?
        self.from = 0
        self.records = []
        while let field = try reader.next() {
            switch field {
            case 1: gateway = try reader.identifier("batch.gateway")
            case 2: stream = try reader.identifier("batch.stream")
            case 3: self.from = try reader.integer(in: 1...(Int.max / 2), "batch.from")
            case 4:
                guard self.records.count < Self.recordsLimit else { throw .invalid("batch.records") }
                self.records.append(try reader.value())
            default: try reader.skip()
            }
        }
        guard let gateway else { throw .missing("batch.gateway") }
        guard let stream else { throw .missing("batch.stream") }
        guard self.from > 0 else { throw .missing("batch.from") }
        guard !self.records.isEmpty else { throw .missing("batch.records") }
        self.gateway = gateway
        self.stream = stream
    }

    package func write(to writer: inout WireWriter) {
        writer.identifier(1, self.gateway)
        writer.identifier(2, self.stream)
        writer.integer(3, self.from)
        for record in self.records { writer.message(4, record) }
    }
}

/// The control plane's answer to a batch, signed and bound to it.
package struct UsageReply: WireMessage, Equatable {
    /// SHA-256 of the batch's bytes.
    package var request: [UInt8]
    package var stream: UsageStreamID
    /// The last number that is stored, whether this batch was taken or not: what to send next is one higher.
    package var last: Int

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
            case 3: self.last = try reader.integer(in: 0...(Int.max / 2), "reply.last")
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
