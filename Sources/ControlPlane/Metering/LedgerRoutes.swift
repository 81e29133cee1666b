package import Postgres
import Shared

/// The endpoint of the ledger's identities.
package enum LedgerRoutes {
    package static func endpoints(_ database: Database) -> [Endpoint] {
        [
            Endpoint(
                .get, "/v1/ledger/identities", "ledger.identities",
                "What must always be true of usage and money, as of the last check (one a minute)",
                auth: .instance(.usageRead), success: .json(LedgerCheck.schema)
            ) { _ in
                let check = try await database.transaction(.readOnly) { tx in try LedgerCheckStore.load(&tx) }
                guard let check else {
                    throw ControlError(.unavailable, "not_checked", "The ledger was not checked yet: ask in a minute.")
                }
                return .json(check.json)
            }
        ]
    }
}

extension LedgerCheck {
    /// Of whatever was said: perhaps more than 64 bits, or with a minus.
    private static let sum = Schema.string(.length(1...31))

    static let schema = Schema.named(
        "LedgerIdentities",
        .object([
            .required("holds", .bool), .required("checked_at", .timestamp),
            .required("whole_at", Schema.timestamp.described("When everything was last read, not only what is new.")),
            .required("records", .count), .required("records_rejected", .count),
            .required("records_lost", Schema.count.described("What gateways declared lost: see /v1/usage/gaps.")),
            .required("records_delivered", Schema.count.described("What the streams say: stored, rejected, lost.")),
            .required("records_nano_usd", .decimal),
            .required(
                "records_unfolded", Schema.count.described("Stored, and not in the sums yet: a second or so.")),
            .required("unfolded_nano_usd", .decimal),
            .required(
                "corrections_nano_usd", Schema.signed.described("What re-ratings changed, by the corrections stored.")),
            .required("rerated_nano_usd", Schema.signed.described("The same, by the re-ratings.")),
            .required("unfolded_corrections_nano_usd", .signed),
            .required(
                "levels",
                .object(
                    UsageLevel.allCases.map { level in
                        .required(
                            level.rawValue,
                            .object([
                                .required("records", .count), .required("nano_usd", .decimal),
                                .required("corrections_nano_usd", .signed),
                            ])
                        )
                    }
                ).described(
                    "What is in the sums of each level, as it was settled and what was corrected: with what is unfolded,"
                        + " all that is stored.")
            ),
            .required("mispriced", .count),
            .required(
                "budget_accounts_differing",
                .list(
                    of: .object([
                        .required("budget", .id(BudgetKind.self)), .required("window_starts_at", .timestamp),
                        .required("held_nano_usd", Self.sum), .required("leases_held_nano_usd", Self.sum),
                        .required("settled_nano_usd", Self.sum), .required("leases_settled_nano_usd", Self.sum),
                        .required("checkpoint_nano_usd", Self.sum),
                    ])
                ).described(
                    "Windows of budgets of which what is kept as held and as spent is not what their leases come to, or, where they roll,"
                        + " a checkpoint says that more was settled than was;"
                        + " \(AccountSums.differencesLimit) at most.")),
        ])
    )

    var json: JSONValue {
        [
            "holds": .bool(self.holds), "checked_at": JSONValue(self.checkedAt), "whole_at": JSONValue(self.wholeAt),
            "records": .integer(self.identities.events), "records_rejected": .integer(self.identities.rejected),
            "records_lost": .integer(self.identities.lost),
            "records_delivered": .integer(self.identities.watermarks),
            "records_nano_usd": .string(String(self.identities.eventCost)),
            "records_unfolded": .integer(self.identities.unfolded.records),
            "unfolded_nano_usd": .string(String(self.identities.unfolded.cost)),
            "corrections_nano_usd": .string(String(self.identities.corrections)),
            "rerated_nano_usd": .string(String(self.identities.rerated)),
            "unfolded_corrections_nano_usd": .string(String(self.identities.unfolded.corrections)),
            "levels": .object(
                Dictionary(
                    uniqueKeysWithValues: UsageLevel.allCases.map { level in
                        let sum = self.identities.levels[level] ?? .init()
                        return (
                            level.rawValue,
                            [
                                "records": .integer(sum.records), "nano_usd": .string(String(sum.cost)),
                                "corrections_nano_usd": .string(String(sum.corrections)),
                            ]
                        )
                    })),
            "mispriced": .integer(self.identities.mispriced),
            "budget_accounts_differing": .array(
                self.accounts.differences.map { difference in
                    [
                        "budget": JSONValue(difference.budget), "window_starts_at": JSONValue(difference.start),
                        "held_nano_usd": .string(difference.held),
                        "leases_held_nano_usd": .string(difference.leasesHeld),
                        "settled_nano_usd": .string(difference.settled),
                        "leases_settled_nano_usd": .string(difference.leasesSettled),
                        "checkpoint_nano_usd": .string(difference.checkpoint),
                    ]
                }),
        ]
    }
}
