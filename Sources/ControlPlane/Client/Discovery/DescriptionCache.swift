import Glibc
import Shared

/// Descriptions of servers' APIs, kept in the user's cache folder so that most commands need not ask.
package struct DescriptionCache: Sendable {
    package let folder: String
    /// How long one is good; a name that it does not have makes it be asked for again before.
    package static let age: Int64 = 3600
    /// Most bytes of a description.
    package static let limit = 8 << 20

    package init(folder: String) { self.folder = folder }

    package func path(_ server: ServerAddress) -> String {
        // The name for people, and a number that tells servers of one name apart.
        let hash = server.description.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) {
            ($0 ^ UInt64($1)) &* 0x100_0000_01B3
        }
        return self.folder + "/openapi-\(server.name)-" + String(hash, radix: 16) + ".json"
    }

    /// What is kept of a server; nil when it is too old, or somebody else's.
    ///
    /// - Parameter now: seconds since 1970; nil for whatever age.
    package func description(of server: ServerAddress, at now: Int64?) -> [UInt8]? {
        let path = self.path(server)
        var status = stat()
        guard stat(path, &status) == 0, status.st_uid == geteuid(), status.st_mode & 0o022 == 0 else { return nil }
        let written = Int64(status.st_mtim.tv_sec)
        if let now, !(written...written + Self.age).contains(now) { return nil }
        return try? Files.read(path, limit: Self.limit)
    }

    /// Keeps a description; one that cannot be kept is asked for again the next time.
    package func keep(_ bytes: [UInt8], of server: ServerAddress) {
        try? Files.makeFolder(self.folder)
        try? Files.replace(self.path(server), with: bytes)
    }
}
