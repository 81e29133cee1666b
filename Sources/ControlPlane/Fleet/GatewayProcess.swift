import Postgres
package import Shared

/// One start of a gateway's program.
package struct GatewayProcess: Sendable, Equatable {
    /// Random for each start; signed with every call.
    package let number: UInt64
    /// Counts the starts of the gateway: the newest has the highest.
    package let epoch: Int64
    package let startedAt: Timestamp
    /// Since when it is shut out because another ran beside it; stays for as long as it runs.
    package let fencedAt: Timestamp?

    package init(number: UInt64, epoch: Int64, startedAt: Timestamp, fencedAt: Timestamp?) {
        self.number = number
        self.epoch = epoch
        self.startedAt = startedAt
        self.fencedAt = fencedAt
    }

    init(_ row: Row) throws {
        self.init(
            number: UInt64(bitPattern: try row.get("process", as: Int64.self)), epoch: try row.get("epoch"),
            startedAt: try row.get("started_at"), fencedAt: try row.optional("fenced_at")
        )
    }

    /// The number as it is written: 16 hexadecimal digits.
    package var name: String {
        let digits = String(self.number, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    static let schema = Schema.object([
        .required("process", Schema.string(.length(16...16)).described("As in the gateway's log.")),
        .required("epoch", .count), .required("started_at", .timestamp),
        .required("fenced_at", Schema.timestamp.orNull),
    ])

    var json: JSONValue {
        [
            "process": .string(self.name), "epoch": .integer(self.epoch), "started_at": JSONValue(self.startedAt),
            "fenced_at": JSONValue(self.fencedAt),
        ]
    }
}

/// How a calling process stands to the newest one of its gateway: decides, and knows no database.
package struct ProcessStanding: Sendable, Equatable {
    /// The caller's own; nil when it was not seen before, or so long ago that it was forgotten.
    package let own: GatewayProcess?
    package let newest: GatewayProcess?

    package init(own: GatewayProcess?, newest: GatewayProcess?) {
        self.own = own
        self.newest = newest
    }

    package enum Verdict: Sendable, Equatable {
        case unknown, live, fenced
        /// The call proves that it and the newest one live at once.
        case second
    }

    /// Seconds after a start within which the process before it may still call: a restart is not two processes.
    package static let grace: Int64 = 10

    /// - Parameters:
    ///   - issued: when the caller signed: a call that was long under way proves nothing of now.
    ///   - now: when it arrived.
    package func verdict(issued: Timestamp, now: Timestamp) -> Verdict {
        guard let own, let newest else { return .unknown }
        let end = newest.startedAt.adding(seconds: Self.grace)
        let isSecond = own.epoch < newest.epoch && now > end && issued > end
        if isSecond && (own.fencedAt == nil || newest.fencedAt == nil) { return .second }
        return own.fencedAt == nil ? .live : .fenced
    }
}

/// The processes that a call fenced, for the audit log.
struct FencedProcesses: Audited {
    let gateway: GatewayID
    let processes: [GatewayProcess]

    var auditState: JSONValue {
        ["id": JSONValue(self.gateway), "processes": .array(self.processes.map(\.json))]
    }
}
