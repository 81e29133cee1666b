import Shared

/// Figures by model under OpenTelemetry's names for generative AI, as Prometheus writes them: seconds where the convention
/// has `s`, `gen_ai.x` as `gen_ai_x`.
///
/// Source: https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/gen-ai/gen-ai-metrics.md
package enum GenAIMetrics {
    package static func render(_ models: ModelTable, to metrics: inout MetricsText) {
        guard !models.all.isEmpty else { return }
        let all = models.all.map { (labels: Self.labels($0.series), figures: $0) }
        let answered = all.filter { $0.figures.series.outcome == .completed }
        metrics.family(
            "gen_ai_client_operation_duration_seconds", "histogram", "Requests from first byte to end, by model.")
        for (labels, figures) in all {
            metrics.distribution("gen_ai_client_operation_duration_seconds", labels, figures.durations) {
                MetricsText.seconds($0)
            }
        }
        Self.times(
            "gen_ai_client_operation_time_to_first_chunk_seconds",
            "Streams: from sending a request to the first byte of its answer, by model.", answered, \.firstChunks,
            &metrics)
        Self.times(
            "gen_ai_server_time_per_output_token_seconds", "Streams: time for each token after the first, by model.",
            answered, \.outputTokenTimes, &metrics)
        metrics.family(
            "gen_ai_client_token_usage", "histogram", "Tokens of a request, as providers count them, by model.")
        for (labels, figures) in answered {
            for (kind, values) in [("input", figures.inputTokens), ("output", figures.outputTokens)] {
                metrics.distribution(
                    "gen_ai_client_token_usage", labels + [("gen_ai_token_type", kind)], values
                ) { String($0) }
            }
        }
        metrics.family("gatehouse_model_cost_nano_usd_total", "counter", "Cost of finished requests, by model.")
        for (labels, figures) in all {
            metrics.sample("gatehouse_model_cost_nano_usd_total", labels, figures.cost)
        }
    }

    private static func times(
        _ name: String, _ help: String, _ all: [(labels: [(String, String)], figures: ModelFigures)],
        _ values: KeyPath<ModelFigures, Distribution>, _ metrics: inout MetricsText
    ) {
        metrics.family(name, "histogram", help)
        for (labels, figures) in all where figures[keyPath: values].count > 0 {
            metrics.distribution(name, labels, figures[keyPath: values]) { MetricsText.seconds($0) }
        }
    }

    private static func labels(_ series: ModelFigures.Series) -> [(String, String)] {
        var labels = [
            ("gen_ai_operation_name", series.operation.name), ("gen_ai_provider_name", series.provider),
            ("gen_ai_request_model", series.name),
        ]
        // Two models of one name, at two providers of one kind, are two series.
        labels.append(("gatehouse_model", series.model.map { "\($0)" } ?? "other"))
        if series.outcome != .completed { labels.append(("error_type", series.outcome.name)) }
        return labels
    }
}
