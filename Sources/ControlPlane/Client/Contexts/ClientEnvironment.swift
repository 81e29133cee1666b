import Glibc

/// What the program goes by besides its arguments: where its files are, and settings of the environment.
package struct ClientEnvironment: Sendable {
    package let variables: [String: String]

    package init(_ variables: [String: String]) { self.variables = variables }

    package static func ofProcess() -> ClientEnvironment {
        var variables: [String: String] = [:]
        var entry = environ
        while let text = entry.pointee {
            let pair = String(cString: text)
            if let equals = pair.firstIndex(of: "=") {
                variables[String(pair[..<equals])] = String(pair[pair.index(after: equals)...])
            }
            entry += 1
        }
        return ClientEnvironment(variables)
    }

    /// A variable's value; empty counts as absent.
    package subscript(name: String) -> String? { self.variables[name].flatMap { $0.isEmpty ? nil : $0 } }

    private func folder(_ variable: String, _ fallback: String) throws(ClientError) -> String {
        // The base directory specification: a relative one is not valid.
        if let folder = self[variable], folder.hasPrefix("/") { return folder + "/gatehouse" }
        guard let home = self["HOME"] else { throw ClientError(.failure, "HOME is not set: where are your files?") }
        return home + fallback + "/gatehouse"
    }

    package var contextPath: String {
        get throws(ClientError) { try self.folder("XDG_CONFIG_HOME", "/.config") + "/config.json" }
    }

    package var cacheFolder: String {
        get throws(ClientError) { try self.folder("XDG_CACHE_HOME", "/.cache") }
    }

    /// The server to talk to.
    ///
    /// - `--context NAME` is that one, and the environment's server is set aside;
    /// - else GATEHOUSE_ADMIN_URL, with GATEHOUSE_ADMIN_CA and GATEHOUSE_ADMIN_TOKEN: a context of its own;
    /// - else the current context, with GATEHOUSE_ADMIN_TOKEN in place of its token when that is set.
    ///
    /// So a token only goes to the server that it was given for.
    package func context(named name: String?) throws(ClientError) -> ServerContext {
        if name == nil, let url = self["GATEHOUSE_ADMIN_URL"] {
            var context = ServerContext(server: try ServerAddress(url))
            context.authorityFile = self["GATEHOUSE_ADMIN_CA"]
            if let token = self["GATEHOUSE_ADMIN_TOKEN"] { context.token = try ServerContext.token(token) }
            return context
        }
        let file = try ContextFile(path: try self.contextPath)
        guard let chosen = name ?? file.current else {
            throw ClientError(
                .notSignedIn, file.names.isEmpty ? "you are not signed in anywhere" : "no context is the current one",
                notes: [
                    file.names.isEmpty
                        ? "gatehouse login --server https://HOST"
                        : "gatehouse context use \(file.names.joined(separator: "|"))"
                ])
        }
        var context = try file.context(chosen)
        if self["GATEHOUSE_ADMIN_URL"] == nil, let token = self["GATEHOUSE_ADMIN_TOKEN"] {
            context.token = try ServerContext.token(token)
            context.tokenCommand = nil
        }
        return context
    }
}
