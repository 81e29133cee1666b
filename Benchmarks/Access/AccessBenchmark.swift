import ControlPlane
import Glibc
import Shared

/// What deciding on access costs in the largest partition that is meant to be: time to build it, memory, decisions, lists,
/// and what one fact costs.
///
/// `GATEHOUSE_BENCH_SEED` (1), `GATEHOUSE_BENCH_DECISIONS` (1000000) and `GATEHOUSE_BENCH_PERCENT` (100: of the size below).
@main
enum AccessBenchmark {
    static func main() {
        let percent = max(1, Self.setting("PERCENT", 100))
        var world = AccessBenchmarkWorld(seed: UInt64(Self.setting("SEED", 1)), percent: percent)
        let facts = world.facts()
        Self.say(
            "\(facts.count) facts: \(world.users.count) users, \(world.serviceAccounts.count) service accounts, "
                + "\(world.groups.count) groups, \(world.memberships) memberships, \(world.nodes.count) nodes, "
                + "\(world.roleCount) roles, \(world.bindingCount) bindings, \(world.denialCount) deny rules")

        let memory = ProcessMemory.now
        let (policy, built) = Self.build(facts)
        let used = withExtendedLifetime(facts) { ProcessMemory.now }
        Self.say("| what | figure |\n|---|--:|")
        Self.row("built from nothing", "\(Self.text(built)) ms")
        Self.row("resident memory grew by", "\((used.resident - memory.resident) >> 20) MB")

        var measurement = AccessMeasurement(policy: policy, world: world)
        measurement.decisions(Self.setting("DECISIONS", 1_000_000))
        measurement.lists()
        measurement.effects()
        measurement.facts()
    }

    private static func build(_ facts: [AccessFact]) -> (AccessPolicy, milliseconds: Double) {
        var policy = AccessPolicy()
        let time = Self.milliseconds { policy.apply(facts) }
        return (policy, time)
    }

    static func setting(_ name: String, _ standard: Int) -> Int {
        getenv("GATEHOUSE_BENCH_" + name).flatMap { Int(String(cString: $0)) } ?? standard
    }

    static func row(_ what: String, _ figure: String) { self.say("| \(what) | \(figure) |") }

    /// At once, also into a file.
    static func say(_ text: String) {
        print(text)
        fflush(nil)
    }

    static func milliseconds(_ work: () -> Void) -> Double { Double(Self.nanoseconds(work)) / 1e6 }

    @inline(__always)
    static func nanoseconds(_ work: () -> Void) -> Int64 {
        let start = ContinuousClock.now
        work()
        let (seconds, attoseconds) = start.duration(to: .now).components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }

    /// Two digits after the point.
    static func text(_ value: Double) -> String {
        let hundredths = Int((value * 100).rounded())
        let fraction = hundredths % 100
        return "\(hundredths / 100).\(fraction < 10 ? "0" : "")\(fraction)"
    }
}

/// What the process uses, in bytes.
struct ProcessMemory {
    let resident: Int

    /// After what was freed went back to the system.
    static var now: ProcessMemory {
        if let trim = dlsym(nil, "malloc_trim") {
            _ = unsafeBitCast(trim, to: (@convention(c) (Int) -> Int32).self)(0)
        }
        var pages = 0
        if let file = fopen("/proc/self/statm", "r") {
            var line = [CChar](repeating: 0, count: 128)
            if fgets(&line, Int32(line.count), file) != nil {
                let fields = String(decoding: line.map { UInt8(bitPattern: $0) }, as: UTF8.self).split(separator: " ")
                pages = fields.count > 1 ? Int(fields[1]) ?? 0 : 0
            }
            fclose(file)
        }
        return ProcessMemory(resident: pages * Int(sysconf(Int32(_SC_PAGESIZE))))
    }
}
