import Crypto
package import Postgres
package import Shared

/// Statements of providers, and how they differ from what was recorded.
package struct Reconciliation: Sendable {
    private let database: Database
    private let changes: Changes
    private let time: TimeSource

    package init(database: Database, changes: Changes, time: TimeSource) {
        self.database = database
        self.changes = changes
        self.time = time
    }

    package func create(
        provider: ProviderID, _ bytes: [UInt8], as context: OperationContext
    ) async throws -> Resolved<ProviderStatement> {
        let read = try StatementReader.read(bytes)
        let statement = ProviderStatement(
            id: self.time.newID(), provider: provider, read, sha256: Array(SHA256.hash(data: bytes)), at: context.time)
        return try await self.changes.perform(
            .providerStatementsCreate, on: Target(statement.id), at: .instance, as: context
        ) { tx, permit in
            let known = try tx.queryOne("select 1 from provider where id = $1 and deleted_at is null", provider)
            guard known != nil else { throw ControlError.notFound("provider") }
            try StatementStore.insert(statement, read.lines, &tx, permit)
            return Change(statement, in: nil, after: statement)
        }.resolved { id in try await self.get(ProviderStatementID(id)) }
    }

    package func get(_ id: ProviderStatementID) async throws -> ProviderStatement {
        try await self.database.transaction(.readOnly) { tx in try StatementStore.fetch(id, &tx) }
    }

    package func list(provider: ProviderID?, _ page: PageRequest) async throws -> Page<ProviderStatement> {
        let found = try await self.database.transaction(.readOnly) { tx in
            try StatementStore.list(provider: provider, page, &tx)
        }
        return Page(found, page, position: \.id.bytes)
    }

    package func delete(_ id: ProviderStatementID, as context: OperationContext) async throws -> [AuditReceipt] {
        try await self.changes.perform(.providerStatementsDelete, on: Target(id), at: .instance, as: context) {
            tx, permit in
            let statement = try StatementStore.fetch(id, &tx)
            try StatementStore.delete(id, &tx, permit)
            return Change((), in: nil, before: statement)
        }.receipts
    }

    /// Every day and model of the statement or of the records in its days, in order.
    package func differences(_ id: ProviderStatementID) async throws -> [StatementDifference] {
        try await self.database.transaction(.repeatableReadOnly) { tx in
            let statement = try StatementStore.fetch(id, &tx)
            let models = try StatementStore.models(of: statement.provider, &tx)
            return Self.compare(
                try StatementStore.lines(of: id, &tx), try StatementStore.recorded(statement, &tx), models)
        }
    }

    private struct Cell: Hashable {
        let day: String
        let model: ModelID
    }

    static func compare(
        _ lines: [StatementLine],
        _ recorded: [(day: String, model: ModelID, figures: StatementDifference.Figures)],
        _ models: [(id: ModelID, name: String)]
    ) -> [StatementDifference] {
        let names = ModelNames(models)
        var ours = Dictionary(
            recorded.map { (Cell(day: $0.day, model: $0.model), $0.figures) }, uniquingKeysWith: { first, _ in first })
        var result: [StatementDifference] = []
        for line in lines {
            let model = names.model(named: line.model)
            // Two names of one model on one day: the first is compared with all of ours, the next with nothing.
            let figures = model.flatMap { ours.removeValue(forKey: Cell(day: line.day, model: $0)) }
            result.append(
                StatementDifference(
                    day: line.day, name: line.model, model: model,
                    statement: .init(
                        requests: line.requests, inputTokens: line.inputTokens, outputTokens: line.outputTokens,
                        amount: line.amount),
                    recorded: figures))
        }
        let known = Dictionary(models.map { ($0.id, $0.name) }, uniquingKeysWith: { $1 })
        for (cell, figures) in ours {
            result.append(
                StatementDifference(
                    day: cell.day, name: known[cell.model] ?? "unknown", model: cell.model, statement: nil,
                    recorded: figures))
        }
        return result.sorted {
            ($0.day, $0.name, $0.model?.description ?? "") < ($1.day, $1.name, $1.model?.description ?? "")
        }
    }
}
