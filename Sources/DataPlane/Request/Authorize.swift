import Shared

/// Says whether a caller may use a model.
enum Authorize {
    /// The route that the requested name means for the caller.
    ///
    /// A name that is nowhere visible is 404, one that the key's policy excludes is 403.
    static func route(
        _ name: borrowing ShortText, caller: borrowing Caller, policy: PolicyIndex
    ) throws(GatewayError) -> Handle {
        let alias = name.withSpan { policy.alias($0) }
        let route = policy.route(alias: alias, at: caller.node)
        guard route >= 0 else { throw GatewayError(.modelNotFound, subject: .alias, parameter: "model") }
        guard policy.allows(policy: caller.policy, alias: alias) else {
            throw GatewayError(.modelNotAllowed, subject: .key(caller.key), parameter: "model")
        }
        return route
    }
}
