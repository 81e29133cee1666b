package import Shared

/// An event on its way to a webhook.
package struct WebhookDelivery: Sendable, Hashable {
    package enum State: String, Sendable, CaseIterable {
        /// To be tried, or tried again.
        case pending
        /// The receiver answered 2xx.
        case delivered
        /// Given up.
        case failed
    }

    package let webhook: WebhookID
    package let event: EventID
    package let eventType: String
    package let state: State
    /// Attempts that were begun.
    package let attempts: Int
    package let nextAt: Timestamp
    package let lastAt: Timestamp?
    /// The last answer's HTTP status; nil when there was none.
    package let lastStatus: Int?
    /// Why the last attempt failed.
    package let lastError: String?
    package let createdAt: Timestamp
    package let doneAt: Timestamp?

    package static let schema = Schema.named(
        "WebhookDelivery",
        .object([
            .required("event", .id(EventKind.self)), .required("event_type", .string(.length(1...64))),
            .required("state", .string(.oneOf(State.allCases.map(\.rawValue)))),
            .required("attempts", Schema.count.described("Attempts that were begun.")),
            .required("next_at", Schema.timestamp.orNull.described("When the next one is due.")),
            .required("last_at", Schema.timestamp.orNull),
            .required(
                "last_status",
                Schema.integer(100...999).orNull.described("The last answer's; null when there was none.")),
            .required("last_error", Schema.string(.length(1...500)).orNull),
            .required("created_at", .timestamp), .required("done_at", Schema.timestamp.orNull),
        ])
    )

    package var json: JSONValue {
        [
            "event": JSONValue(self.event), "event_type": .string(self.eventType),
            "state": .string(self.state.rawValue), "attempts": .integer(Int64(self.attempts)),
            "next_at": self.state == .pending ? JSONValue(self.nextAt) : .null, "last_at": JSONValue(self.lastAt),
            "last_status": self.lastStatus.map { .integer(Int64($0)) } ?? .null,
            "last_error": JSONValue(self.lastError), "created_at": JSONValue(self.createdAt),
            "done_at": JSONValue(self.doneAt),
        ]
    }
}

/// When a delivery that failed is tried again.
package enum WebhookSchedule {
    /// Seconds between one attempt and the next, before jitter: eleven attempts in 75 hours.
    package static let delays: [Int64] = [5, 60, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]
    /// Longest that a receiver's Retry-After is waited for.
    private static let retryAfterLimit: Int64 = 86_400
    /// In thousandths of a delay.
    package static let jitter: ClosedRange<Int64> = 800...1200

    /// When the attempt after so many is due; nil when there is none.
    ///
    /// - Parameters:
    ///   - attempts: that were begun.
    ///   - jitter: of `WebhookSchedule.jitter`.
    ///   - retryAfter: the seconds that the receiver asked for.
    package static func next(
        after attempts: Int, at now: Timestamp, jitter: Int64, retryAfter: Int64? = nil
    ) -> Timestamp? {
        guard attempts >= 1, attempts <= Self.delays.count else { return nil }
        let microseconds = Self.delays[attempts - 1] * 1000 * jitter
        let asked = min(max(0, retryAfter ?? 0), Self.retryAfterLimit)
        return now.adding(microseconds: max(microseconds, asked * 1_000_000))
    }
}
