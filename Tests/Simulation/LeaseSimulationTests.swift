import Foundation
import Testing

/// No history of faults overspends a hard budget, loses money or keeps any.
@Suite(.timeLimit(.minutes(60))) struct LeaseSimulationTests {
    /// How many seeds, and the first of them: `GATEHOUSE_SIM_SEEDS`, `GATEHOUSE_SIM_FIRST`.
    private static let seeds: Range<UInt64> = {
        let settings = ProcessInfo.processInfo.environment
        let count = settings["GATEHOUSE_SIM_SEEDS"].flatMap { UInt64($0) } ?? 400
        let first = settings["GATEHOUSE_SIM_FIRST"].flatMap { UInt64($0) } ?? 1
        return first..<first + count
    }()

    /// Seeds of rate limits that once found something.
    private static let found: [UInt64] = [113, 3224]

    @Test func `hard budgets hold under every fault`() throws {
        var admitted = 0, refused = 0, fitted = 0, faults = 0, grown = 0, cut = 0, rolled = 0, allowed = 0
        for seed in Self.seeds {
            var simulation = try LeaseSimulation(seed: seed)
            do {
                try simulation.run()
            } catch {
                simulation.abandon()
                Issue.record("seed \(seed): \(error)  (scripts/sim 1 \(seed))")
            }
            admitted += simulation.admitted
            refused += simulation.refused
            fitted += simulation.refusedThatFitted
            faults += simulation.faults
            grown += simulation.grown
            cut += simulation.cut
            rolled += simulation.rolled ? 1 : 0
            allowed += simulation.allowed
        }
        print(
            "\(Self.seeds.count) seeds from \(Self.seeds.lowerBound): \(admitted) requests admitted, \(refused) refused or "
                + "waiting (\(fitted) of them while the budget had enough), \(faults) faults; streams grew \(grown) times, "
                + "\(cut) were cut; in \(rolled) a hard rolling budget was spent of in several windows; "
                + "\(allowed) times an allowance was gone to")
        #expect(admitted > 0 && refused > 0 && faults > 0 && grown > 0 && cut > 0 && rolled > 0 && allowed > 0)
    }

    @Test func `rate limits hold under every fault`() throws {
        var admitted = 0, refused = 0, faults = 0
        for seed in Array(Self.seeds) + Self.found {
            var simulation = try ShareSimulation(seed: seed)
            do {
                try simulation.run()
            } catch {
                simulation.abandon()
                Issue.record("seed \(seed): \(error)  (scripts/sim 1 \(seed))")
            }
            admitted += simulation.admitted
            refused += simulation.refused
            faults += simulation.faults
        }
        print(
            "\(Self.seeds.count) seeds from \(Self.seeds.lowerBound): \(admitted) requests let through, \(refused) refused "
                + "or waiting, \(faults) faults")
        #expect(admitted > 0 && refused > 0 && faults > 0)
    }
}
