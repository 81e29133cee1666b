import ArgumentParser
import ControlPlane
import Shared

struct CertificateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "certificate", abstract: "Certificates for TLS.", subcommands: [Create.self]
    )

    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a self-signed certificate and its key (PEM); never replaces a file."
        )

        @Option(help: "A host name or address that it is for; may be given several times.")
        var host: [String]

        @Option(help: "Where the certificate is written.")
        var certificate: String

        @Option(help: "Where the key is written, readable by you alone.")
        var key: String

        @Option(help: "Days that it is good for.")
        var days: Int64 = 825

        func validate() throws {
            guard !self.host.isEmpty, (1...3650).contains(self.days) else {
                throw ValidationError("at least one --host; --days from 1 to 3650")
            }
        }

        func run() throws {
            for path in [self.certificate, self.key] where (try? Files.read(path, limit: 1 << 20)) != nil {
                throw Refusal(description: "\(path) exists; it is not replaced")
            }
            let made = try SelfSignedCertificate.create(hosts: self.host, days: self.days, now: TimeSource.system.now())
            try Files.replace(self.key, with: Array(made.key.reveal().utf8), mode: 0o600)
            try Files.replace(self.certificate, with: Array(made.certificate.utf8), mode: 0o644)
        }
    }
}
