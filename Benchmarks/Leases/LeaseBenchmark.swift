import Glibc
import Postgres
import Shared

/// How long a gateway waits for money, and what that costs the database, while usage is taken in: over how many
/// gateways share it, how many accounts each holds, and how many keys there are.
///
/// `GATEHOUSE_BENCH_DATABASE_URL` is a migrated database of its own. `GATEHOUSE_BENCH_KEYS` (1000,100000,1000000),
/// `GATEHOUSE_BENCH_GATEWAYS` (1,10,100), `GATEHOUSE_BENCH_HELD` (1000: accounts of keys that each gateway holds),
/// `GATEHOUSE_BENCH_RATE` (10000 records a second over all gateways) and `GATEHOUSE_BENCH_SECONDS` (25) make it smaller;
/// `GATEHOUSE_BENCH_STATEMENTS=1` says where the database's time went.
@main
enum LeaseBenchmark {
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

    private static func setting(_ name: String) -> String? {
        getenv("GATEHOUSE_BENCH_" + name).map { String(cString: $0) }
    }

    private static func numbers(_ name: String, _ standard: [Int]) -> [Int] {
        self.setting(name).map { $0.split(separator: ",").compactMap { Int($0) } } ?? standard
    }

    private static func run() async throws {
        Self.say(LookMeasurement.table(held: self.numbers("BOOK", [1000, 100_000, 1_000_000])))
        guard let url = Self.setting("DATABASE_URL") else {
            StandardError.print("GATEHOUSE_BENCH_DATABASE_URL is not set: run scripts/bench-leases")
            exit(64)
        }
        let world = try await LeaseWorld.make(url: url)
        let rate = self.numbers("RATE", [10_000])[0]
        let seconds = self.numbers("SECONDS", [25])[0]
        let held = self.numbers("HELD", [1000])
        let isTelling = self.setting("STATEMENTS") == "1"
        Self.say(LeaseMeasurement.head)
        for keys in self.numbers("KEYS", [1000, 100_000, 1_000_000]) {
            try await world.fill(to: keys)
            for gateways in self.numbers("GATEWAYS", [1, 10, 100]) {
                for held in held where held <= keys || held == self.numbers("HELD", [1000])[0] {
                    let load = LeaseLoad(
                        world: world, keys: keys, gateways: gateways, held: min(held, keys), rate: rate,
                        seconds: seconds)
                    let measured = try await load.run()
                    Self.say(measured.row)
                    if isTelling { Self.say(try await world.statements()) }
                }
            }
        }
        await world.database.shutdown()
    }
}
