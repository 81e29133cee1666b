package import ArgumentParser
import Glibc

/// The program `gatehouse`: Gatehouse's API for people, from any machine.
package struct GatehouseCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "gatehouse", abstract: "Gatehouse from your own machine.",
        discussion: """
            Begin with: gatehouse login --server https://HOST, then gatehouse api-resources.
            What there is, and what it is made of, is the server's to say: a newer server needs no newer program.

            Exit codes:
            \(ClientExit.allCases.map { "  \($0.rawValue < 10 ? " " : "")\($0.rawValue)  \($0.meaning)" }.joined(separator: "\n"))
            """,
        groupedSubcommands: [
            CommandGroup(
                name: "What there is",
                subcommands: [
                    GetCommand.self, ListCommand.self, CreateCommand.self, UpdateCommand.self, DeleteCommand.self,
                    AddCommand.self, DoCommand.self, RawCommand.self,
                ]),
            CommandGroup(
                name: "Help from the server",
                subcommands: [APIResourcesCommand.self, FieldsCommand.self]),
            CommandGroup(
                name: "Who may do what, and why",
                subcommands: [
                    WhoCanCommand.self, WhatCanCommand.self, ExplainCommand.self, ExplainRequestCommand.self,
                ]),
            CommandGroup(
                name: "Where, and as whom",
                subcommands: [LoginCommand.self, LogoutCommand.self, WhoamiCommand.self, ContextCommand.self]),
            CommandGroup(name: "Through a gateway", subcommands: [AskCommand.self]),
        ]
    )

    package init() {}

    /// Names that a first word may have besides those of actions.
    static var names: Set<String> {
        Set(Self.configuration.subcommands.flatMap { [$0._commandName] + $0.configuration.aliases })
    }

    /// `gatehouse rotate …` is `gatehouse do rotate …`: what is no command is an action of the API's.
    package static func words(_ arguments: [String]) -> [String] {
        guard let first = arguments.first, !first.hasPrefix("-"), first != "help", !Self.names.contains(first) else {
            return arguments
        }
        return ["do"] + arguments
    }

    /// Runs the program with the arguments of this process; ends it when it failed.
    package static func run() async {
        do {
            var command = try await Self.asyncParseAsRoot(
                Self.words(Array(CommandLine.arguments.dropFirst())))
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch let error as ClientError {
            // It has names and texts of the server's in it.
            Console.ofProcess().note(TerminalText.lines("gatehouse: \(error)"))
            Glibc.exit(error.exit.rawValue)
        } catch let code as ExitCode {
            Glibc.exit(code.rawValue)
        } catch {
            // Help and the like end well; what is wrong with the arguments has a code of its own here.
            guard Self.exitCode(for: error) != .success else { Self.exit(withError: error) }
            Console.ofProcess().note(Self.fullMessage(for: error))
            Glibc.exit(ClientExit.usage.rawValue)
        }
    }
}
