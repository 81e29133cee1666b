import Postgres
package import Shared

/// Where a budget stands in one window.
package struct BudgetStatus: Sendable {
    /// What one process of a gateway holds.
    package struct Lease: Sendable {
        package let gateway: GatewayID
        package let process: UInt64
        package let state: LeaseState
        package let renewedAt: Timestamp
    }

    package let budget: BudgetID
    package let window: BudgetWindow
    /// What may be spent in the window: the amount, increases and what was carried over.
    package let limit: NanoUSD
    package let spentBefore: NanoUSD
    /// Of a rolling budget.
    package let rolling: RollingWindow?
    /// Of a rolling budget: what had been spent when the window began.
    package let passed: NanoUSD
    package let leases: [Lease]
    package let now: Timestamp

    /// What was spent, as far as usage has arrived.
    package var spent: NanoUSD {
        let spent = self.leases.reduce(self.spentBefore) { $0.addingSaturating(NanoUSD($1.state.settled)) }
        return NanoUSD(max(0, spent.amount - self.passed.amount))
    }

    /// What gateways hold beyond what they are known to have spent.
    private func escrow(_ phase: LeaseState.Phase) -> NanoUSD {
        self.leases.filter { $0.state.phase == phase }.reduce(.zero) {
            $0.addingSaturating(NanoUSD($1.state.held - $1.state.settled))
        }
    }

    /// Money that gateways have and may spend, as far as they have said.
    package var heldByGateways: NanoUSD { self.escrow(.open) }

    package var left: NanoUSD {
        let held = self.leases.reduce(self.spentBefore) { $0.addingSaturating(NanoUSD($1.state.held)) }
        return NanoUSD(max(0, self.limit.addingSaturating(self.passed).amount - held.amount))
    }

    /// What will be spent at the end of the window if it goes on as until now; nil for a window without an end, or one
    /// that has only begun.
    package var forecast: NanoUSD? {
        let start = Int64(self.window.startMinute) * 60
        let elapsed = self.now.seconds - start
        guard self.window.end < .max, elapsed >= 60 else { return nil }
        let length = self.window.end / 1_000_000 - start
        let product = UInt64(max(0, self.spent.amount)).multipliedFullWidth(by: UInt64(max(0, length)))
        guard product.high < UInt64(elapsed) else { return .max }
        return NanoUSD(Int64(clamping: UInt64(elapsed).dividingFullWidth(product).quotient))
    }

    private var startsAt: Timestamp {
        self.rolling.map { self.now.adding(seconds: -$0.seconds) } ?? self.window.start
    }
    private var endsAt: Timestamp? {
        if self.rolling != nil { return self.now }
        return self.window.end < .max ? Timestamp(microseconds: self.window.end) : nil
    }

    package static let schema = Schema.named(
        "BudgetStatus",
        .object(
            [
                .required("budget", .id(BudgetKind.self)), .required("window_starts_at", .timestamp),
                .required(
                    "window_ends_at",
                    Schema.timestamp.orNull.described("Null for never; now for a rolling window.")),
            ] + Self.moneyMembers + [
                .required(
                    "gateways",
                    .list(
                        of: .object(
                            [
                                .required("gateway", .id(GatewayKind.self)),
                                .required("process", .string(.length(16...16))),
                                .required("state", .choice("open", "suspense", "closed")),
                                .required("renewed_at", .timestamp),
                            ]
                                + ["granted", "returned", "posted", "reserved", "settled"].map {
                                    .required("\($0)_nano_usd", .decimal)
                                })))
            ])
    )

    private static var moneyMembers: [Schema.Member] {
        let explained = [
            ("limit", "What may be spent: the amount, increases, and what was carried over."),
            ("spent", "As far as usage has arrived."),
            ("escrow", "Held by gateways, or spent and not reported yet."),
            ("suspense", "The same of gateways that say nothing any more, until their usage arrives."),
            ("left", "What gateways can still be granted."),
        ]
        return explained.flatMap { name, text -> [Schema.Member] in
            [
                .required("\(name)_nano_usd", Schema.decimal.described(text)),
                .required("\(name)_usd", .string(.dollars)),
            ]
        } + [.required("forecast_usd", Schema.string(.dollars).orNull.described("At the window's end, as until now."))]
    }

    package var json: JSONValue {
        var members: [String: JSONValue] = [
            "budget": JSONValue(self.budget), "window_starts_at": JSONValue(self.startsAt),
            "window_ends_at": JSONValue(self.endsAt),
            "forecast_usd": JSONValue(self.forecast), "gateways": .array(self.leases.map(\.json)),
        ]
        let amounts = [
            ("limit", self.limit), ("spent", self.spent), ("escrow", self.escrow(.open)),
            ("suspense", self.escrow(.suspense)), ("left", self.left),
        ]
        for (name, amount) in amounts {
            members["\(name)_nano_usd"] = .string(String(max(0, amount.amount)))
            members["\(name)_usd"] = JSONValue(max(.zero, amount))
        }
        return .object(members)
    }
}

extension BudgetStatus.Lease {
    fileprivate var json: JSONValue {
        let digits = String(self.process, radix: 16)
        return [
            "gateway": JSONValue(self.gateway),
            "process": .string(String(repeating: "0", count: 16 - digits.count) + digits),
            "state": .string(self.state.phase.rawValue), "renewed_at": JSONValue(self.renewedAt),
            "granted_nano_usd": .string(String(self.state.granted)),
            "returned_nano_usd": .string(String(self.state.returned)),
            "posted_nano_usd": .string(String(self.state.posted)),
            "reserved_nano_usd": .string(String(self.state.reserved)),
            "settled_nano_usd": .string(String(self.state.settled)),
        ]
    }
}

extension Budgets {
    /// Where a budget stands in the window that an instant is in; now when nil, as a rolling budget needs it.
    package func status(
        _ id: BudgetID, at instant: Timestamp?, as context: OperationContext
    ) async throws -> BudgetStatus {
        let now = context.time
        return try await self.reads.perform(.budgetsRead, as: context) { tx, sight in
            let budget = try Self.seen(id, sight, &tx)
            guard budget.rolling == nil || instant == nil else {
                throw ControlError.invalid("A rolling budget has no window but the one that ends now.", at: "at")
            }
            return try Self.status(of: budget, at: instant, now: now, &tx)
        }
    }

    /// Where it stands now, for whoever may see it.
    func standing(of id: BudgetID, now: Timestamp) async throws -> BudgetStatus {
        try await self.database.transaction(.readOnly) { tx in
            try Self.status(of: try BudgetStore.fetch(id, &tx), at: nil, now: now, &tx)
        }
    }

    private static func status(
        of budget: Budget, at instant: Timestamp?, now: Timestamp, _ tx: inout Transaction
    ) throws -> BudgetStatus {
        let id = budget.id
        guard let row = try tx.queryOne("select since, offsets from zone_offset where zone = $1", budget.timeZone)
        else { throw ControlError.notFound("time zone") }
        let window = BudgetWindow.containing(
            instant ?? now, budget.rolling == nil ? budget.period : .total, in: try ZoneOffsetStore.offsets(row))
        let account = try tx.queryOne(
            "select id, spent_before, carried from budget_account where budget_id = $1 and start_minute = $2", id,
            Int64(window.startMinute)
        )
        let increase = try LeaseStore.increases(of: [id], at: now, &tx)[id] ?? 0
        let accountID: Int64? = try account?.get("id")
        var passed: Int64?
        if let accountID, let rolling = budget.rolling {
            passed = try RollingStore.passed([(accountID, rolling)], at: now, &tx)[accountID]
        }
        let carried: NanoUSD = try account?.get("carried") ?? .zero
        return BudgetStatus(
            budget: id, window: window,
            limit: budget.amount.addingSaturating(NanoUSD(increase)).addingSaturating(carried),
            spentBefore: try account?.get("spent_before") ?? .zero,
            rolling: budget.rolling, passed: NanoUSD(passed ?? 0),
            leases: try accountID.map { try Self.leases(of: $0, &tx) } ?? [], now: now
        )
    }

    /// All leases of an account.
    private static func leases(of account: Int64, _ tx: inout Transaction) throws -> [BudgetStatus.Lease] {
        try tx.query(
            """
            select gateway_id, process, granted, returned, posted, reserved, settled, sequence, state, renewed_at
            from budget_lease where account_id = $1 order by gateway_id, process
            """, account
        ).map { row in
            BudgetStatus.Lease(
                gateway: try row.get("gateway_id"),
                process: UInt64(bitPattern: try row.get("process", as: Int64.self)), state: try LeaseState(row),
                renewedAt: try row.get("renewed_at"))
        }
    }
}
