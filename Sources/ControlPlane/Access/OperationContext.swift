package import Shared

/// On whose behalf, in which request and when something is done.
///
/// The first thing that every operation is given.
package struct OperationContext: Sendable {
    package let actor: Actor
    package private(set) var authority: Authority
    package let request: RequestID
    package let time: Timestamp
    /// The address of the caller, when there is one.
    ///
    /// Personal data: it is logged sealed.
    package var remoteAddress: String?
    package var idempotency: Idempotency?
    /// The API token that the caller showed, when he did.
    package var token: TokenID?
    /// What exactly is asked for, when it changes something and may need approval.
    package var submission: Submission?

    /// The same with another authority.
    package func with(_ authority: Authority) -> OperationContext {
        var context = self
        context.authority = authority
        return context
    }

    package init(
        actor: Actor, authority: Authority, request: RequestID, time: Timestamp, remoteAddress: String? = nil,
        idempotency: Idempotency? = nil, token: TokenID? = nil
    ) {
        self.token = token
        self.actor = actor
        self.authority = authority
        self.request = request
        self.time = time
        self.remoteAddress = remoteAddress
        self.idempotency = idempotency
    }
}

/// The caller's name for a request that must take effect once, however often it is sent.
package struct Idempotency: Sendable {
    package let key: String
    /// SHA-256 of method, path and body: another request under the same name is refused.
    package let requestSHA256: [UInt8]
    package let status: Int

    package init(key: String, requestSHA256: [UInt8], status: Int) {
        self.key = key
        self.requestSHA256 = requestSHA256
        self.status = status
    }
}
