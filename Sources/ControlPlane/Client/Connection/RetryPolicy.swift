/// Whether, and after how long, a request is sent again.
///
/// Only what cannot take effect twice is: reads, what has an idempotency key, and what the server says it did not do.
package struct RetryPolicy: Sendable {
    /// How often at most, the first time included.
    package var attempts = 5
    /// The longest pause that a server may ask for; what asks for more is told to the user instead.
    package var longestPause: Duration = .seconds(20)
    /// The first pause without a server's word; it doubles.
    package var firstPause: Duration = .milliseconds(250)

    package init() {}

    /// What happened to a request.
    package enum Outcome: Sendable {
        case answered(status: Int, retryAfter: String?, code: String?)
        /// The connection broke after it was sent, or nothing came in time.
        case lost
    }

    /// - Parameter attempt: counted from 1.
    /// - Returns: nil when it is not sent again.
    package func pause(after outcome: Outcome, attempt: Int, isRepeatable: Bool, jitter: Double) -> Duration? {
        guard attempt < self.attempts else { return nil }
        let own = self.firstPause * (1 << min(attempt - 1, 10)) * (0.5 + jitter / 2)
        switch outcome {
        case .lost: return isRepeatable ? own : nil
        case .answered(let status, let retryAfter, let code):
            guard status == 429 || status == 503 || (isRepeatable && (status == 502 || status == 504)),
                isRepeatable || code != "outcome_unknown"
            else { return nil }
            guard let seconds = retryAfter.flatMap({ Int64($0) }), seconds >= 0 else { return own }
            let asked = Duration.seconds(min(seconds, 86_400))
            return asked <= self.longestPause ? max(asked, own) : nil
        }
    }
}
