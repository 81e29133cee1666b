package import Logging
package import Shared

/// Everything the gateway can be told before it starts.
///
/// ## Settings (environment, or the file that `GATEHOUSE_CONFIG_FILE` names)
/// - `GATEHOUSE_CONTROL_URL` (required): where the control plane is, `https://…`
/// - `GATEHOUSE_CONTROL_CA_FILE`: certificate authorities (PEM) to trust for it; default the system's
/// - `GATEHOUSE_STATE_DIR` (default `/var/lib/gatehouse`): identity, snapshots and usage; a volume that survives
/// - `GATEHOUSE_JOIN_TOKEN` or `GATEHOUSE_JOIN_TOKEN_FILE`: needed at the first start only
/// - `GATEHOUSE_GATEWAY_NAME` (default `gateway`): how it is listed
/// - `GATEHOUSE_LISTEN` (default `0.0.0.0:8080`): where clients connect
/// - `GATEHOUSE_TLS_CERT_FILE`, `GATEHOUSE_TLS_KEY_FILE`: serve TLS with this chain and key (PEM)
/// - `GATEHOUSE_PRIVATE_LISTEN` (default `127.0.0.1:9090`): `/healthz`, `/readyz`, `/metrics`
/// - `GATEHOUSE_UPSTREAM_CA_FILE`: certificate authorities (PEM) for providers; default the system's
/// - `GATEHOUSE_LOOPS` (default: one per core, 1…256): event loops
/// - `GATEHOUSE_BODY_MEMORY_MB` (default 1024): request bodies held at once
/// - `GATEHOUSE_MAX_CONNECTIONS` (default 50000): client connections at once
/// - `GATEHOUSE_HEADER_TIMEOUT`, `GATEHOUSE_BODY_TIMEOUT`, `GATEHOUSE_IDLE_TIMEOUT`, `GATEHOUSE_CONNECT_TIMEOUT`,
///   `GATEHOUSE_FIRST_BYTE_TIMEOUT`, `GATEHOUSE_WRITE_TIMEOUT`, `GATEHOUSE_DRAIN` (seconds)
/// - `GATEHOUSE_LOG_LEVEL` (default `info`): trace … critical
package struct GatewayConfig: Sendable {
    /// How long each wait may last.
    package struct Timeouts: Sendable {
        /// For a request head to arrive once it has begun.
        package var header = Duration.seconds(15)
        /// Between two pieces of a request body.
        package var body = Duration.seconds(30)
        /// For a next request on an idle connection.
        package var idle = Duration.seconds(75)
        /// For a connection to a provider, with TLS.
        package var connect = Duration.seconds(10)
        /// For a provider's answer to begin.
        package var firstByte = Duration.seconds(600)
        /// Between two pieces of an answer, and for a client to take what was sent.
        package var write = Duration.seconds(300)
        /// For requests to end when the gateway stops.
        package var drain = Duration.seconds(30)

        package init() {}
    }

    package var controlURL: String
    package var controlAuthorities: String?
    package var stateFolder: String
    package var joinToken: Secret<String>?
    package var name: String
    package var listen: ListenAddress
    package var tls: (certificate: String, key: String)?
    package var privateListen: ListenAddress
    package var upstreamAuthorities: String?
    package var loops: Int
    package var bodyMemory: Int
    package var maxConnections: Int
    package var timeouts: Timeouts
    package var logLevel: Logger.Level

    package init(settings: inout Settings, cores: Int) throws(SettingsError) {
        var url = try settings.required(
            "GATEHOUSE_CONTROL_URL", "the control plane's address, such as https://control:7070")
        while url.last == "/" { url.removeLast() }
        do throws(UpstreamURL.Failure) {
            _ = try UpstreamURL(url)
        } catch {
            throw SettingsError("GATEHOUSE_CONTROL_URL \(error.reason)")
        }
        self.controlURL = url
        self.controlAuthorities = settings.text("GATEHOUSE_CONTROL_CA_FILE")
        self.stateFolder = settings.text("GATEHOUSE_STATE_DIR", default: "/var/lib/gatehouse")
        self.joinToken = try settings.secret("GATEHOUSE_JOIN_TOKEN")
        self.name = settings.text("GATEHOUSE_GATEWAY_NAME", default: "gateway")
        self.listen = try ListenAddress(
            settings.text("GATEHOUSE_LISTEN", default: "0.0.0.0:8080"), setting: "GATEHOUSE_LISTEN"
        )
        self.privateListen = try ListenAddress(
            settings.text("GATEHOUSE_PRIVATE_LISTEN", default: "127.0.0.1:9090"), setting: "GATEHOUSE_PRIVATE_LISTEN"
        )
        switch (settings.text("GATEHOUSE_TLS_CERT_FILE"), settings.text("GATEHOUSE_TLS_KEY_FILE")) {
        case (let certificate?, let key?): self.tls = (certificate, key)
        case (nil, nil): self.tls = nil
        default: throw SettingsError("GATEHOUSE_TLS_CERT_FILE and GATEHOUSE_TLS_KEY_FILE go together: one is missing")
        }
        self.upstreamAuthorities = settings.text("GATEHOUSE_UPSTREAM_CA_FILE")
        self.loops = try settings.integer("GATEHOUSE_LOOPS", default: max(1, min(cores, 256)), in: 1...256)
        self.bodyMemory = try settings.integer("GATEHOUSE_BODY_MEMORY_MB", default: 1024, in: 1...1_048_576) << 20
        self.maxConnections = try settings.integer("GATEHOUSE_MAX_CONNECTIONS", default: 50_000, in: 1...1_000_000)
        var timeouts = Timeouts()
        try settings.seconds("GATEHOUSE_HEADER_TIMEOUT", &timeouts.header, in: 1...3600)
        try settings.seconds("GATEHOUSE_BODY_TIMEOUT", &timeouts.body, in: 1...3600)
        try settings.seconds("GATEHOUSE_IDLE_TIMEOUT", &timeouts.idle, in: 1...3600)
        try settings.seconds("GATEHOUSE_CONNECT_TIMEOUT", &timeouts.connect, in: 1...3600)
        try settings.seconds("GATEHOUSE_FIRST_BYTE_TIMEOUT", &timeouts.firstByte, in: 1...86_400)
        try settings.seconds("GATEHOUSE_WRITE_TIMEOUT", &timeouts.write, in: 1...86_400)
        try settings.seconds("GATEHOUSE_DRAIN", &timeouts.drain, in: 0...900)
        self.timeouts = timeouts
        let level = settings.text("GATEHOUSE_LOG_LEVEL", default: "info")
        guard let parsed = Logger.Level(rawValue: level) else {
            throw SettingsError(
                "GATEHOUSE_LOG_LEVEL is '\(level)': trace, debug, info, notice, warning, error or critical")
        }
        self.logLevel = parsed
        try settings.refuseUnknown()
    }
}

extension Settings {
    /// Replaces a time by the number of seconds that is set, if one is.
    fileprivate mutating func seconds(
        _ name: String, _ time: inout Duration, in range: ClosedRange<Int>
    ) throws(SettingsError) {
        time = .seconds(try self.integer(name, default: Int(time.components.seconds), in: range))
    }
}

/// An address to listen on: `host:port`, IPv6 in brackets.
package struct ListenAddress: Sendable, Equatable, CustomStringConvertible {
    package let host: String
    package let port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    package init(_ text: String, setting: String) throws(SettingsError) {
        let bad = SettingsError("\(setting) is '\(text)': an address and a port are needed, such as 127.0.0.1:8080")
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (0...65_535).contains(port)
        else { throw bad }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        guard IPAddress(host) != nil else { throw bad }
        self.host = host
        self.port = port
    }

    package var description: String {
        self.host.contains(":") ? "[\(self.host)]:\(self.port)" : "\(self.host):\(self.port)"
    }
}
