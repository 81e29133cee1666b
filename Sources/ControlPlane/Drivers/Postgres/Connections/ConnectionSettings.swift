import CLibPQ

/// libpq's connection parameters for a configuration.
struct ConnectionSettings {
    let keywords: [String]
    let values: [String]

    /// Throws `connection` for a URL that libpq cannot parse, without quoting it: the text may hold a password.
    init(_ config: DatabaseConfig) throws(PostgresError) {
        try Self.validate(config.url)
        let connectSeconds = max(2, (config.connectTimeout.wholeMilliseconds + 999) / 1_000)
        // What stands before `dbname` may be overridden by the URL, what stands after may not.
        let parameters: [(String, String)] = [
            ("connect_timeout", "\(connectSeconds)"),
            ("keepalives", "1"),
            ("keepalives_idle", "10"),
            ("keepalives_interval", "5"),
            ("keepalives_count", "3"),
            ("tcp_user_timeout", "20000"),
            ("application_name", config.applicationName),
            ("dbname", config.url),
            ("client_encoding", "UTF8"),
        ]
        self.keywords = parameters.map(\.0)
        self.values = parameters.map(\.1)
    }

    private static func validate(_ url: String) throws(PostgresError) {
        var message: UnsafeMutablePointer<CChar>?
        guard let options = PQconninfoParse(url, &message) else {
            PQfreemem(message)
            throw .connection("the database URL is not valid")
        }
        defer { PQconninfoFree(options) }
        var option = options
        while let keyword = option.pointee.keyword {
            // An unescaped @ in the password moves part of it into the host, which libpq would quote in its error.
            if String(cString: keyword) == "host", let host = option.pointee.val, String(cString: host).contains("@") {
                throw .connection("the database URL is not valid: escape @ in the password as %40")
            }
            option += 1
        }
    }

    /// Connects, blocking up to the connect timeout; the caller owns the result, whatever its status.
    func connect() -> OpaquePointer? {
        withCStrings(self.keywords) { keywords in
            withCStrings(self.values) { values in PQconnectdbParams(keywords, values, 1) }
        }
    }
}

/// Lends a null-terminated array of C strings.
func withCStrings<Value>(_ strings: [String], _ body: ([UnsafePointer<CChar>?]) -> Value) -> Value {
    var storage: [CChar] = []
    var offsets: [Int] = []
    for string in strings {
        offsets.append(storage.count)
        storage.append(contentsOf: string.utf8CString)
    }
    return storage.withUnsafeBufferPointer { buffer in
        body(offsets.map { buffer.baseAddress?.advanced(by: $0) } + [nil])
    }
}
