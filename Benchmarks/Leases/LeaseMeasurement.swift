import Shared

/// What one load came to.
struct LeaseMeasurement {
    let keys: Int
    let gateways: Int
    let held: Int
    /// Accounts that were opened before the measurement, all told, and in how many seconds.
    let opened: Int
    let openedIn: Double
    let figures: LeaseGateway.Figures
    let seconds: Double
    /// Milliseconds.
    let database: (renewals: Double, other: Double)
    let holds: Bool

    static let head = """
        | keys | gateways | accounts each | opened in | renewals/s | accounts/s | renewal p50 | p99 | worst | \
        database, renewals | all else | records/s | batch p50 | p99 | had to wait | ledger |
        |--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|
        """

    var row: String {
        let all = (self.figures.renewals + self.figures.opening).sorted()
        let batches = self.figures.batches.sorted()
        let requests = self.figures.admitted + self.figures.waited
        let cells = [
            "\(self.keys)", "\(self.gateways)", "\(self.held) + \(LeaseWorld.nodes)",
            "\(self.opened) in \(Self.tenths(self.openedIn)) s", Self.tenths(Double(all.count) / self.seconds),
            "\(Int(Double(self.figures.accounts) / self.seconds))", Self.text(all, 50), Self.text(all, 99),
            Self.text(all, 100), self.share(self.database.renewals), self.share(self.database.other),
            "\(Int(Double(self.figures.stored) / self.seconds))", Self.text(batches, 50), Self.text(batches, 99),
            "\(self.figures.waited) of \(requests)"
                + (self.figures.refused > 0 ? ", \(self.figures.refused) refused" : ""),
            (self.holds ? "holds" : "DOES NOT HOLD")
                + (self.figures.failures > 0 ? ", \(self.figures.failures) failures" : ""),
        ]
        return "| " + cells.joined(separator: " | ") + " |"
    }

    /// Of one core, in per cent of the time measured.
    private func share(_ milliseconds: Double) -> String { "\(Int((milliseconds / self.seconds / 10).rounded())) %" }

    static func tenths(_ value: Double) -> String {
        let tenths = Int((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }

    /// Milliseconds at a percentile of sorted times.
    private static func text(_ times: [Duration], _ percentile: Int) -> String {
        guard !times.isEmpty else { return "none" }
        return Self.tenths(times[min(times.count - 1, times.count * percentile / 100)].seconds * 1000) + " ms"
    }
}
