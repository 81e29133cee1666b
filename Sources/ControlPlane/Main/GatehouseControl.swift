import ArgumentParser
import ControlPlane
import Glibc
import Shared

@main
struct GatehouseControl: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gatehouse-control", abstract: "The control plane of Gatehouse.",
        subcommands: [
            Serve.self, Migrate.self, Initialize.self, KeyFile.self, Token.self, BreakGlassAccount.self,
            RootCommand.self,
            CertificateCommand.self, UsageCommand.self,
        ]
    )

    /// Invalid usage and configuration end with 64: starting again does not help.
    static func main() async {
        do {
            var command = try Self.parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch let error as SettingsError {
            Self.stop("invalid configuration: \(error)", 64)
        } catch let error as Refusal {
            Self.stop(error.description, error.code)
        } catch let error as ControlError {
            Self.stop("\(error.internalDetail ?? error.detail) (\(error.code))", 1)
        } catch {
            guard Self.exitCode(for: error) != .failure || error is CleanExit else {
                Self.stop("gatehouse-control: \(error)", 1)
            }
            Self.exit(withError: error)
        }
    }

    private static func stop(_ message: String, _ code: Int32) -> Never {
        let line = Array((message.split(separator: "\n").joined(separator: " ") + "\n").utf8)
        _ = write(STDERR_FILENO, line, line.count)
        Glibc.exit(code)
    }
}

/// Why a command was not carried out.
struct Refusal: Error, CustomStringConvertible {
    let description: String
    var code: Int32 = 1
}

extension ControlPlaneConfig {
    /// The settings of this process.
    static func ofProcess() throws -> ControlPlaneConfig {
        var settings = try Settings.ofProcess()
        settings.ignore(
            "GATEHOUSE_URL", "GATEHOUSE_KEY", "GATEHOUSE_ADMIN_URL", "GATEHOUSE_ADMIN_TOKEN", "GATEHOUSE_ADMIN_CA",
            "GATEHOUSE_PRIVATE_URL")
        return try ControlPlaneConfig(&settings, executable: CommandLine.arguments.first ?? "")
    }
}
