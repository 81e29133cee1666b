/// What a gateway process says of its share of one rate limit, and what it wants of it.
///
/// Amounts are granules (`BucketRate`). Granted, returned and borrowed are sums since the process began: a message that is lost, doubled or late changes
/// nothing. So is the generation of the share: it only grows.
package struct ShareAsk: WireMessage, Hashable {
    /// The limit's number.
    package var limit: UInt32
    /// Of the newest grant that was taken in.
    package var generation: Int64 = 0
    /// Parts of `BucketRate.parts` that are in use.
    package var share: Int64 = 0
    /// All granules that were granted, as far as the gateway knows.
    package var granted: Int64 = 0
    /// Granules that were given back: nobody uses them here any more.
    package var returned: Int64 = 0
    /// Granules that were used beyond what there was, by requests that used more than was thought, and that no share makes
    /// up for.
    package var borrowed: Int64 = 0
    /// Parts that it would like to have.
    package var want: Int64 = 0
    /// Granules that requests wait for, all together; 0 when none does.
    package var need: Int64 = 0
    /// Granules of the largest request since the last ask.
    package var largest: Int64 = 0
    /// Nothing is held any more, and nobody uses the limit.
    package var isFinal = false
    /// Granules that are free beyond what the share holds.
    package var spare: Int64 = 0

    package init(limit: UInt32) { self.limit = limit }

    package init(from reader: inout WireReader) throws(WireError) {
        var limit = 0
        self.init(limit: 0)
        while let field = try reader.next() {
            switch field {
            case 1: limit = try reader.integer(in: 1...Int(UInt32.max), "share.limit")
            case 2: self.generation = try reader.amount("share.generation")
            case 3: self.share = try reader.parts("share.share")
            case 4: self.granted = try reader.granules("share.granted")
            case 5: self.returned = try reader.granules("share.returned")
            case 6: self.borrowed = try reader.granules("share.borrowed")
            case 7: self.want = try reader.parts("share.want")
            case 8: self.need = try reader.granules("share.need")
            case 9: self.largest = try reader.granules("share.largest")
            case 10: self.isFinal = try reader.bool("share.final")
            case 11: self.spare = try reader.granules("share.spare")
            default: try reader.skip()
            }
        }
        guard limit > 0 else { throw .missing("share.limit") }
        self.limit = UInt32(limit)
    }

    package func write(to writer: inout WireWriter) {
        writer.integer(1, Int(self.limit))
        writer.int64(2, self.generation)
        writer.int64(3, self.share)
        writer.int64(4, self.granted)
        writer.int64(5, self.returned)
        writer.int64(6, self.borrowed)
        writer.int64(7, self.want)
        writer.int64(8, self.need)
        writer.int64(9, self.largest)
        writer.bool(10, self.isFinal)
        writer.int64(11, self.spare)
    }

    /// Granules in one message, at most: a process uses no more in its life.
    package static let granulesLimit: Int64 = 1 << 60
}

/// What the control plane says to an ask.
package struct ShareGrant: WireMessage, Hashable {
    package var limit: UInt32
    /// Of the share: one that is not newer than what is known says nothing about it.
    package var generation: Int64 = 0
    /// Parts of `BucketRate.parts` that are to be used from now on.
    package var share: Int64 = 0
    /// All granules that were granted to the process.
    package var granted: Int64 = 0
    /// Granules that are there for others to be granted: what a refusal goes by until the next word.
    package var left: Int64 = 0
    /// There is no such limit any more.
    package var isUnknown = false
    /// Granules that the gateway should give back at once, of those that are free.
    package var recall: Int64 = 0

    package init(limit: UInt32) { self.limit = limit }

    package init(from reader: inout WireReader) throws(WireError) {
        var limit = 0
        self.init(limit: 0)
        while let field = try reader.next() {
            switch field {
            case 1: limit = try reader.integer(in: 1...Int(UInt32.max), "share.limit")
            case 2: self.generation = try reader.amount("share.generation")
            case 3: self.share = try reader.parts("share.share")
            case 4: self.granted = try reader.granules("share.granted")
            case 5: self.left = try reader.granules("share.left")
            case 6: self.isUnknown = try reader.bool("share.unknown")
            case 7: self.recall = try reader.granules("share.recall")
            default: try reader.skip()
            }
        }
        guard limit > 0 else { throw .missing("share.limit") }
        self.limit = UInt32(limit)
    }

    package func write(to writer: inout WireWriter) {
        writer.integer(1, Int(self.limit))
        writer.int64(2, self.generation)
        writer.int64(3, self.share)
        writer.int64(4, self.granted)
        writer.int64(5, self.left)
        writer.bool(6, self.isUnknown)
        writer.int64(7, self.recall)
    }
}

extension WireReader {
    @_lifetime(self: copy self)
    fileprivate mutating func parts(_ name: StaticString) throws(WireError) -> Int64 {
        let value = try self.int64()
        guard (0...BucketRate.parts).contains(value) else { throw .invalid(name) }
        return value
    }

    @_lifetime(self: copy self)
    fileprivate mutating func granules(_ name: StaticString) throws(WireError) -> Int64 {
        let value = try self.int64()
        guard (0...ShareAsk.granulesLimit).contains(value) else { throw .invalid(name) }
        return value
    }
}
