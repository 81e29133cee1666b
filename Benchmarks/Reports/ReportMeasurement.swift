import ControlPlane
import Postgres
import Shared

extension Duration {
    var seconds: Double {
        let parts = self.components
        return Double(parts.seconds) + Double(parts.attoseconds) / 1e18
    }

    /// Milliseconds, or seconds from ten on.
    var text: String {
        let tenths = Int((self.seconds * 10).rounded())
        return self.seconds < 10 ? "\(Int((self.seconds * 1000).rounded())) ms" : "\(tenths / 10).\(tenths % 10) s"
    }
}

/// What each report took at one size.
struct ReportMeasurement {
    let size: Int64
    let figures: [World.ReportFigure]
    let sizes: [(name: String, rows: Int64, megabytes: Int64)]

    /// The table of all sizes so far, in Markdown.
    static func table(_ measured: [ReportMeasurement]) -> String {
        var lines = [
            "| report | " + measured.map { "\($0.size): time (plan cost)" }.joined(separator: " | ") + " | answer |",
            "|---" + String(repeating: "|--:", count: measured.count + 1) + "|",
        ]
        for (index, figure) in (measured.last?.figures ?? []).enumerated() {
            let cells = measured.map { one in
                "\(one.figures[index].median.text) (\(one.figures[index].cost))"
            }
            lines.append(
                "| \(figure.name) | \(cells.joined(separator: " | ")) | \(figure.rows) rows, \(figure.bytes >> 10) KiB |"
            )
        }
        lines.append("")
        for one in measured {
            let tables = one.sizes.map { "\($0.name) \($0.rows) rows, \($0.megabytes) MiB" }
            lines.append("\(one.size): \(tables.joined(separator: "; "))")
        }
        return lines.joined(separator: "\n")
    }
}

extension World {
    struct ReportFigure: Sendable {
        let name: String
        /// Of the whole call but for the socket and the token: plan, sums, names, text.
        let median: Duration
        let slowest: Duration
        /// What the planner thinks the statement costs.
        let cost: String
        let rows: Int
        let bytes: Int
    }

    /// Reports as people ask for them: the query of the endpoint.
    func reports() -> [(name: String, query: [String: JSONValue])] {
        func day(_ back: Int64) -> JSONValue {
            .string(String(self.end.adding(seconds: -back * 86_400).description.prefix(10)))
        }
        let month: [String: JSONValue] = ["from": day(30), "to": day(0)]
        let key = VirtualKeyID(Self.md5("k7")).description
        let busy = VirtualKeyID(Self.md5("k0")).description
        let queries: [(String, [String: JSONValue])] = [
            ("month, total", [:]),
            ("month, by organization and model", ["group_by": "organization,model"]),
            ("month, by key", ["group_by": "key"]),
            ("month, by unit and day", ["group_by": "unit", "bucket": "day"]),
            ("month, by project, model and day", ["group_by": "project,model", "bucket": "day"]),
            (
                "month, by project and day, Berlin",
                [
                    "group_by": "project", "bucket": "day", "time_zone": "Europe/Berlin",
                ]
            ),
            (
                "month, by project and day, Kathmandu",
                [
                    "group_by": "project", "bucket": "day", "time_zone": "Asia/Kathmandu",
                ]
            ),
            (
                "month, by project and day, Los Angeles",
                [
                    "group_by": "project", "bucket": "day", "time_zone": "America/Los_Angeles",
                ]
            ),
            (
                "month, by project and day, Tokyo",
                [
                    "group_by": "project", "bucket": "day", "time_zone": "Asia/Tokyo",
                ]
            ),
            (
                "month, by project and day, Auckland",
                [
                    "group_by": "project", "bucket": "day", "time_zone": "Pacific/Auckland",
                ]
            ),
            (
                "month, by key, model and day, Tokyo (10,000 rows)",
                [
                    "group_by": "key,model", "bucket": "day", "time_zone": "Asia/Tokyo", "limit": 10_000,
                ]
            ),
            ("month, by model and hour", ["group_by": "model", "bucket": "hour"]),
            (
                "month, one organization, by key and day, Berlin",
                [
                    "organization": .string(OrganizationID(Self.md5("o1")).description), "group_by": "key",
                    "bucket": "day", "time_zone": "Europe/Berlin",
                ]
            ),
            ("month, the busiest key, by hour", ["key": .string(busy), "bucket": "hour"]),
            ("month, a key, by model and day", ["key": .string(key), "group_by": "model", "bucket": "day"]),
            (
                "month, every dimension (10,000 rows)",
                [
                    "group_by": .string(ReportDimension.allCases.map(\.rawValue).joined(separator: ",")),
                    "limit": 10_000,
                ]
            ),
            ("month, FOCUS", ["format": "focus", "limit": 10_000]),
            (
                "a day, by project and minute (10,000 rows)",
                [
                    "group_by": "project", "bucket": "minute", "from": day(2), "to": day(1), "limit": 10_000,
                ]
            ),
        ]
        return queries.map { ($0.0, month.merging($0.1) { $1 }) }
    }

    private static func md5(_ text: String) -> UUIDValue { MD5.uuid(text) }

    func measureReports(rounds: Int = 5) async throws -> [ReportFigure] {
        var figures: [ReportFigure] = []
        for (name, query) in self.reports() {
            var times: [Duration] = []
            var answer = try await self.ask(query)
            for _ in 0..<rounds {
                let began = ContinuousClock.now
                answer = try await self.ask(query)
                times.append(ContinuousClock.now - began)
            }
            times.sort()
            figures.append(
                ReportFigure(
                    name: name, median: times[rounds / 2], slowest: times[rounds - 1], cost: try await self.cost(query),
                    rows: answer.rows, bytes: answer.bytes))
        }
        return figures
    }

    /// What the endpoint does for such a query, from its parameters to its body.
    func ask(_ query: [String: JSONValue]) async throws -> (rows: Int, bytes: Int) {
        let report = try self.report(query)
        let isFocus = query["format"] == "focus"
        let time = TimeSource.system
        let context = OperationContext(
            actor: .anonymous, authority: .everything, request: time.newID(), time: time.now())
        let page = try await self.usage.page(report, as: context, months: isFocus)
        return (page.rows.count, isFocus ? FocusExport.csv(page).count : page.json.utf8.count)
    }

    private func report(_ query: [String: JSONValue]) throws -> ReportQuery {
        let isFocus = query["format"] == "focus"
        return try ReportQuery(query, required: isFocus ? FocusExport.groups : [], bucket: isFocus ? .day : nil)
    }

    private func cost(_ query: [String: JSONValue]) async throws -> String {
        let report = try self.report(query)
        return try await self.database.transaction(.readOnly) { tx in
            let grid = try TimeGrid.make(&tx, report, now: TimeSource.system.now())
            guard let part = ReportStore.parts(report, grid).first else { return "" }
            let plan = try tx.query(
                ReportStore.statement(report, grid, part, limit: report.limit + 1).explained)
            let line = try plan[0].get(at: 0, as: String.self)
            return String(line.split(separator: "..").dropFirst().first?.prefix { $0 != "." } ?? "")
        }
    }
}
