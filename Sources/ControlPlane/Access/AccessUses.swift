package import Logging
package import Postgres
import Shared
import Synchronization

/// When tokens and bindings were last used, collected in memory and written now and then: a request does not wait for it.
package final class AccessUses: Sendable {
    private let tokens = Mutex<[TokenID: Timestamp]>([:])
    package let bindings = BindingUses()

    /// Tokens that are remembered between two writes at most; of others the use is not noted.
    static let limit = 10_000

    static let interval: Duration = .seconds(60)

    package init() {}

    /// Writes every minute until the task is cancelled, and then what is left.
    package func run(_ database: Database, logger: Logger) async {
        repeat {
            try? await Task.sleep(for: Self.interval)
            // The last ones are written by a task that nobody has cancelled.
            await Task {
                do {
                    _ = try await self.write(to: database)
                    _ = try await self.bindings.write(to: database)
                } catch {
                    logger.error("when tokens and bindings were used was not noted", metadata: ["error": "\(error)"])
                }
            }.value
        } while !Task.isCancelled
    }

    func note(_ token: TokenID, at time: Timestamp) {
        self.tokens.withLock { tokens in
            guard tokens.count < Self.limit || tokens[token] != nil else { return }
            tokens[token] = max(tokens[token] ?? time, time)
        }
    }

    /// Writes what was collected since; when that fails, it is collected again.
    ///
    /// - Returns: how many tokens were used.
    package func write(to database: Database) async throws -> Int {
        let used = self.tokens.withLock { tokens in
            defer { tokens = [:] }
            return tokens
        }
        do {
            return try await LastUses.write(used, to: "api_token", of: database)
        } catch {
            for (token, time) in used { self.note(token, at: time) }
            throw error
        }
    }
}
