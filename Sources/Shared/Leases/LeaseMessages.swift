/// What a gateway process says of one account, and what it wants of it.
///
/// Amounts that only grow (granted, returned, posted) are sums since the process began with the account: a message that
/// is lost, doubled or late changes nothing.
package struct LeaseAsk: WireMessage, Hashable {
    package var account: Charge
    /// All that was granted, as far as the gateway knows.
    package var granted: Int64 = 0
    /// What it gave back: of this nothing is spent any more.
    package var returned: Int64 = 0
    /// What finished requests cost.
    package var posted: Int64 = 0
    /// What requests under way may still cost.
    package var reserved: Int64 = 0
    /// What it would like to have free.
    package var want: Int64 = 0
    /// What requests wait for, all together; 0 when none does.
    package var need: Int64 = 0
    /// The largest amount that a single request asked for since the last ask.
    package var largest: Int64 = 0
    /// Nothing is under way, and nothing will be charged to it any more.
    package var isFinal = false

    package init(account: Charge) { self.account = account }

    package init(from reader: inout WireReader) throws(WireError) {
        var account: Charge?
        self.init(account: Charge(budget: 0, startMinute: 0))
        while let field = try reader.next() {
            switch field {
            case 1: account = Charge(value: try reader.uint64())
            case 2: self.granted = try reader.amount("ask.granted")
            case 3: self.returned = try reader.amount("ask.returned")
            case 4: self.posted = try reader.amount("ask.posted")
            case 5: self.reserved = try reader.amount("ask.reserved")
            case 6: self.want = try reader.amount("ask.want")
            case 7: self.need = try reader.amount("ask.need")
            case 8: self.isFinal = try reader.bool("ask.final")
            case 9: self.largest = try reader.amount("ask.largest")
            default: try reader.skip()
            }
        }
        guard let account else { throw .missing("ask.account") }
        guard self.returned <= self.granted else { throw .invalid("ask.returned") }
        self.account = account
    }

    package func write(to writer: inout WireWriter) {
        writer.uint64(1, self.account.value)
        writer.int64(2, self.granted)
        writer.int64(3, self.returned)
        writer.int64(4, self.posted)
        writer.int64(5, self.reserved)
        writer.int64(6, self.want)
        writer.int64(7, self.need)
        writer.bool(8, self.isFinal)
        writer.int64(9, self.largest)
    }
}

/// `POST /dp/v1/leases:renew`: what one gateway process says of its accounts.
package struct LeaseRequest: WireMessage, Hashable {
    package var gateway: GatewayID
    /// Counts the requests of the process: what an older one says is not taken after a newer one.
    package var sequence: Int64
    package var asks: [LeaseAsk]
    /// Earlier processes of this gateway whose usage was all delivered: what they held is free.
    package var settled: [UInt64]
    /// The process is ending, perhaps beside the next one: it gives back and says what it spent, and gets nothing more.
    package var isDraining = false
    /// What it says of its shares of rate limits.
    package var shares: [ShareAsk] = []

    package static let asksLimit = 4096
    package static let settledLimit = 64
    package static let sizeLimit = 512 << 10

    package init(gateway: GatewayID, sequence: Int64, asks: [LeaseAsk], settled: [UInt64] = []) {
        self.gateway = gateway
        self.sequence = sequence
        self.asks = asks
        self.settled = settled
    }

    package init(from reader: inout WireReader) throws(WireError) {
        var gateway: GatewayID?
        self.sequence = 0
        self.asks = []
        self.settled = []
        while let field = try reader.next() {
            switch field {
            case 1: gateway = try reader.identifier("leases.gateway")
            case 2: self.sequence = try reader.amount("leases.sequence")
            case 3:
                self.asks.append(try reader.value())
                guard self.asks.count <= Self.asksLimit else { throw .invalid("leases.asks") }
            case 4:
                self.settled.append(try reader.uint64())
                guard self.settled.count <= Self.settledLimit else { throw .invalid("leases.settled") }
            case 5: self.isDraining = try reader.bool("leases.draining")
            case 6:
                self.shares.append(try reader.value())
                guard self.shares.count <= Self.asksLimit else { throw .invalid("leases.shares") }
            default: try reader.skip()
            }
        }
        guard let gateway else { throw .missing("leases.gateway") }
        guard Set(self.asks.map(\.account)).count == self.asks.count else { throw .invalid("leases.asks") }
        guard Set(self.shares.map(\.limit)).count == self.shares.count else { throw .invalid("leases.shares") }
        self.gateway = gateway
    }

    package func write(to writer: inout WireWriter) {
        writer.identifier(1, self.gateway)
        writer.int64(2, self.sequence)
        for ask in self.asks { writer.message(3, ask) }
        for process in self.settled { writer.uint64(4, process) }
        writer.bool(5, self.isDraining)
        for share in self.shares { writer.message(6, share) }
    }
}

/// What the control plane says to an ask.
package struct LeaseGrant: WireMessage, Hashable {
    package var account: Charge
    /// All that was granted to the process.
    package var granted: Int64 = 0
    /// What the budget has left for others to be granted: what a refusal goes by until the next word.
    package var left: Int64 = 0
    /// What the gateway should give back of what it has free.
    package var recall: Int64 = 0
    /// Money is short among several: what is not needed at once goes back at once.
    package var isDirect = false
    /// There is no such budget any more, or it has no such window.
    package var isUnknown = false

    package init(account: Charge) { self.account = account }

    package init(from reader: inout WireReader) throws(WireError) {
        var account: Charge?
        self.init(account: Charge(budget: 0, startMinute: 0))
        while let field = try reader.next() {
            switch field {
            case 1: account = Charge(value: try reader.uint64())
            case 2: self.granted = try reader.amount("grant.granted")
            case 3: self.left = try reader.amount("grant.left")
            case 4: self.recall = try reader.amount("grant.recall")
            case 5: self.isDirect = try reader.bool("grant.direct")
            case 6: self.isUnknown = try reader.bool("grant.unknown")
            default: try reader.skip()
            }
        }
        guard let account else { throw .missing("grant.account") }
        self.account = account
    }

    package func write(to writer: inout WireWriter) {
        writer.uint64(1, self.account.value)
        writer.int64(2, self.granted)
        writer.int64(3, self.left)
        writer.int64(4, self.recall)
        writer.bool(5, self.isDirect)
        writer.bool(6, self.isUnknown)
    }
}

/// The answer to a `LeaseRequest`, signed and bound to it.
package struct LeaseReply: WireMessage, Hashable {
    /// SHA-256 of the request's bytes.
    package var request: [UInt8]
    package var grants: [LeaseGrant]
    /// Earlier processes of the gateway that still hold money: it should say when their usage is delivered.
    package var unsettled: [UInt64]
    package var shares: [ShareGrant] = []

    package static let sizeLimit = 512 << 10

    package init(request: [UInt8], grants: [LeaseGrant], unsettled: [UInt64] = []) {
        self.request = request
        self.grants = grants
        self.unsettled = unsettled
    }

    package init(from reader: inout WireReader) throws(WireError) {
        self.request = []
        self.grants = []
        self.unsettled = []
        while let field = try reader.next() {
            switch field {
            case 1: self.request = try reader.bytes(count: 32, "leases.request")
            case 2:
                self.grants.append(try reader.value())
                guard self.grants.count <= LeaseRequest.asksLimit else { throw .invalid("leases.grants") }
            case 3:
                self.unsettled.append(try reader.uint64())
                guard self.unsettled.count <= LeaseRequest.settledLimit else { throw .invalid("leases.unsettled") }
            case 4:
                self.shares.append(try reader.value())
                guard self.shares.count <= LeaseRequest.asksLimit else { throw .invalid("leases.shares") }
            default: try reader.skip()
            }
        }
        guard !self.request.isEmpty else { throw .missing("leases.request") }
    }

    package func write(to writer: inout WireWriter) {
        writer.bytes(1, self.request)
        for grant in self.grants { writer.message(2, grant) }
        for process in self.unsettled { writer.uint64(3, process) }
        for share in self.shares { writer.message(4, share) }
    }
}

extension WireReader {
    /// A number from 0 to 2^62: sums of two of them are numbers.
    @_lifetime(self: copy self)
    mutating func amount(_ name: StaticString) throws(WireError) -> Int64 {
        let value = try self.int64()
        guard (0...LeaseRequest.amountLimit).contains(value) else { throw .invalid(name) }
        return value
    }
}

extension LeaseRequest {
    /// Highest amount of a message: 4.6 billion dollars.
    package static let amountLimit: Int64 = 1 << 62
}
