package import Shared

/// A server, and how one signs in there.
package struct ServerContext: Sendable {
    package var server: ServerAddress
    /// A PEM file of authorities that are trusted in place of the system's.
    package var authorityFile: String?
    /// The same as text, so that the file need not stay.
    package var authority: String?
    package var token: Secret<String>?
    /// A command of the shell that prints the token.
    package var tokenCommand: String?
    /// The organization that lists are of, and that things are created in, when none is said.
    package var organization: String?

    package init(server: ServerAddress) { self.server = server }

    init(_ json: JSON, name: String) throws(ClientError) {
        guard let server = json["server"]?.string else { throw .usage("the context '\(name)' has no server") }
        self.server = try ServerAddress(server)
        self.authorityFile = json["ca_file"]?.string
        self.authority = json["ca"]?.string
        self.token = json["token"]?.string.map { Secret($0) }
        self.tokenCommand = json["token_command"]?.string
        self.organization = json["organization"]?.string
    }

    var json: JSON {
        var members: [String: JSON] = ["server": .string(self.server.description)]
        members["ca_file"] = self.authorityFile.map { .string($0) }
        members["ca"] = self.authority.map { .string($0) }
        members["token"] = self.token.map { .string($0.reveal()) }
        members["token_command"] = self.tokenCommand.map { .string($0) }
        members["organization"] = self.organization.map { .string($0) }
        return .object(members)
    }

    /// The authorities to trust, as PEM; nil for the system's.
    package var authorities: [UInt8]? {
        get throws(ClientError) {
            if let authority { return Array(authority.utf8) }
            guard let path = self.authorityFile else { return nil }
            return try InputFiles.bytes(path, limit: 1 << 20)
        }
    }

    /// A token as it was typed or printed, without the line's end.
    package static func token(_ text: String) throws(ClientError) -> Secret<String> {
        let token = text.filter { !$0.isNewline }
        guard (1...512).contains(token.utf8.count), token.utf8.allSatisfy({ (0x21..<0x7F).contains($0) }) else {
            throw ClientError(.usage, "that is no token: one word of printable characters is expected")
        }
        return Secret(token)
    }
}
