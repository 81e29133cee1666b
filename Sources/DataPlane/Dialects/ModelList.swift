import Shared

/// The answers of `GET /v1/models` and `GET /v1/models/{model}` (https://platform.openai.com/docs/api-reference/models).
enum ModelList {
    static func write(_ policy: PolicyIndex, for caller: borrowing Caller, to body: inout [UInt8]) {
        body.write("{\"object\":\"list\",\"data\":[")
        var isFirst = true
        for handle in policy.aliases.indices {
            let alias = Handle(handle)
            guard policy.route(alias: alias, at: caller.node) >= 0, policy.allows(policy: caller.policy, alias: alias)
            else { continue }
            if !isFirst { body.write(",") }
            isFirst = false
            Self.write(policy.aliases[handle], to: &body)
        }
        body.write("]}")
    }

    /// An alias has only characters that need no escape in JSON.
    static func write(_ alias: AliasEntry, to body: inout [UInt8]) {
        body.write("{\"id\":\"")
        body.write(alias.name.span)
        body.write("\",\"object\":\"model\",\"created\":0,\"owned_by\":\"gatehouse\"}")
    }
}
