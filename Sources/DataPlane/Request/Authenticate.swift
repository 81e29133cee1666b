import Crypto
import FoundationEssentials
import Shared

/// The key that the last request on a connection was accepted with, so that the next one with the same bytes under the
/// same policy is not hashed again.
struct KeyMemo {
    private var bytes = InlineArray<96, UInt8>(repeating: 0)
    private var count = 0
    private var version = SnapshotVersion(epoch: 0, version: 0)
    private(set) var handle: Handle = -1

    mutating func find(_ key: Span<UInt8>, in policy: PolicyIndex) -> Handle {
        if self.handle >= 0, self.count == key.count, self.version == policy.version {
            // All bytes are looked at whatever they are. (A span: indexing the stored array would copy it each time.)
            let known = self.bytes.span
            var difference: UInt8 = 0
            for index in key.indices { difference |= key[index] ^ known[index] }
            if difference == 0 { return self.handle }
        }
        guard key.count <= 96 else { return -1 }
        let found = policy.key(Self.digest(key))
        self.handle = found
        self.count = key.count
        self.version = policy.version
        for index in key.indices { self.bytes[index] = key[index] }
        return found
    }

    private static func digest(_ key: Span<UInt8>) -> Digest256 {
        var hasher = SHA256()
        key.withUnsafeBytes { hasher.update(bufferPointer: $0) }
        return hasher.finalize().withUnsafeBytes { bytes in
            Digest256(
                UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
                UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)),
                UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self)),
                UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 24, as: UInt64.self))
            )
        }
    }
}

/// Says who sent a request, and whether the key may be used at all, from there, now.
enum Authenticate {
    static func caller(
        _ bytes: Span<UInt8>, _ head: borrowing RequestHead, _ memo: inout KeyMemo, policy: PolicyIndex,
        from address: IPAddress?, now: Timestamp
    ) throws(GatewayError) -> Caller {
        guard let range = try Self.key(bytes, head) else { throw GatewayError(.missingKey) }
        let handle = memo.find(bytes.extracting(range), in: policy)
        guard handle >= 0 else { throw GatewayError(.invalidKey) }
        let entry = policy.keys[Int(handle)]
        switch entry.state {
        case .active: break
        case .disabled: throw GatewayError(.keyDisabled, subject: .key(entry.key))
        case .revoked: throw GatewayError(.keyRevoked, subject: .key(entry.key))
        case .ownerDisabled: throw GatewayError(.ownerDisabled, subject: .key(entry.key))
        case .scopeDisabled:
            throw GatewayError(.scopeDisabled, subject: .node(Self.topmostDisabled(entry.node, policy)))
        }
        guard now.microseconds < entry.expires else { throw GatewayError(.keyExpired, subject: .key(entry.key)) }
        if entry.policy >= 0 {
            // Without an address (a local socket) a key that is bound to networks is not served.
            let allowed =
                address.map { policy.allows(policy: entry.policy, from: $0) }
                ?? policy.policies[Int(entry.policy)].networks.isEmpty
            guard allowed else { throw GatewayError(.networkNotAllowed, subject: .key(entry.key)) }
        }
        return Caller(
            key: entry.key, project: entry.project, owner: entry.owner, node: entry.node, policy: entry.policy,
            budgets: entry.budgets, rateLimits: entry.rateLimits, isTagged: entry.isTagged
        )
    }

    /// The key's bytes: from Authorization, x-api-key or api-key.
    ///
    /// Two different ones are refused: which of them would be
    /// charged would be a guess.
    private static func key(
        _ bytes: Span<UInt8>, _ head: borrowing RequestHead
    ) throws(GatewayError) -> Range<Int>? {
        var found: Range<Int>?
        if let value = head.fields[.authorization] {
            guard value.count > 7, bytes.equals(value.lowerBound..<value.lowerBound + 7, ignoringCase: "bearer ") else {
                throw GatewayError(.invalidKey, detail: "Authorization must be 'Bearer' and an API key.")
            }
            found = HTTPFields.trimmed(bytes, value.lowerBound + 7..<value.upperBound)
        }
        found = try Self.one(bytes, found, head.fields[.xAPIKey])
        return try Self.one(bytes, found, head.fields[.apiKey])
    }

    /// The key that both ranges hold, where there are both.
    private static func one(
        _ bytes: Span<UInt8>, _ left: Range<Int>?, _ right: Range<Int>?
    ) throws(GatewayError) -> Range<Int>? {
        guard let left, let right else { return left ?? right }
        guard Self.same(bytes, left, right) else {
            throw GatewayError(.badRequest, detail: "The request carries two different API keys.")
        }
        return left
    }

    private static func same(_ bytes: Span<UInt8>, _ left: Range<Int>, _ right: Range<Int>) -> Bool {
        guard left.count == right.count else { return false }
        for offset in 0..<left.count where bytes[left.lowerBound + offset] != bytes[right.lowerBound + offset] {
            return false
        }
        return true
    }

    /// The highest node that is disabled itself: the level that refuses.
    private static func topmostDisabled(_ node: Handle, _ policy: PolicyIndex) -> NodeID {
        var current = node
        var top = node
        var steps = 0
        while current >= 0 && steps < PolicyIndex.depthLimit {
            if !policy.nodes[Int(current)].isActive { top = current }
            current = policy.nodes[Int(current)].parent
            steps += 1
        }
        return policy.nodes[Int(top)].id
    }
}
