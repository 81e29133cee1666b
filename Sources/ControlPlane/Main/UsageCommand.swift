import ArgumentParser
import ControlPlane
import Shared

struct UsageCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "usage", abstract: "Usage records.", subcommands: [Export.self]
    )

    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write the records of a day of arrival (UTC) to a file, one JSON object a line.",
            discussion: "Before retention drops them: see docs/operations.md. Never replaces a file."
        )

        @Option(help: "The day, as 2026-11-30.")
        var day: String

        @Option(help: "The file.")
        var file: String

        func run() async throws {
            let config = try ControlPlaneConfig.ofProcess()
            let (day, file) = (self.day, self.file)
            do {
                let count = try await withDatabase(config) { database in
                    try await UsageExport.write(database, day: day, to: file)
                }
                print("\(count) records")
            } catch let failure as UsageExport.Failure {
                throw Refusal(description: failure.description)
            }
        }
    }
}
