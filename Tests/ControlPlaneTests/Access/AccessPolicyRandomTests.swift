import ControlPlane
import Foundation
import TestKit
import Testing

/// A policy says what the rule says, whatever facts came in whatever order.
@Suite(.timeLimit(.minutes(60))) struct AccessPolicyRandomTests {
    /// How many decisions are compared in all: `GATEHOUSE_ACCESS_DECISIONS`.
    private static let decisions =
        ProcessInfo.processInfo.environment["GATEHOUSE_ACCESS_DECISIONS"].flatMap { Int($0) } ?? 300_000

    @Test func `a policy decides as the reference`() throws {
        try self.compare(SeededRandom("access in trees"), .usual, decisions: Self.decisions * 8 / 10)
    }

    @Test func `a policy without nodes decides as the reference`() throws {
        try self.compare(SeededRandom("access of the instance"), .instance, decisions: Self.decisions / 10)
    }

    @Test func `a policy with many groups decides as the reference`() throws {
        try self.compare(SeededRandom("access of many groups"), .wide, decisions: Self.decisions / 10)
    }

    private func compare(_ seeds: SeededRandom, _ shape: AccessWorld.Shape, decisions: Int) throws {
        var seeds = seeds
        var seen = AccessSeen()
        var worlds = 0
        while seen.decisions < decisions {
            let seed = seeds.next()
            var check = AccessCheck(seed: seed, shape)
            do {
                try check.run(steps: 6)
            } catch {
                Issue.record("world \(worlds) (seed \(seed)): \(error)")
                return
            }
            seen += check.seen
            worlds += 1
        }
        print(
            "\(seen.decisions) decisions (\(seen.allowed) allowed), \(seen.effects) effects, \(seen.conflicts) conflicts in "
                + "\(worlds) worlds of \(shape.groups) groups and \(shape.bindings) bindings")
        #expect(seen.allowed > 0 && seen.allowed < seen.decisions && seen.effects > 0 && seen.conflicts > 0)
    }
}
