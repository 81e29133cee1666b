import TestKit

/// A network namespace of a test: programs in it are reached over one link, and reach the control plane over another,
/// which can be cut.
///
/// It and its links have names of their own, and go away with `with`, whatever happens.
struct NetworkNamespace: Sendable {
    let name: String
    /// Where clients reach what listens in it.
    let address: String
    /// Where what runs in it reaches what listens outside.
    let outside: String
    /// The outer end of the link to the control plane.
    private let link: String

    /// Whether this machine lets us make one: that needs `ip` and the rights of root.
    static func isPossible() async -> Bool {
        do {
            try await Self.with { _ in }
            return true
        } catch {
            return false
        }
    }

    static func with(_ body: (NetworkNamespace) async throws -> Void) async throws {
        let number = Int.random(in: 0..<8192)
        // Two networks of four addresses each, out of 10.213.0.0/16.
        func address(_ offset: Int) -> String {
            let low = number * 8 + offset
            return "10.213.\(low >> 8).\(low & 255)"
        }
        let space = NetworkNamespace(
            name: "gatehouse-\(number)", address: address(2), outside: address(5), link: "gh\(number)l0")
        try await Self.ip("netns", "add", space.name)
        do {
            try await Self.ip("-n", space.name, "link", "set", "lo", "up")
            for (kind, low) in [("c", 1), ("l", 5)] {
                let (outer, inner) = ("gh\(number)\(kind)0", "gh\(number)\(kind)1")
                try await Self.ip("link", "add", outer, "type", "veth", "peer", "name", inner, "netns", space.name)
                try await Self.ip("addr", "add", address(low) + "/30", "dev", outer)
                try await Self.ip("-n", space.name, "addr", "add", address(low + 1) + "/30", "dev", inner)
                try await Self.ip("link", "set", outer, "up")
                try await Self.ip("-n", space.name, "link", "set", inner, "up")
            }
            try await body(space)
        } catch {
            await space.remove()
            throw error
        }
        await space.remove()
    }

    /// Nothing that runs in it reaches the control plane any more.
    func cut() async throws { try await Self.ip("link", "set", self.link, "down") }

    func heal() async throws { try await Self.ip("link", "set", self.link, "up") }

    /// Links go with the namespace that one of their ends is in.
    private func remove() async {
        let name = self.name
        // Also when the test was cancelled.
        await Task.detached { try? await Self.ip("netns", "del", name) }.value
    }

    private static func ip(_ arguments: String...) async throws {
        let process = try ChildProcess("ip", arguments)
        let status = try await process.waitForExit()
        guard status == .code(0) else {
            throw TestKitError("ip \(arguments.joined(separator: " ")): \(status), \(process.errors.tail())")
        }
    }
}
