import Shared

/// What the gateway tells Prometheus.
enum GatewayMetrics {
    static func render(
        _ figures: LoopFigures, policy: PolicyStatus, usage: UsageDelivery.Figures?,
        leases: LeaseKeeper.Figures, clock: GatewayClock
    ) -> String {
        let counters = figures.counters
        var metrics = MetricsText()
        metrics.family("gatehouse_requests_total", "counter", "Finished requests by operation and status class.")
        for operation in Operation.allCases {
            for status in 0..<6 {
                let count = counters.requests[Int(operation.rawValue) * 6 + status]
                guard count > 0 || status == 2 else { continue }
                let label = status == 0 ? "none" : "\(status)xx"
                metrics.sample("gatehouse_requests_total", [("operation", "\(operation)"), ("status", label)], count)
            }
        }
        metrics.family("gatehouse_errors_total", "counter", "Refused and failed requests by code.")
        for code in GatewayError.Code.allCases {
            metrics.sample(
                "gatehouse_errors_total", [("code", code.name.description)], counters.errors[Int(code.rawValue)])
        }
        metrics.family("gatehouse_units_total", "counter", "Units used, by meter.")
        for meter in Meter.allCases {
            metrics.sample("gatehouse_units_total", [("meter", meter.name)], counters.units[Int(meter.rawValue)])
        }
        metrics.single("gatehouse_cost_nano_usd_total", "counter", "Cost of finished requests.", counters.cost)
        metrics.single(
            "gatehouse_usage_estimates_total", "counter", "Records whose units are a bound.", counters.estimates)
        metrics.single("gatehouse_requests_in_flight", "gauge", "Requests that are not finished.", counters.inFlight)
        metrics.single("gatehouse_upstream_attempts_total", "counter", "Requests sent to providers.", counters.attempts)
        metrics.single("gatehouse_upstream_retries_total", "counter", "Attempts after a failed one.", counters.retries)
        metrics.family("gatehouse_upstream_connections_total", "counter", "Connections taken for requests.")
        metrics.sample("gatehouse_upstream_connections_total", [("reused", "false")], counters.upstreamConnections)
        metrics.sample("gatehouse_upstream_connections_total", [("reused", "true")], counters.upstreamReused)
        metrics.single(
            "gatehouse_upstream_connections_idle", "gauge", "Idle connections to providers.", figures.upstreamIdle)
        metrics.single(
            "gatehouse_upstream_connections_open", "gauge", "Connections to providers.", figures.upstreamOpen)
        metrics.single("gatehouse_connections", "gauge", "Client connections.", figures.connections)
        metrics.single("gatehouse_body_bytes", "gauge", "Bytes of request bodies that are held.", figures.bodyBytes)
        metrics.single("gatehouse_received_bytes_total", "counter", "Bytes from clients.", counters.bytesIn)
        metrics.single("gatehouse_sent_bytes_total", "counter", "Bytes to clients.", counters.bytesOut)
        metrics.single(
            "gatehouse_unattributed_total", "counter", "Requests refused before a key was known.", counters.unattributed
        )
        metrics.histogram(
            "gatehouse_request_duration_seconds", "From the first byte of a request to the end of its answer.",
            counters.durations)
        metrics.histogram(
            "gatehouse_first_byte_seconds", "From the first byte of a request to the first of its answer.",
            counters.firstBytes)
        metrics.histogram(
            "gatehouse_added_latency_seconds",
            "From the last byte of a request to its sending to a provider: what the gateway adds.", counters.added)
        metrics.histogram(
            "gatehouse_upstream_first_byte_seconds", "From the sending of a request to the first byte of its answer.",
            counters.upstream)
        metrics.single(
            "gatehouse_loop_lag_seconds", "gauge",
            "By how much the latest event loop was late in the last half minute.",
            MetricsText.seconds(Int64(clamping: figures.lag / 1000)))
        metrics.single(
            "gatehouse_tag_sets", "gauge", "Sets of tags that are told apart, by each loop.", figures.tagSets)
        metrics.single(
            "gatehouse_tag_others_total", "counter", "Requests whose tags have a value that was counted as (other).",
            figures.tagOthers)
        GenAIMetrics.render(counters.models, to: &metrics)
        metrics.single(
            "gatehouse_snapshot_epoch", "gauge", "Epoch of the snapshot that is served.", policy.version.epoch)
        metrics.single(
            "gatehouse_snapshot_version", "gauge", "Version of the snapshot that is served.", policy.version.version)
        metrics.single("gatehouse_snapshot_serving", "gauge", "1 while requests are served.", policy.isServing ? 1 : 0)
        metrics.single(
            "gatehouse_fenced", "gauge", "1 while shut out because another process has this gateway's identity.",
            policy.isFenced ? 1 : 0)
        if let epoch = policy.epoch {
            metrics.single("gatehouse_process_epoch", "gauge", "Counts the starts of this gateway.", epoch)
        }
        metrics.single("gatehouse_snapshot_applied_total", "counter", "Snapshots taken into service.", policy.applied)
        metrics.single("gatehouse_snapshot_refused_total", "counter", "Snapshots refused.", policy.refusals)
        if let fresh = policy.fresh {
            metrics.single(
                "gatehouse_snapshot_age_seconds", "gauge", "Since the control plane last said what is current.",
                MetricsText.seconds(max(0, clock.time.now().microseconds - fresh.microseconds))
            )
        }
        if let offset = clock.offset {
            metrics.single(
                "gatehouse_clock_offset_seconds", "gauge", "What this machine's clock is behind the control plane's.",
                MetricsText.seconds(offset)
            )
        }
        metrics.single(
            "gatehouse_budget_accounts", "gauge", "Budgets' windows that money is held of or charged to.",
            leases.accounts)
        metrics.single(
            "gatehouse_rate_limits", "gauge", "Rate limits that requests have counted for lately.", leases.rateLimits)
        metrics.single(
            "gatehouse_lease_renewals_total", "counter",
            "Talks with the control plane about money and shares of rate limits.", leases.renewals)
        metrics.single(
            "gatehouse_lease_failures_total", "counter", "Talks about money and shares that failed.", leases.failures)
        metrics.single("gatehouse_requests_parked", "gauge", "Requests that wait for money.", figures.parked)
        if let usage {
            metrics.single(
                "gatehouse_usage_waiting", "gauge", "Records not acknowledged at the last look.", usage.waiting)
            metrics.single("gatehouse_usage_shipped_total", "counter", "Records delivered.", usage.shipped)
            metrics.single("gatehouse_usage_failures_total", "counter", "Deliveries that failed.", usage.failures)
            metrics.single("gatehouse_usage_lost_total", "counter", "Records declared lost.", usage.lost)
        }
        return metrics.text
    }
}
