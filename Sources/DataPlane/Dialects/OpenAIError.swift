import Shared

/// Errors as OpenAI's clients read them (https://platform.openai.com/docs/guides/error-codes): the SDKs choose the class of
/// the exception by the status, and show `message`, `type`, `param` and `code`.
enum OpenAIError {
    /// Writes head and body of an error answer.
    ///
    /// - Parameters:
    ///   - closes: whether the connection ends with it.
    ///   - withBody: false for the answer to HEAD.
    static func write<Sink: ByteWriting>(
        _ error: GatewayError, request: borrowing RequestIDText, closes: Bool, withBody: Bool,
        date: borrowing HTTPDate, to sink: inout Sink
    ) {
        var body: [UInt8] = []
        body.reserveCapacity(320)
        Self.writeBody(error, request: request, to: &body)
        sink.writeStatusLine(error.code.status)
        sink.writeDate(date)
        sink.writeField("content-type", "application/json")
        sink.writeField("content-length", decimal: body.count)
        request.withSpan { sink.writeField("x-request-id", $0) }
        if error.retryAfter >= 0 { sink.writeField("retry-after", decimal: error.retryAfter) }
        if case .rateLimit(let refusal) = error.subject {
            sink.writeField("ratelimit-limit", decimal: Int(refusal.rate.amount))
            sink.writeField("ratelimit-remaining", decimal: Int(refusal.left))
            if error.retryAfter >= 0 { sink.writeField("ratelimit-reset", decimal: error.retryAfter) }
        }
        if error.code == .requestExceedsRateLimit { sink.writeField("x-should-retry", "false") }
        switch error.code.status {
        case 401: sink.writeField("www-authenticate", "Bearer")
        case 402, 403: sink.writeField("x-should-retry", "false")
        default: break
        }
        if closes { sink.writeField("connection", "close") }
        sink.endHead()
        if withBody { sink.write(body.span) }
    }

    /// `{"error": {...}}`, also the data of an error event in a stream that has begun.
    static func writeBody<Sink: ByteWriting>(
        _ error: GatewayError, request: borrowing RequestIDText, to sink: inout Sink
    ) {
        sink.write("{\"error\":{\"message\":\"")
        sink.write(error.detail ?? error.code.message)
        if error.offset >= 0 {
            sink.write(" (at byte ")
            sink.write(decimal: error.offset)
            sink.write(")")
        }
        if case .tag(let name) = error.subject {
            sink.write(": '")
            sink.write(name.utf8.span)
            sink.write("'.")
        }
        sink.write("\",\"type\":\"")
        sink.write(Self.type(error.code.status))
        sink.write("\",\"param\":")
        if error.parameter.utf8CodeUnitCount > 0 {
            sink.write("\"")
            sink.write(error.parameter)
            sink.write("\"")
        } else {
            sink.write("null")
        }
        sink.write(",\"code\":\"")
        sink.write(error.code.name)
        sink.write("\"")
        switch error.subject {
        case .none: break
        case .key(let id): Self.writeSubject("key", "\(id)", to: &sink)
        case .node(let id): Self.writeSubject("scope", "\(id)", to: &sink)
        case .alias: Self.writeSubject("model", "", to: &sink)
        case .budget(let refusal): Self.write(refusal, to: &sink)
        case .rateLimit(let refusal): Self.write(refusal, to: &sink)
        case .tag(let name): Self.writeSubject("tag", String(decoding: name.utf8, as: UTF8.self), to: &sink)
        }
        sink.write(",\"request_id\":\"")
        request.withSpan { sink.write($0) }
        sink.write("\"}}")
    }

    /// The level, the id, the window and what is left: `"level":"project","id":"bud_…",…`.
    private static func write<Sink: ByteWriting>(_ refusal: BudgetRefusal, to sink: inout Sink) {
        Self.writeSubject(refusal.level.name, "\(refusal.budget)", to: &sink)
        sink.write(",\"budget\":{\"period\":\"")
        sink.write(refusal.period.name.utf8.span)
        if refusal.isRolling { sink.write("\",\"window\":\"rolling") }
        sink.write("\",\"amount_usd\":\"")
        sink.write("\(refusal.amount)".utf8.span)
        sink.write("\"")
        if let left = refusal.left {
            sink.write(",\"left_usd\":\"")
            sink.write("\(left)".utf8.span)
            sink.write("\"")
        }
        if let ends = refusal.ends {
            sink.write(",\"window_ends_at\":\"")
            sink.write("\(ends)".utf8.span)
            sink.write("\"")
        }
        sink.write("}")
    }

    /// `"level":"key","id":"rl_…","rate_limit":{"meter":"requests","amount":60,"period":"minute",…}`.
    private static func write<Sink: ByteWriting>(_ refusal: RateLimitRefusal, to sink: inout Sink) {
        Self.writeSubject(refusal.level.name, "\(refusal.limit)", to: &sink)
        sink.write(",\"rate_limit\":{\"meter\":\"")
        sink.write(refusal.meter.name.utf8.span)
        sink.write("\",\"amount\":")
        sink.write(decimal: Int(refusal.rate.amount))
        if let period = refusal.rate.period {
            sink.write(",\"period\":\"")
            sink.write(period.name.utf8.span)
            sink.write("\",\"burst\":")
            sink.write(decimal: Int(refusal.rate.burst))
        }
        sink.write(",\"left\":")
        sink.write(decimal: Int(refusal.left))
        sink.write("}")
    }

    private static func writeSubject<Sink: ByteWriting>(_ level: StaticString, _ id: String, to sink: inout Sink) {
        sink.write(",\"level\":\"")
        sink.write(level)
        sink.write("\"")
        guard !id.isEmpty else { return }
        sink.write(",\"id\":\"")
        sink.write(id.utf8.span)
        sink.write("\"")
    }

    private static func type(_ status: Int) -> StaticString {
        switch status {
        case 401: "authentication_error"
        case 402: "insufficient_quota"
        case 403: "permission_error"
        case 404: "not_found_error"
        case 429: "rate_limit_error"
        case 500...: "server_error"
        default: "invalid_request_error"
        }
    }
}
