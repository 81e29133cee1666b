import ArgumentParser
import ControlPlane
import Shared

/// The account for when nobody else gets in.
struct BreakGlassAccount: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "break-glass", abstract: "The account that may do everything: sealed until it is opened here.",
        subcommands: [Open.self, Close.self])

    struct Open: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Open it for a while; prints a token this once. What was open before ends.")

        @Option(help: "Why; it goes into the audit log.")
        var reason: String

        @Option(help: "For how long, up to a day.")
        var minutes: Int64 = 60

        func run() async throws {
            guard (1...2000).contains(self.reason.unicodeScalars.count), (1...1440).contains(self.minutes) else {
                throw Refusal(description: "--reason: 1 to 2000 characters; --minutes: 1 to 1440", code: 64)
            }
            let (reason, seconds) = (self.reason, self.minutes * 60)
            let asked = Submission(
                command: "break-glass open", ["reason": .string(reason), "minutes": .integer(self.minutes)])
            let opening = try await BreakGlassAccount.perform { breakGlass, context in
                var context = context
                context.submission = asked
                return try await breakGlass.open(reason: reason, seconds: seconds, as: context)
            }
            print(opening.token.reveal())
        }
    }

    struct Close: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Seal it again now.")

        func run() async throws {
            let wasOpen = try await BreakGlassAccount.perform { breakGlass, context in
                try await breakGlass.close(as: context)
            }
            print(wasOpen ? "sealed" : "it was sealed")
        }
    }

    /// What whoever runs the machine does.
    private static func perform<Value: Sendable>(
        _ body: @escaping @Sendable (BreakGlass, OperationContext) async throws -> Value
    ) async throws -> Value {
        let config = try ControlPlaneConfig.ofProcess()
        let keys = try KeyEncryptionKeys(file: config.kekFile)
        return try await withChanges(config, keys) { changes, _, context in
            try await body(BreakGlass(changes: changes, time: .system), context)
        }
    }
}
