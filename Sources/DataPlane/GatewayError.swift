package import Shared

/// Why a request was refused or failed: what the client is told, and what it may do about it.
package struct GatewayError: Error, Sendable {
    /// Whose doing it is.
    package enum Source: UInt8, Sendable { case downstream, gateway, upstream }

    /// What refused: the level of the scope tree and its id, when a rule of one did.
    package enum Subject: Sendable, Equatable {
        case none
        case key(VirtualKeyID)
        case node(NodeID)
        case alias
        case budget(BudgetRefusal)
        case rateLimit(RateLimitRefusal)
        case tag(TagName)
    }

    package let source: Source
    package let code: Code
    package let subject: Subject
    /// The member of the body or the field of the head that it is about; empty for none.
    package let parameter: StaticString
    /// Offset into the body; negative for none.
    package let offset: Int
    /// Seconds after which trying again makes sense; negative for none.
    package let retryAfter: Int
    /// Said instead of the code's own words; nothing in it comes from the wire.
    package let detail: StaticString?

    package init(
        _ code: Code, source: Source = .downstream, subject: Subject = .none, parameter: StaticString = "",
        offset: Int = -1, retryAfter: Int = -1, detail: StaticString? = nil
    ) {
        self.source = source
        self.code = code
        self.subject = subject
        self.parameter = parameter
        self.offset = offset
        self.retryAfter = retryAfter
        self.detail = detail
    }

    /// As usage keeps it; nil where no single rule refused.
    var refusal: UsageRefusal? {
        switch self.subject {
        case .key(let id): UsageRefusal(level: .key, rule: id.value)
        case .budget(let budget):
            UsageRefusal(
                level: budget.level, rule: budget.budget.value, left: budget.left?.amount ?? 0,
                needed: budget.needed.amount)
        case .rateLimit(let limit):
            UsageRefusal(level: limit.level, rule: limit.limit.value, left: limit.left, needed: limit.needed)
        case .none, .node, .alias, .tag: nil
        }
    }

    /// Stable codes: part of the API, of metrics and of usage records.
    package enum Code: UInt8, Sendable, CaseIterable {
        case badRequest, invalidJSON, invalidBody, bodyTooLarge, unsupportedMediaType
        case missingKey, invalidKey, keyDisabled, keyRevoked, keyExpired, ownerDisabled, scopeDisabled
        case networkNotAllowed, modelNotAllowed, modelNotFound
        case endpointNotFound, methodNotAllowed
        case notReady, overloaded, noUsageSpace, draining
        case noTarget, upstreamUnreachable, upstreamTimeout, upstreamProtocol, upstreamRejectedCredential
        case upstreamRateLimited, upstreamFailed
        case requestTimeout, clientGone
        case modelNotPriced
        case budgetExceeded, budgetUnavailable, costUnbounded
        case invalidTags, tagNotDeclared, tagRequired
        case rateLimitExceeded, rateLimitUnavailable, requestExceedsRateLimit

        package var status: Int {
            switch self {
            case .badRequest, .invalidJSON, .invalidBody, .invalidTags, .tagNotDeclared, .tagRequired: 400
            case .bodyTooLarge: 413
            case .unsupportedMediaType: 415
            case .missingKey, .invalidKey, .keyDisabled, .keyRevoked, .keyExpired, .ownerDisabled, .scopeDisabled: 401
            case .budgetExceeded: 402
            case .networkNotAllowed, .modelNotAllowed, .modelNotPriced, .costUnbounded: 403
            case .modelNotFound, .endpointNotFound: 404
            case .methodNotAllowed: 405
            case .requestTimeout: 408
            case .upstreamRateLimited, .rateLimitExceeded, .requestExceedsRateLimit: 429
            case .notReady, .overloaded, .noUsageSpace, .draining, .noTarget, .budgetUnavailable,
                .rateLimitUnavailable:
                503
            case .upstreamUnreachable, .upstreamProtocol, .upstreamRejectedCredential, .upstreamFailed: 502
            case .upstreamTimeout: 504
            case .clientGone: 499
            }
        }

        package var name: StaticString {
            switch self {
            case .badRequest: "bad_request"
            case .invalidJSON: "invalid_json"
            case .invalidBody: "invalid_body"
            case .bodyTooLarge: "body_too_large"
            case .unsupportedMediaType: "unsupported_media_type"
            case .missingKey: "missing_api_key"
            case .invalidKey: "invalid_api_key"
            case .keyDisabled: "key_disabled"
            case .keyRevoked: "key_revoked"
            case .keyExpired: "key_expired"
            case .ownerDisabled: "owner_disabled"
            case .scopeDisabled: "scope_disabled"
            case .networkNotAllowed: "network_not_allowed"
            case .modelNotAllowed: "model_not_allowed"
            case .modelNotFound: "model_not_found"
            case .endpointNotFound: "endpoint_not_found"
            case .methodNotAllowed: "method_not_allowed"
            case .notReady: "gateway_not_ready"
            case .overloaded: "gateway_overloaded"
            case .noUsageSpace: "usage_spool_full"
            case .draining: "gateway_draining"
            case .noTarget: "no_target_available"
            case .upstreamUnreachable: "upstream_unreachable"
            case .upstreamTimeout: "upstream_timeout"
            case .upstreamProtocol: "upstream_protocol_error"
            case .upstreamRejectedCredential: "upstream_rejected_credential"
            case .upstreamRateLimited: "upstream_rate_limited"
            case .upstreamFailed: "upstream_failed"
            case .requestTimeout: "request_timeout"
            case .clientGone: "client_gone"
            case .modelNotPriced: "model_not_priced"
            case .budgetExceeded: "budget_exceeded"
            case .budgetUnavailable: "budget_unavailable"
            case .costUnbounded: "cost_unbounded"
            case .invalidTags: "invalid_tags"
            case .tagNotDeclared: "tag_not_declared"
            case .tagRequired: "tag_required"
            case .rateLimitExceeded: "rate_limit_exceeded"
            case .rateLimitUnavailable: "rate_limit_unavailable"
            case .requestExceedsRateLimit: "request_exceeds_rate_limit"
            }
        }

        /// What the client is told; never a key, a provider's body or another tenant's name.
        package var message: StaticString {
            switch self {
            case .badRequest: "The request is not acceptable HTTP."
            case .invalidJSON: "The body is not valid JSON."
            case .invalidBody: "A member of the body is not acceptable."
            case .bodyTooLarge: "The body is larger than this gateway accepts."
            case .unsupportedMediaType: "The body must be application/json without a content encoding."
            case .missingKey: "No API key: send one as 'Authorization: Bearer sk-gh-...'."
            case .invalidKey: "The API key is not known."
            case .keyDisabled: "The API key is disabled."
            case .keyRevoked: "The API key was revoked."
            case .keyExpired: "The API key has expired."
            case .ownerDisabled: "The owner of the API key is disabled."
            case .scopeDisabled: "The project of the API key, or something above it, is disabled."
            case .networkNotAllowed: "The API key may not be used from this network."
            case .modelNotAllowed: "The API key may not use this model."
            case .modelNotFound: "The model does not exist here."
            case .endpointNotFound: "This gateway does not serve this endpoint."
            case .methodNotAllowed: "The endpoint does not have this method."
            case .notReady: "The gateway has no current policy to serve by."
            case .overloaded: "The gateway has no room for this request now."
            case .noUsageSpace: "The gateway has no room to record usage."
            case .draining: "The gateway is shutting down."
            case .noTarget: "No provider is available for this model now."
            case .upstreamUnreachable: "The provider cannot be reached."
            case .upstreamTimeout: "The provider did not answer in time."
            case .upstreamProtocol: "The provider's answer is not acceptable HTTP."
            case .upstreamRejectedCredential: "The provider refused the gateway's credential."
            case .upstreamRateLimited: "The provider is limiting the rate of requests."
            case .upstreamFailed: "The provider failed to answer."
            case .requestTimeout: "The request was not sent in time."
            case .clientGone: "The client went away."
            case .modelNotPriced: "The model has no price here, and what has none is not served."
            case .budgetExceeded: "A budget has not enough left for what this request may cost."
            case .budgetUnavailable: "What a budget has left cannot be found out now."
            case .costUnbounded:
                "Nothing bounds what this request may cost, and a hard budget applies: give a bound of the output."
            case .rateLimitExceeded: "A rate limit is reached."
            case .rateLimitUnavailable: "What a rate limit has left cannot be found out now."
            case .requestExceedsRateLimit: "The request may use more than a rate limit ever allows at once."
            // These are followed by the tag's name.
            case .invalidTags: "A tag is not acceptable"
            case .tagNotDeclared: "The project of the API key does not declare this tag"
            case .tagRequired: "The project of the API key requires this tag"
            }
        }
    }
}
