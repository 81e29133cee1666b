package import Logging
package import Postgres
import Shared
import Synchronization

/// Keeps two processes from living under one gateway's identity, as copies of a disk would.
///
/// Each start gets a fresh epoch. A call of an older process some time after the newest started proves that both live:
/// both are fenced, which is audited, and refused everything but to deliver their usage and to say how they are.
package struct GatewayProcesses: Sendable {
    private let database: Database
    private let changes: Changes
    private let logger: Logger
    private let figures = Figures()

    /// For metrics.
    private final class Figures: Sendable {
        let fenced = Atomic<Int>(0)
    }

    package init(database: Database, changes: Changes, logger: Logger) {
        self.database = database
        self.changes = changes
        self.logger = logger
    }

    /// Processes that were fenced through this replica.
    package var fencedCount: Int { self.figures.fenced.load(ordering: .relaxed) }

    /// Lets a process go on, or refuses it because it is fenced.
    ///
    /// One that is not known counts as started now: it asked for nothing yet, or the database was put back to before it.
    ///
    /// - Returns: its epoch.
    @discardableResult
    package func admit(_ caller: GatewayCaller, as context: OperationContext) async throws -> Int64 {
        let process = try await self.judge(caller, as: context)
        guard process.fencedAt == nil else { throw Self.fenced(process) }
        return process.epoch
    }

    /// The calling process as it is after its call was looked at.
    package func judge(_ caller: GatewayCaller, as context: OperationContext) async throws -> GatewayProcess {
        switch caller.standing.verdict(issued: caller.issued, now: context.time) {
        case .unknown:
            return try await self.database.transaction(retrySerialization: 3) { tx in
                try GatewayProcessStore.start(&tx, caller, at: context.time)
            }
        case .live, .fenced:
            guard let own = caller.standing.own else { throw ControlError.notFound("gateway") }
            return own
        case .second: return try await self.fence(caller, as: context)
        }
    }

    /// Another replica was faster, or the processes were forgotten meanwhile.
    private struct NothingToFence: Error {
        let own: GatewayProcess?
    }

    private func fence(_ caller: GatewayCaller, as context: OperationContext) async throws -> GatewayProcess {
        do {
            let outcome = try await self.changes.perform(
                .gatewaysFence, on: Target(caller.id), at: .instance, as: context
            ) {
                tx, permit in
                try GatewayProcessStore.lock(&tx, caller.id)
                let standing = try GatewayProcessStore.standing(&tx, caller.id, process: caller.process)
                guard standing.verdict(issued: caller.issued, now: context.time) == .second, let own = standing.own,
                    let newest = standing.newest
                else { throw NothingToFence(own: standing.own) }
                let both = [own, newest]
                let after = try GatewayProcessStore.fence(&tx, caller.id, both, at: context.time, permit)
                return Change(
                    (before: both, after: after), in: nil,
                    before: FencedProcesses(gateway: caller.id, processes: both),
                    after: FencedProcesses(gateway: caller.id, processes: after)
                )
            }
            guard case .done(let fenced, _) = outcome, let own = fenced.after.first else {
                throw ControlError.notFound("gateway")
            }
            self.figures.fenced.add(fenced.before.count { $0.fencedAt == nil }, ordering: .relaxed)
            self.logger.error(
                "two processes run under one gateway's identity: both are fenced",
                metadata: [
                    "gateway": "\(caller.id)",
                    "processes": "\(fenced.after.map { "\($0.name) (epoch \($0.epoch))" }.joined(separator: ", "))",
                ]
            )
            return own
        } catch let nothing as NothingToFence {
            guard let own = nothing.own else { throw ControlError(.unavailable, "busy", "Try again.") }
            return own
        }
    }

    private static func fenced(_ process: GatewayProcess) -> ControlError {
        ControlError(
            .conflict, LinkCode.fenced,
            "Two processes ran under this gateway's identity, so both are shut out; this is \(process.name). Stop all "
                + "processes of this gateway and start one; a copy needs an identity of its own, from a join token."
        )
    }
}

/// The SQL of gateways' processes.
enum GatewayProcessStore {
    /// Processes of a gateway that are remembered; of older ones nobody knows any more whether they live.
    static let kept: Int64 = 32

    /// One at a time decides on a gateway's processes.
    static func lock(_ tx: inout Transaction, _ gateway: GatewayID) throws {
        _ = try tx.queryOne("select id from gateway where id = $1 for no key update", gateway)
    }

    static func standing(_ tx: inout Transaction, _ gateway: GatewayID, process: UInt64) throws -> ProcessStanding {
        let rows = try tx.query(
            """
            select process, epoch, started_at, fenced_at from gateway_process
            where gateway_id = $1 and (process = $2
                or epoch = (select max(epoch) from gateway_process where gateway_id = $1))
            order by epoch desc
            """, gateway, Int64(bitPattern: process)
        ).map { try GatewayProcess($0) }
        return ProcessStanding(own: rows.first { $0.number == process }, newest: rows.first)
    }

    /// Gives a process the next epoch, unless it has one.
    static func start(
        _ tx: inout Transaction, _ caller: GatewayCaller, at now: Timestamp
    ) throws -> GatewayProcess {
        try Self.lock(&tx, caller.id)
        let standing = try Self.standing(&tx, caller.id, process: caller.process)
        if let own = standing.own { return own }
        let epoch = (standing.newest?.epoch ?? 0) + 1
        let process = GatewayProcess(number: caller.process, epoch: epoch, startedAt: now, fencedAt: nil)
        _ = try tx.execute(
            "insert into gateway_process (gateway_id, process, epoch, started_at) values ($1, $2, $3, $4)",
            caller.id, Int64(bitPattern: process.number), epoch, now
        )
        _ = try tx.execute(
            "delete from gateway_process where gateway_id = $1 and epoch <= $2", caller.id, epoch - Self.kept)
        return process
    }

    /// Marks those that are not marked yet; a mark stays.
    ///
    /// - Returns: the processes as they are then, in the same order.
    static func fence(
        _ tx: inout Transaction, _ gateway: GatewayID, _ processes: [GatewayProcess], at now: Timestamp,
        _: borrowing Permit
    ) throws -> [GatewayProcess] {
        var result: [GatewayProcess] = []
        for process in processes {
            _ = try tx.execute(
                """
                update gateway_process set fenced_at = $3
                where gateway_id = $1 and process = $2 and fenced_at is null
                """, gateway, Int64(bitPattern: process.number), now
            )
            result.append(
                GatewayProcess(
                    number: process.number, epoch: process.epoch, startedAt: process.startedAt,
                    fencedAt: process.fencedAt ?? now
                )
            )
        }
        return result
    }

    /// Of each gateway the newest process and those that were fenced, newest first, at most `limit`.
    static func notable(
        _ tx: inout Transaction, _ gateways: [GatewayID], limit: Int = 8
    ) throws -> [GatewayID: [GatewayProcess]] {
        let ids = gateways.map { SQLUUID(high: $0.value.high, low: $0.value.low) }
        let rows = try tx.query(
            """
            select p.gateway_id, p.process, p.epoch, p.started_at, p.fenced_at from gateway_process p
            where p.gateway_id = any ($1) and (p.fenced_at is not null
                or p.epoch = (select max(n.epoch) from gateway_process n where n.gateway_id = p.gateway_id))
            order by p.gateway_id, p.epoch desc
            """, ids
        )
        var result: [GatewayID: [GatewayProcess]] = [:]
        for row in rows {
            let gateway: GatewayID = try row.get("gateway_id")
            guard result[gateway, default: []].count < limit else { continue }
            result[gateway, default: []].append(try GatewayProcess(row))
        }
        return result
    }
}
