import Shared
import Testing

/// One type of message, and what may be asked of every one.
struct WireCase: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// Fields without which a message is refused.
    let required: Set<Int>
    /// The bytes of a random value; records an issue unless they are the same twice and read back as that value.
    let encode: @Sendable (inout Sampler) -> [UInt8]
    /// Writes again what it read; throws what the reader throws.
    let recode: @Sendable ([UInt8]) throws(WireError) -> [UInt8]

    init<Message: WireMessage & Equatable>(
        _ name: String, required: Set<Int>, _ sample: @escaping @Sendable (inout Sampler) -> Message
    ) {
        self.testDescription = name
        self.required = required
        self.encode = { sampler in
            let value = sample(&sampler)
            let bytes = value.wireBytes
            #expect(bytes == value.wireBytes, "\(name) is not written the same way twice")
            do throws(WireError) {
                let decoded = try Message(wire: bytes)
                #expect(decoded == value, "\(name) reads back as another value")
            } catch {
                Issue.record("\(name): \(error) in \(value)")
            }
            return bytes
        }
        self.recode = { (bytes) throws(WireError) in try Message(wire: bytes).wireBytes }
    }

    static let all: [WireCase] = [
        WireCase("NodeRow", required: [1, 2, 4]) { $0.node() },
        WireCase("TagDeclaration", required: [1]) { TagDeclaration(name: $0.tagName(), isRequired: $0.chance()) },
        WireCase("OwnerRow", required: [1, 2]) { $0.owner() },
        WireCase("PolicyRow", required: [1]) { $0.policy() },
        WireCase("KeyRow", required: [1, 2, 3, 7]) { $0.key() },
        WireCase("ProviderRow", required: [1, 2, 4]) { $0.provider() },
        WireCase("CredentialRow", required: [1, 2, 3, 4, 6]) { $0.credential() },
        WireCase("ModelRow", required: [1, 2, 3, 6]) { $0.model() },
        WireCase("RouteTarget", required: [1]) { $0.target() },
        WireCase("RouteRow", required: [1, 3, 5]) { $0.route() },
        WireCase("PriceItem", required: [1]) { $0.priceItem() },
        WireCase("PriceWindow", required: [2, 3]) { $0.window() },
        WireCase("PriceRow", required: [1]) { $0.price() },
        WireCase("PriceAdjustment", required: [1, 2, 6]) { $0.adjustment() },
        WireCase("SubjectTag", required: [1, 2]) { $0.subjectTag() },
        WireCase("BudgetRow", required: [1, 2, 6, 7, 8, 10]) { $0.budget() },
        WireCase("RateLimitRow", required: [1, 2, 6, 7, 11]) { $0.rateLimit() },
        WireCase("ShareAsk", required: [1]) { $0.shareAsk() },
        WireCase("ShareGrant", required: [1]) { $0.shareGrant() },
        WireCase("ZoneOffset", required: []) { $0.zone().entries[0] },
        WireCase("ChunkReference", required: [2, 3, 5]) { $0.reference() },
        WireCase("Manifest.Limits", required: []) { $0.limits() },
        WireCase("Manifest", required: [1, 2, 3, 4, 7, 9]) { $0.manifest() },
        WireCase("TimestampStatement", required: [1, 2, 3, 6, 7, 8, 9, 10, 11]) { $0.statement() },
        WireCase("SnapshotHighWater", required: []) { $0.highWater() },
        WireCase("TrustRoot", required: [1, 2, 3, 4, 5, 6]) { $0.root() },
        WireCase("Keyring", required: [1, 2, 3]) { $0.keyring() },
        WireCase("Envelope", required: []) { $0.envelope() },
        WireCase("UsageRecord", required: [1, 2, 3, 14]) { $0.record() },
        WireCase("UsageRefusal", required: [1, 2]) { $0.refusal() },
        WireCase("UsageBatch", required: [1, 2, 3, 4]) { $0.batch() },
        WireCase("UsageReply", required: [1, 2]) { $0.reply() },
        WireCase("LeaseAsk", required: [1]) { $0.ask() },
        WireCase("LeaseRequest", required: [1]) { $0.leaseRequest() },
        WireCase("LeaseGrant", required: [1]) { $0.grant() },
        WireCase("LeaseReply", required: [1]) { $0.leaseReply() },
        WireCase("EnrolmentRequest", required: [2, 3]) { $0.enrolment() },
        WireCase("EnrolmentReply", required: [1, 2]) { $0.enrolmentReply() },
        WireCase("StatusReport", required: []) { $0.status() },
        WireCase("StartReply", required: [1]) { $0.start() },
        WireCase("SignedTime", required: [1, 2]) { $0.time() },
        WireCase("NodeAssertion", required: [1, 2]) { $0.assertion() },
    ]
}

/// A message cut at its fields, by a reader of the tests' own.
enum RawFields {
    static func split(_ bytes: [UInt8]) -> [(number: Int, bytes: [UInt8])] {
        var fields: [(number: Int, bytes: [UInt8])] = []
        var position = 0
        func varint() -> Int {
            var value = 0
            var shift = 0
            while true {
                let byte = bytes[position]
                position += 1
                value |= Int(byte & 127) << shift
                shift += 7
                if byte < 128 { return value }
            }
        }
        while position < bytes.count {
            let start = position
            let tag = varint()
            if tag & 7 == 2 {
                let length = varint()
                position += length
            } else {
                _ = varint()
            }
            fields.append((tag >> 3, Array(bytes[start..<position])))
        }
        return fields
    }

    /// A field's tag as a varint.
    static func tag(_ number: Int, _ type: Int) -> [UInt8] {
        var rest = number << 3 | type
        var bytes: [UInt8] = []
        while rest >= 128 {
            bytes.append(UInt8(rest & 127) | 128)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }
}
