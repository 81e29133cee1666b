package import Logging
package import Shared

/// Everything the control plane can be told before it starts.
///
/// ## Settings
/// - `GATEHOUSE_DATABASE_URL` (required, secret; or `…_FILE`): the PostgreSQL database
/// - `GATEHOUSE_DATABASE_DIRECT_URL` (secret; or `…_FILE`): the same without a transaction pooler in between, for
///   LISTEN, locks and migrations; when it is set, the other is taken to be a pooler
/// - `GATEHOUSE_DATABASE_POOL` (default 8, 1…200): most connections for requests
/// - `GATEHOUSE_KEK_FILE` (required): the key-encryption keys, readable by us alone
/// - `GATEHOUSE_CONTROL_LISTEN` (default 127.0.0.1:7070): address and port
/// - `GATEHOUSE_CONTROL_TLS_CERT`, `GATEHOUSE_CONTROL_TLS_KEY` (PEM files, both or none)
/// - `GATEHOUSE_CONTROL_CONNECTIONS` (default 4096, 64…100000): most connections of clients at once
/// - `GATEHOUSE_MIGRATIONS` (default `migrations` beside the executable): the folder of migrations
/// - `GATEHOUSE_WEBHOOK_TARGETS` (default any): `public` lets webhooks reach public addresses only
/// - `GATEHOUSE_WEBHOOK_CA` (PEM file): certificate authorities that receivers of webhooks may have, besides the system's
/// - `GATEHOUSE_LOG_LEVEL` (default info): trace, debug, info, notice, warning, error or critical
package struct ControlPlaneConfig: Sendable {
    package struct TLS: Sendable {
        package let certificate: String
        package let key: String
    }

    package var databaseURL: Secret<String>
    package var directURL: Secret<String>?
    package var databasePool: Int
    package var host: String
    package var port: Int
    package var tls: TLS?
    package var connections: Int
    package var kekFile: String
    package var migrations: String
    package var webhookTargets: WebhookTargets
    package var webhookAuthorities: String?
    package var logLevel: Logger.Level

    /// - Parameter executable: the path of this program, beside which migrations are looked for.
    package init(_ settings: inout Settings, executable: String) throws(SettingsError) {
        guard let url = try settings.secret("GATEHOUSE_DATABASE_URL") else {
            throw SettingsError("GATEHOUSE_DATABASE_URL is not set: the PostgreSQL database")
        }
        self.databaseURL = url
        self.directURL = try settings.secret("GATEHOUSE_DATABASE_DIRECT_URL")
        self.databasePool = try settings.integer("GATEHOUSE_DATABASE_POOL", default: 8, in: 1...200)
        self.kekFile = try settings.required("GATEHOUSE_KEK_FILE", "the file of key-encryption keys")
        (self.host, self.port) = try Self.address(
            settings.text("GATEHOUSE_CONTROL_LISTEN", default: "127.0.0.1:7070")
        )
        let certificate = settings.text("GATEHOUSE_CONTROL_TLS_CERT")
        let key = settings.text("GATEHOUSE_CONTROL_TLS_KEY")
        guard (certificate == nil) == (key == nil) else {
            throw SettingsError("GATEHOUSE_CONTROL_TLS_CERT and GATEHOUSE_CONTROL_TLS_KEY: both are needed, or none")
        }
        if let certificate, let key { self.tls = TLS(certificate: certificate, key: key) }
        self.connections = try settings.integer("GATEHOUSE_CONTROL_CONNECTIONS", default: 4096, in: 64...100_000)
        let folder = executable.lastIndex(of: "/").map { String(executable[..<$0]) } ?? "."
        self.migrations = settings.text("GATEHOUSE_MIGRATIONS", default: folder + "/migrations")
        let targets = settings.text("GATEHOUSE_WEBHOOK_TARGETS", default: "any")
        guard let webhookTargets = WebhookTargets(rawValue: targets) else {
            throw SettingsError("GATEHOUSE_WEBHOOK_TARGETS is '\(targets)': any or public is needed")
        }
        self.webhookTargets = webhookTargets
        self.webhookAuthorities = settings.text("GATEHOUSE_WEBHOOK_CA")
        let level = settings.text("GATEHOUSE_LOG_LEVEL", default: "info")
        guard let logLevel = Logger.Level(rawValue: level) else {
            throw SettingsError(
                "GATEHOUSE_LOG_LEVEL is '\(level)': trace, debug, info, notice, warning, error or critical")
        }
        self.logLevel = logLevel
        try settings.refuseUnknown()
    }

    private static func address(_ text: String) throws(SettingsError) -> (String, Int) {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (0...65_535).contains(port)
        else { throw SettingsError("GATEHOUSE_CONTROL_LISTEN is '\(text)': address:port is needed") }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        guard !host.isEmpty else {
            throw SettingsError("GATEHOUSE_CONTROL_LISTEN is '\(text)': the address is missing")
        }
        return (host, port)
    }
}
