import Logging
import Postgres
import Shared

/// Takes batches of usage, and says what became of them: to the log, to metrics, and to auditors when usage is lost.
struct UsageIntake: Sendable {
    private let database: Database
    private let changes: Changes
    private let logger: Logger
    let figures = IngestFigures()

    init(database: Database, changes: Changes, logger: Logger) {
        self.database = database
        self.changes = changes
        self.logger = logger
    }

    /// A declared loss that does not begin at the next number: its transaction is undone.
    private struct NothingTaken: Error {
        let result: UsageIngest.Result
    }

    /// Takes a batch in one transaction, with what it declares lost.
    func take(
        _ batch: UsageBatch, from caller: GatewayCaller, as context: OperationContext
    ) async throws -> UsageIngest.Result {
        let result: UsageIngest.Result
        do {
            if let lost = batch.lost {
                result = try await self.take(batch, lost: lost, from: caller, as: context)
            } else {
                result = try await self.database.transaction(retrySerialization: 3) { tx in
                    try UsageIngest.ingest(&tx, batch, from: caller, now: context.time)
                }
            }
        } catch UsageIngest.Failure.foreignStream {
            throw ControlError(.notAllowed, "foreign_stream", "The usage stream is another gateway's.")
        }
        self.figures.add(result, of: batch, now: context.time)
        self.warn(result, batch, caller)
        return result
    }

    private func take(
        _ batch: UsageBatch, lost: UsageLoss, from caller: GatewayCaller, as context: OperationContext
    ) async throws -> UsageIngest.Result {
        do {
            let outcome = try await self.changes.perform(
                .usageDeclareLost, on: Target(caller.id), at: .instance, as: context
            ) { tx, permit in
                let result = try UsageIngest.ingest(
                    &tx, batch, lost: lost, from: caller, now: context.time, permit)
                guard result.lost > 0 else { throw NothingTaken(result: result) }
                return Change(result, in: nil, after: UsageGap(batch, lost, at: context.time))
            }
            guard case .done(let result, _) = outcome else { throw ControlError.notFound("usage stream") }
            return result
        } catch let nothing as NothingTaken {
            return nothing.result
        }
    }

    private func warn(_ result: UsageIngest.Result, _ batch: UsageBatch, _ caller: GatewayCaller) {
        if result.rejected > 0 || result.mispriced > 0 {
            self.logger.warning(
                "usage was not as it should be",
                metadata: [
                    "gateway": "\(caller.id)", "stream": "\(batch.stream)", "rejected": "\(result.rejected)",
                    "mispriced": "\(result.mispriced)",
                ]
            )
        }
        if result.otherTags > 0 {
            self.logger.warning(
                "an organization has too many sets of tags; more are counted as (other)",
                metadata: ["gateway": "\(caller.id)", "records": "\(result.otherTags)"]
            )
        }
        if let lost = batch.lost, result.lost > 0 {
            self.logger.warning(
                "a gateway declared usage lost",
                metadata: [
                    "gateway": "\(caller.id)", "stream": "\(batch.stream)", "from": "\(lost.from)",
                    "to": "\(batch.from - 1)", "reason": "\(lost.reason.name)",
                ]
            )
        }
    }
}
