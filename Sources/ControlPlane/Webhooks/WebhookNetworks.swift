package import Shared

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Which addresses webhooks may be sent to, as the operator says.
package enum WebhookTargets: String, Sendable, CaseIterable {
    /// Private networks and this machine too: receivers of an enterprise are mostly there.
    case any
    /// Public addresses only: for an instance whose organizations do not trust each other with its network.
    case `public`
}

/// An address that a host has, and its text.
package struct HostAddress: Sendable, Hashable {
    package let address: IPAddress
    package let text: String

    /// Nil for a text that is no address.
    package init?(_ text: String) {
        guard let address = IPAddress(text) else { return nil }
        self.address = address
        self.text = text
    }

    fileprivate init(_ address: IPAddress, text: String) {
        self.address = address
        self.text = text
    }
}

/// What is at an address, as far as sending to it goes; looked at after a name was resolved, for each attempt.
package enum WebhookNetworks {
    /// Never sent to: no host, many hosts, and where clouds tell a machine its secrets.
    private static let forbidden = Self.ranges([
        "0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4", "fe80::/10", "ff00::/8", "2001::/32",
        // Metadata services that are not link-local: Azure, Alibaba Cloud, Oracle Cloud, AWS and Google Cloud.
        "168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254",
    ])
    private static let loopback = Self.ranges(["127.0.0.0/8", "::1"])
    /// RFC 6890 and its successors: networks that are somebody's own.
    private static let own = Self.ranges([
        "10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15", "fc00::/7",
        "fec0::/10",
    ])

    private static func ranges(_ texts: [String]) -> [NetworkRange] { texts.compactMap { NetworkRange($0) } }

    /// Whether a host of a URL is this machine, by its name.
    package static func isLoopback(_ host: String) -> Bool {
        host == "localhost"
            || IPAddress(host).map { address in Self.loopback.contains { $0.contains(address) } } == true
    }

    /// Why nothing is sent to an address; nil when something may be.
    package static func objection(to address: HostAddress, targets: WebhookTargets, isTLS: Bool) -> String? {
        guard let real = Self.embedded(in: address.address) else {
            return "\(address.text) is an address that nothing is sent to"
        }
        let isLoopback = Self.loopback.contains { $0.contains(real) }
        if Self.forbidden.contains(where: { $0.contains(real) || $0.contains(address.address) }) {
            return "\(address.text) is an address that nothing is sent to"
        }
        if !isTLS, !isLoopback { return "\(address.text) is not this machine, and the URL is not https" }
        if targets == .public, isLoopback || Self.own.contains(where: { $0.contains(real) }) {
            return "\(address.text) is not a public address, and only these are allowed here"
        }
        return nil
    }

    /// The address of version 4 that one of version 6 stands for (NAT64, RFC 6052; 6to4, RFC 3056), else itself; nil for
    /// the old form of RFC 4291 section 2.5.5.1 and for no address at all (`::`).
    private static func embedded(in address: IPAddress) -> IPAddress? {
        if address.high == 0x0064_FF9B_0000_0000, address.low >> 32 == 0 {
            return IPAddress(v4: UInt32(truncatingIfNeeded: address.low))
        }
        if address.high >> 48 == 0x2002 { return IPAddress(v4: UInt32(truncatingIfNeeded: address.high >> 16)) }
        if address.high == 0, address.low >> 32 == 0, address.low != 1 { return nil }
        return address
    }

    /// The addresses of a host, in the order in which this machine would try them; empty when it has none.
    ///
    /// Asks the system's resolver, and waits for it.
    package static func resolve(_ host: String) -> [HostAddress] {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_ADDRCONFIG
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, nil, &hints, &list) == 0 else { return [] }
        defer { freeaddrinfo(list) }
        var found: [HostAddress] = []
        var next = list
        while let entry = next?.pointee, found.count < 32 {
            if let address = Self.address(entry), !found.contains(address) { found.append(address) }
            next = entry.ai_next
        }
        return found
    }

    private static func address(_ entry: addrinfo) -> HostAddress? {
        guard let pointer = entry.ai_addr else { return nil }
        var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        guard getnameinfo(pointer, entry.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0 else {
            return nil
        }
        let name = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        switch entry.ai_family {
        case AF_INET:
            let number = pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { $0.pointee.sin_addr.s_addr }
            return HostAddress(IPAddress(v4: UInt32(bigEndian: number)), text: name)
        case AF_INET6:
            let bytes = pointer.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
                withUnsafeBytes(of: $0.pointee.sin6_addr) { Array($0) }
            }
            guard bytes.count == 16 else { return nil }
            let address = IPAddress(high: bytes.bigEndianUInt64(at: 0), low: bytes.bigEndianUInt64(at: 8))
            return HostAddress(address, text: name)
        default: return nil
        }
    }
}
