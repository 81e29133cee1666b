import Postgres
package import Shared

/// How gateways share a rate limit at the moment.
package struct RateLimitStatus: Sendable {
    /// What one process of a gateway has.
    package struct Share: Sendable {
        package let gateway: GatewayID
        package let process: UInt64
        package let state: ShareState
        package let renewedAt: Timestamp
    }

    package let limit: RateLimit
    package let shares: [Share]

    static func read(_ limit: RateLimit, at now: Timestamp, _ tx: inout Transaction) throws -> RateLimitStatus {
        let rows = try tx.query(
            """
            select gateway_id, process, share, granted, returned, renewed_at from rate_limit_share
            where limit_id = $1 and renewed_at > $2 order by gateway_id, process limit 1000
            """, limit.id, now.adding(seconds: -ShareRules.silentSeconds))
        return RateLimitStatus(
            limit: limit,
            shares: try rows.map { row in
                var state = ShareState()
                state.share = try row.get("share")
                state.granted = try row.get("granted")
                state.returned = try row.get("returned")
                return Share(
                    gateway: try row.get("gateway_id"),
                    process: UInt64(bitPattern: try row.get("process", as: Int64.self)), state: state,
                    renewedAt: try row.get("renewed_at"))
            })
    }

    package var json: JSONValue {
        [
            "rate_limit": JSONValue(self.limit.id),
            "gateways": .array(
                self.shares.map { share in
                    var json: [String: JSONValue] = [
                        "gateway": JSONValue(share.gateway),
                        "process": .string(String(share.process, radix: 16)),
                        "renewed_at": JSONValue(share.renewedAt),
                    ]
                    if self.limit.rate.period == nil {
                        json["held"] = .integer((share.state.granted - share.state.returned) / BucketRate.granules)
                    } else {
                        json["share_percent"] = .integer(share.state.share * 100 / BucketRate.parts)
                    }
                    return .object(json)
                }),
        ]
    }

    package static let schema = Schema.named(
        "RateLimitStatus",
        .object([
            .required("rate_limit", .id(RateLimitKind.self)),
            .required(
                "gateways",
                .list(
                    of: .object([
                        .required("gateway", .id(GatewayKind.self)),
                        .required("process", .string(.length(1...16))), .required("renewed_at", .timestamp),
                        .optional(
                            "held",
                            Schema.integer(0...BucketRate.amountLimit).described("Of what is counted at the same time.")
                        ),
                        .optional(
                            "share_percent",
                            Schema.integer(0...100).described("The part by which it lets requests through.")),
                    ]))),
        ])
    )
}
