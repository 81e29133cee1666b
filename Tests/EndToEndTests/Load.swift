import Synchronization
import TestKit

/// Clients that send chat requests until they are told to stop, and note which were answered.
final class Load: Sendable {
    private let stack: Stack
    private let state = Mutex(State())

    private struct State {
        var answered: Set<String> = []
        var refused: [Int: Int] = [:]
        var failed = 0
        var isStopped = false
    }

    init(_ stack: Stack) { self.stack = stack }

    /// Ids of the requests that were answered with 200.
    var answered: Set<String> { self.state.withLock { $0.answered } }
    /// Answers with other statuses, and requests that got none.
    var failures: Int { self.state.withLock { $0.failed + $0.refused.values.reduce(0, +) } }
    var statuses: [Int: Int] { self.state.withLock { $0.refused } }

    func stop() { self.state.withLock { $0.isStopped = true } }

    /// Runs `clients` clients until `stop`, each at most `limit` requests.
    func run(_ place: Stack.GatewayPlace, _ key: String, clients: Int, limit: Int = 5000) async {
        await withTaskGroup(of: Void.self) { group in
            for client in 0..<clients {
                group.addTask { await self.client(client, place, key, limit) }
            }
        }
    }

    private func client(_ number: Int, _ place: Stack.GatewayPlace, _ key: String, _ limit: Int) async {
        for round in 0..<limit {
            if self.state.withLock({ $0.isStopped }) { return }
            do {
                // A third are streams.
                let members = (number + round) % 3 == 0 ? ",\"stream\":true" : ""
                let reply = try await self.stack.chat(
                    place, key, content: "client \(number) round \(round)", members: members)
                self.state.withLock { state in
                    if reply.status == 200, let id = reply.requestID {
                        state.answered.insert(id)
                    } else {
                        state.refused[reply.status, default: 0] += 1
                    }
                }
            } catch {
                self.state.withLock { $0.failed += 1 }
                try? await Task.sleep(for: .milliseconds(20))
            }
        }
    }

    /// Waits until so many requests were answered.
    func waitForAnswers(_ count: Int) async throws {
        try await eventually("\(count) requests are answered") { self.answered.count >= count }
    }
}
