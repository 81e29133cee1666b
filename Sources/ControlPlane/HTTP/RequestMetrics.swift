import Synchronization

/// Counts requests by operation and status, and how long they took.
package final class RequestMetrics: Sendable {
    private struct Series {
        var statuses: [Int: Int] = [:]
        var buckets = [Int](repeating: 0, count: RequestMetrics.bounds.count)
        var count = 0
        var nanoseconds: UInt64 = 0
    }

    /// Upper bounds of the histogram: text for Prometheus, and nanoseconds.
    static let bounds: [(text: String, nanoseconds: UInt64)] = [
        ("0.005", 5_000_000), ("0.025", 25_000_000), ("0.1", 100_000_000), ("0.5", 500_000_000), ("2.5", 2_500_000_000),
        ("10", 10_000_000_000), ("60", 60_000_000_000),
    ]

    private let series = Mutex<[String: Series]>([:])

    package init() {}

    package func count(_ operation: String, status: Int, nanoseconds: UInt64) {
        self.series.withLock { all in
            var series = all[operation] ?? Series()
            series.statuses[status, default: 0] += 1
            series.count += 1
            series.nanoseconds += nanoseconds
            for (index, bound) in Self.bounds.enumerated() where nanoseconds <= bound.nanoseconds {
                series.buckets[index] += 1
            }
            all[operation] = series
        }
    }

    /// Prometheus text.
    package var text: String {
        let all = self.series.withLock { $0 }.sorted { $0.key < $1.key }
        var text = "# HELP gatehouse_control_requests_total Requests answered.\n"
        text += "# TYPE gatehouse_control_requests_total counter\n"
        for (operation, series) in all {
            for (status, count) in series.statuses.sorted(by: { $0.key < $1.key }) {
                text += "gatehouse_control_requests_total{operation=\"\(operation)\",status=\"\(status)\"} \(count)\n"
            }
        }
        text += "# HELP gatehouse_control_request_seconds How long requests took.\n"
        text += "# TYPE gatehouse_control_request_seconds histogram\n"
        for (operation, series) in all {
            for (bound, count) in zip(Self.bounds, series.buckets) {
                let labels = "operation=\"\(operation)\",le=\"\(bound.text)\""
                text += "gatehouse_control_request_seconds_bucket{\(labels)} \(count)\n"
            }
            text += "gatehouse_control_request_seconds_bucket{operation=\"\(operation)\",le=\"+Inf\"} \(series.count)\n"
            text += "gatehouse_control_request_seconds_sum{operation=\"\(operation)\"} "
            text += "\(Self.seconds(series.nanoseconds))\n"
            text += "gatehouse_control_request_seconds_count{operation=\"\(operation)\"} \(series.count)\n"
        }
        return text
    }

    private static func seconds(_ nanoseconds: UInt64) -> String {
        let fraction = String(nanoseconds % 1_000_000_000)
        return "\(nanoseconds / 1_000_000_000)." + String(repeating: "0", count: 9 - fraction.count) + fraction
    }
}
