import Postgres
import Shared

/// Prometheus text of single figures.
enum Figure {
    static func text(_ name: String, _ kind: String, _ help: String, _ value: some CustomStringConvertible) -> String {
        "# HELP gatehouse_\(name) \(help)\n# TYPE gatehouse_\(name) \(kind)\ngatehouse_\(name) \(value)\n"
    }

    static func seconds(microseconds: Int64) -> String {
        let fraction = String(microseconds.magnitude % 1_000_000)
        let zeros = String(repeating: "0", count: 6 - fraction.count)
        return "\(microseconds < 0 ? "-" : "")\(microseconds.magnitude / 1_000_000).\(zeros)\(fraction)"
    }

    static func text(of database: Database) -> String {
        let (busy, waiting) = database.usage
        return Self.text("database_connections_busy", "gauge", "Database connections in use.", busy)
            + Self.text("database_waiting", "gauge", "Calls that wait for a database connection.", waiting)
    }
}

extension Publisher.Figures {
    /// Prometheus text.
    var text: String {
        Figure.text("publisher_leader", "gauge", "Whether this replica publishes.", self.isLeader ? 1 : 0)
            + Figure.text("snapshots_published_total", "counter", "Snapshots published.", self.published)
            + Figure.text("publishing_failures_total", "counter", "Failures to publish.", self.failures)
            + Figure.text(
                "publish_seconds", "gauge", "How long the last one took.",
                Figure.seconds(microseconds: Int64(self.lastMicroseconds)))
    }
}

extension Denials.Figures {
    /// Prometheus text.
    var text: String {
        var text = "# HELP gatehouse_denials_total Requests refused for who sent them, by reason.\n"
        text += "# TYPE gatehouse_denials_total counter\n"
        for (reason, count) in self.byReason.sorted(by: { $0.key < $1.key }) {
            text += "gatehouse_denials_total{reason=\"\(reason)\"} \(count)\n"
        }
        return text
            + Figure.text("denials_waiting", "gauge", "Entries of denials that wait to be recorded.", self.waiting)
            + Figure.text(
                "denials_dropped_total", "counter", "Denials recorded as a number, without their caller.", self.dropped)
            + Figure.text("denials_recorded_total", "counter", "Audit events written for denials.", self.written)
            + Figure.text("denials_failures_total", "counter", "Failures to record denials.", self.failures)
    }
}

extension IngestFigures.Values {
    /// Prometheus text.
    var text: String {
        """
        # HELP gatehouse_usage_records_total Usage records from gateways, by what became of them.
        # TYPE gatehouse_usage_records_total counter
        gatehouse_usage_records_total{result="stored"} \(self.stored)
        gatehouse_usage_records_total{result="rejected"} \(self.rejected)
        gatehouse_usage_records_total{result="mispriced"} \(self.mispriced)
        gatehouse_usage_records_total{result="lost"} \(self.lost)
        # HELP gatehouse_usage_other_tags_total Records whose tags were one set too many for their organization.
        # TYPE gatehouse_usage_other_tags_total counter
        gatehouse_usage_other_tags_total \(self.otherTags)
        # HELP gatehouse_usage_batches_repeated_total Batches that were stored already or came too early.
        # TYPE gatehouse_usage_batches_repeated_total counter
        gatehouse_usage_batches_repeated_total \(self.repeated)
        # HELP gatehouse_usage_ingest_lag_seconds From the end of the oldest request of the last batch to its storing.
        # TYPE gatehouse_usage_ingest_lag_seconds gauge
        gatehouse_usage_ingest_lag_seconds \(Figure.seconds(microseconds: self.lag))

        """
    }
}

extension Jobs.Figures {
    /// Prometheus text; figures of the ledger only where they are known: at the replica that checks it.
    var text: String {
        var text =
            Figure.text("jobs_leader", "gauge", "Whether this replica does the periodic jobs.", self.isLeader ? 1 : 0)
            + Figure.text("job_failures_total", "counter", "Periodic jobs that failed.", self.failures)
        if let ahead = self.partitionsAhead {
            text += Figure.text(
                "usage_partitions_ahead", "gauge", "Days after today that usage has a partition for.", ahead)
        }
        if !self.removed.isEmpty {
            text += "# HELP gatehouse_rows_removed_total Rows that nobody needs any more, by table.\n"
            text += "# TYPE gatehouse_rows_removed_total counter\n"
            for (table, count) in self.removed.sorted(by: { $0.key < $1.key }) {
                text += "gatehouse_rows_removed_total{table=\"\(table)\"} \(count)\n"
            }
        }
        guard let ledger else { return text }
        let figures = ledger.identities
        for (name, help, value) in [
            ("ledger_holds", "Whether what must be true of usage and money is.", ledger.holds ? 1 : 0),
            ("ledger_checked_at_seconds", "When that was checked, in Unix time.", ledger.checkedAt.seconds),
            ("ledger_records", "Usage records stored.", figures.events),
            ("ledger_records_rejected", "Usage records rejected.", figures.rejected),
            ("ledger_records_lost", "Usage records declared lost.", figures.lost),
            ("ledger_records_delivered", "Usage records that the streams say were delivered.", figures.watermarks),
            ("ledger_records_nano_usd", "Money in the records.", figures.eventCost),
            ("ledger_records_unfolded", "Usage records stored that the sums lacked.", figures.unfolded.records),
            ("ledger_corrections_nano_usd", "Money that re-ratings changed.", figures.corrections),
            ("ledger_mispriced", "Records that cost other than the control plane computes.", figures.mispriced),
        ] {
            text += Figure.text(name, "gauge", help, Int(value))
        }
        for (name, help, value) in [
            ("ledger_level_records", "Usage records in the sums of each level.", \LedgerIdentities.Sum.records),
            ("ledger_level_nano_usd", "Money in the sums of each level.", \LedgerIdentities.Sum.cost),
            (
                "ledger_level_corrections_nano_usd", "Corrections in the sums of each level.",
                \LedgerIdentities.Sum.corrections
            ),
        ] {
            text += "# HELP gatehouse_\(name) \(help)\n# TYPE gatehouse_\(name) gauge\n"
            for level in UsageLevel.allCases {
                let sum = figures.levels[level] ?? .init()
                text += "gatehouse_\(name){level=\"\(level.rawValue)\"} \(sum[keyPath: value])\n"
            }
        }
        return text
    }
}

extension ThresholdWatch.Figures {
    /// Prometheus text.
    var text: String {
        Figure.text(
            "budget_thresholds_reached_total", "counter", "Events that this replica raised for thresholds of budgets.",
            self.raised)
            + Figure.text(
                "budget_threshold_failures_total", "counter", "Failures to look at thresholds of budgets.",
                self.failures)
    }
}

extension WebhookDeliverer.Figures {
    /// Prometheus text.
    func text(at now: Timestamp) -> String {
        let age = self.waitingSince.map { max(0, now.seconds - $0.seconds) } ?? 0
        var text =
            "# HELP gatehouse_webhook_attempts_total Attempts to deliver events to webhooks, by how they ended.\n"
        text += "# TYPE gatehouse_webhook_attempts_total counter\n"
        for outcome in WebhookDeliverer.Outcome.allCases {
            text += "gatehouse_webhook_attempts_total{outcome=\"\(outcome.rawValue)\"} "
            text += "\(self.attempts[outcome] ?? 0)\n"
        }
        return text
            + Figure.text(
                "webhook_delivery_failures_total", "counter", "Failures to take or to store deliveries.",
                self.failures)
            + Figure.text("webhook_deliveries_waiting", "gauge", "Deliveries that wait, of all replicas.", self.waiting)
            + Figure.text(
                "webhook_deliveries_waiting_age_seconds", "gauge", "For how long the oldest of them has waited.",
                Int(age))
    }
}

extension Rollups.Figures {
    /// Prometheus text.
    func text(at now: Timestamp) -> String {
        let age = self.waitingSince.map { max(0, now.seconds - $0.seconds) } ?? 0
        return Figure.text("usage_folded_total", "counter", "Usage records folded by this replica.", Int(self.folded))
            + Figure.text("usage_fold_failures_total", "counter", "Failures to fold usage.", self.failures)
            + Figure.text("usage_unfolded", "gauge", "Usage records that wait to be folded.", Int(self.waiting))
            + Figure.text(
                "corrections_folded_total", "counter", "Corrections folded by this replica.",
                Int(self.foldedCorrections))
            + Figure.text(
                "corrections_unfolded", "gauge", "Corrections that wait to be folded.", Int(self.waitingCorrections))
            + Figure.text(
                "usage_unfolded_age_seconds", "gauge", "For how long the oldest of them has waited.", Int(age))
    }
}

extension LeaseRenewals.Figures {
    /// Prometheus text.
    var text: String {
        Figure.text("renewals_waiting", "gauge", "Gateways that wait for a renewal.", self.waiting)
            + Figure.text("renewals_total", "counter", "Renewals of gateways.", self.renewals)
            + Figure.text(
                "renewal_transactions_total", "counter", "Transactions that renewed, one or several gateways each.",
                self.transactions)
            + Figure.text(
                "renewals_alone_total", "counter",
                "Renewals made again on their own: their usage was being stored, or one of several failed.",
                self.alone)
            + Figure.text(
                "renewals_refused_total", "counter", "Renewals refused because too many waited.", self.refused)
    }
}
