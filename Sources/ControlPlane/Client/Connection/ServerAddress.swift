#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Where a control plane or a gateway is: a scheme, a host, a port, perhaps a path before the API's.
///
/// Plain HTTP is for this machine only: a token would be read on the way.
package struct ServerAddress: Sendable, Hashable, CustomStringConvertible {
    package let scheme: String
    package let host: String
    package let port: Int?
    /// Without a slash at its end.
    package let path: String

    package init(_ text: String) throws(ClientError) {
        func wrong(_ reason: String) -> ClientError { .usage("'\(TerminalText.line(text))' \(reason)") }
        guard text.utf8.count <= 2048, text.utf8.allSatisfy({ (0x21..<0x7F).contains($0) }),
            let parts = URLComponents(string: text), let scheme = parts.scheme?.lowercased(), let host = parts.host,
            !host.isEmpty
        else { throw wrong("is no address of a server: https://HOST[:PORT] is expected") }
        guard scheme == "https" || scheme == "http" else { throw wrong("must begin with https://") }
        guard parts.user == nil, parts.password == nil else { throw wrong("may not have a name or a password") }
        guard parts.query == nil, parts.fragment == nil else { throw wrong("may not have a query or a fragment") }
        if let port = parts.port, !(1...65535).contains(port) { throw wrong("has no such port") }
        self.scheme = scheme
        self.host = host.lowercased()
        self.port = parts.port
        self.path = String(parts.path.reversed().drop { $0 == "/" }.reversed())
        guard scheme == "https" || self.isLoopback else {
            throw wrong("is not on this machine: it must be https, so that nobody reads the token on the way")
        }
    }

    /// Whether the host is this machine, by its form alone: no name is looked up.
    package var isLoopback: Bool {
        if self.host == "localhost" || self.host == "::1" || self.host == "[::1]" { return true }
        let parts = self.host.split(separator: ".", omittingEmptySubsequences: false)
        let isAddress = parts.count == 4 && parts.allSatisfy { UInt8($0) != nil && !$0.hasPrefix("+") }
        return isAddress && parts[0] == "127"
    }

    package var description: String {
        let host = self.host.contains(":") && !self.host.hasPrefix("[") ? "[\(self.host)]" : self.host
        return "\(self.scheme)://\(host)" + (self.port.map { ":\($0)" } ?? "") + self.path
    }

    /// For names of contexts and files: `gatehouse.example`, `127.0.0.1-7070`.
    package var name: String {
        let host = self.host.filter { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "." || $0 == "-") }
        return (host.isEmpty ? "server" : host) + (self.port.map { "-\($0)" } ?? "")
    }
}
