/// An IP address; version 4 is held as its IPv4-mapped IPv6 form (RFC 4291 section 2.5.5.2).
package struct IPAddress: Hashable, Sendable {
    package let high: UInt64
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    package init(v4: UInt32) {
        self.high = 0
        self.low = 0xFFFF_0000_0000 | UInt64(v4)
    }

    var isV4: Bool { self.high == 0 && self.low >> 32 == 0xFFFF }

    /// Reads dotted IPv4 or IPv6 with at most one `::`; no zone, no embedded IPv4.
    package init?(_ text: String) {
        if text.contains(":") {
            guard let groups = Self.groups(text) else { return nil }
            self.init(
                high: groups[..<4].reduce(0) { $0 << 16 | UInt64($1) },
                low: groups[4...].reduce(0) { $0 << 16 | UInt64($1) }
            )
            return
        }
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var value: UInt32 = 0
        for part in parts {
            guard (1...3).contains(part.utf8.count), part.utf8.allSatisfy({ (48...57).contains($0) }),
                part.utf8.count == 1 || part.utf8.first != 48, let octet = UInt8(part)
            else { return nil }
            value = value << 8 | UInt32(octet)
        }
        self.init(v4: value)
    }

    private static func groups(_ text: String) -> [UInt16]? {
        var halves: [[UInt16]] = [[]]
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count >= 3, parts.count <= 9 else { return nil }
        var index = 0
        if parts[0].isEmpty {
            guard parts[1].isEmpty else { return nil }
            index = 1
        }
        while index < parts.count {
            let part = parts[index]
            if part.isEmpty {
                let atEnd = index == parts.count - 1
                if atEnd && halves.count == 2 && halves[1].isEmpty { break }
                guard halves.count == 1, !atEnd else { return nil }
                halves.append([])
            } else {
                guard part.utf8.count <= 4, part.utf8.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
                    let value = UInt16(part, radix: 16)
                else { return nil }
                halves[halves.count - 1].append(value)
            }
            index += 1
        }
        let count = halves.reduce(0) { $0 + $1.count }
        if halves.count == 1 { return count == 8 ? halves[0] : nil }
        guard count <= 7 else { return nil }
        return halves[0] + [UInt16](repeating: 0, count: 8 - count) + halves[1]
    }
}

/// A block of addresses in CIDR notation (RFC 4632).
package struct NetworkRange: Hashable, Sendable {
    package let address: IPAddress
    /// Leading bits that must agree, of 128; an IPv4 `/24` is 120.
    package let prefix: Int

    /// Nil unless the prefix is 0…128 and all bits after it are zero.
    package init?(address: IPAddress, prefix: Int) {
        guard (0...128).contains(prefix) else { return nil }
        let mask = Self.mask(prefix)
        guard address.high & ~mask.high == 0, address.low & ~mask.low == 0 else { return nil }
        self.address = address
        self.prefix = prefix
    }

    /// Reads `10.0.0.0/8`, `2001:db8::/32`, or a lone address.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let address = IPAddress(String(first)) else { return nil }
        let width = address.isV4 && !first.contains(":") ? 32 : 128
        var length = width
        if parts.count == 2 {
            guard parts[1].utf8.allSatisfy({ (48...57).contains($0) }), let given = Int(parts[1]), given <= width
            else { return nil }
            length = given
        }
        self.init(address: address, prefix: 128 - width + length)
    }

    package func contains(_ other: IPAddress) -> Bool {
        let mask = Self.mask(self.prefix)
        return other.high & mask.high == self.address.high && other.low & mask.low == self.address.low
    }

    private static func mask(_ prefix: Int) -> (high: UInt64, low: UInt64) {
        let high: UInt64 = prefix >= 64 ? .max : (prefix == 0 ? 0 : ~(UInt64.max >> UInt64(prefix)))
        let low: UInt64 = prefix <= 64 ? 0 : (prefix == 128 ? .max : ~(UInt64.max >> UInt64(prefix - 64)))
        return (high, low)
    }
}
