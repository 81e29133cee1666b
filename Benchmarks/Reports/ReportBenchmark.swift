import ControlPlane
import Glibc
import Postgres
import Shared

/// Fills a database with usage, folds it as the product does, and prints how long each report takes, and how fast usage
/// is taken in meanwhile.
///
/// `GATEHOUSE_BENCH_DATABASE_URL` is a migrated database of its own. `GATEHOUSE_BENCH_ROWS` are the sizes at which reports
/// are measured (100000,1000000,10000000), `GATEHOUSE_BENCH_SECONDS` for how long usage is taken in (60).
@main
enum ReportBenchmark {
    static func main() async {
        do {
            try await Self.run()
        } catch {
            StandardError.print("stopped: \(error)")
            exit(1)
        }
    }

    /// At once, also into a file.
    private static func say(_ text: String) {
        print(text)
        fflush(nil)
    }

    private static func setting(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

    private static func run() async throws {
        guard let url = Self.setting("GATEHOUSE_BENCH_DATABASE_URL") else {
            StandardError.print("GATEHOUSE_BENCH_DATABASE_URL is not set: run scripts/bench-reports")
            exit(64)
        }
        let sizes = (Self.setting("GATEHOUSE_BENCH_ROWS") ?? "100000,1000000,10000000").split(separator: ",")
            .compactMap { Int64($0) }
        let seconds = Int(Self.setting("GATEHOUSE_BENCH_SECONDS") ?? "60") ?? 60
        let world = try await World.make(url: url)
        var measured: [ReportMeasurement] = []
        for size in sizes {
            let filled = try await world.fill(to: size)
            Self.say("\n\(size) records: \(filled)")
            let figures = try await world.measureReports()
            measured.append(ReportMeasurement(size: size, figures: figures, sizes: try await world.tableSizes()))
            Self.say(ReportMeasurement.table(measured))
        }
        let rate = 10_500
        for paced in [rate, nil] {
            let result = try await IngestBenchmark(world: world, rate: paced, seconds: seconds).run()
            Self.say("\n\(result)")
        }
        try await world.shutdown()
    }
}
