import CLibPQ
import Glibc

/// The binary form of `inet` and `cidr`: family, prefix length, kind, byte count, address.
enum NetworkAddress {
    private static let familyIPv4: UInt8 = 2
    private static let familyIPv6: UInt8 = 3

    /// Nil when the text is not an address with an optional prefix length.
    static func bytes(of text: String, isNetwork: Bool) -> [UInt8]? {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let host = parts.first else { return nil }
        var address = [UInt8](repeating: 0, count: 16)
        let isIPv6 = host.contains(":")
        guard inet_pton(isIPv6 ? AF_INET6 : AF_INET, String(host), &address) == 1 else { return nil }
        let size = isIPv6 ? 16 : 4
        let bits = parts.count == 2 ? Int(parts[1]) : size * 8
        guard let bits, (0...size * 8).contains(bits) else { return nil }
        let header = [isIPv6 ? self.familyIPv6 : self.familyIPv4, UInt8(bits), isNetwork ? 1 : 0, UInt8(size)]
        return header + address.prefix(size)
    }

    /// Nil when the bytes are not such a value.
    static func text(of bytes: UnsafeRawBufferPointer) -> String? {
        guard bytes.count >= 4, bytes.count == 4 + Int(bytes[3]) else { return nil }
        let size = Int(bytes[3])
        guard (bytes[0] == self.familyIPv4 && size == 4) || (bytes[0] == self.familyIPv6 && size == 16) else {
            return nil
        }
        let address = Array(bytes[4...])
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        guard inet_ntop(size == 4 ? AF_INET : AF_INET6, address, &text, socklen_t(text.count)) != nil else {
            return nil
        }
        let host = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let isWholeHost = Int(bytes[1]) == size * 8
        return isWholeHost && bytes[2] == 0 ? host : host + "/\(bytes[1])"
    }
}
