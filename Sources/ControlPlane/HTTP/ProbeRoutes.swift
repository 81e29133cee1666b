package import Postgres

/// What a process supervisor and a metrics scraper ask.
package enum ProbeRoutes {
    /// - Parameters:
    ///   - isSchemaRight: whether the database is where this build needs it; asked once a readiness.
    ///   - figures: further Prometheus text.
    package static func endpoints(
        database: Database, metrics: RequestMetrics, isSchemaRight: @escaping @Sendable () async -> Bool,
        figures: @escaping @Sendable () -> String
    ) -> [Endpoint] {
        let state = Schema.object([.required("status", .string(.length(1...64)))])
        return [
            Endpoint(
                .get, "/healthz", "probes.health", "Whether the process is alive", auth: .open, success: .json(state)
            ) { _ in .json(["status": "ok"]) },
            Endpoint(
                .get, "/readyz", "probes.ready", "Whether the database can be used", auth: .open, success: .json(state)
            ) { _ in
                do {
                    _ = try await database.transaction(.readOnly) { tx in try tx.execute("select 1") }
                } catch {
                    throw ControlError(
                        .unavailable, "not_ready", "The database cannot be reached.", internalDetail: "\(error)"
                    )
                }
                guard await isSchemaRight() else {
                    throw ControlError(.unavailable, "not_ready", "The database has another schema: run migrate.")
                }
                return .json(["status": "ready"])
            },
            Endpoint(
                .get, "/metrics", "probes.metrics", "Figures for Prometheus", auth: .open,
                success: .bytes(type: "text/plain; version=0.0.4")
            ) { _ in
                Answer(body: .bytes(Array((metrics.text + figures()).utf8), type: "text/plain; version=0.0.4"))
            },
        ]
    }
}
