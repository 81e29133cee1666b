/// Words of the control plane's refusals that gateways go by.
package enum LinkCode {
    /// A call is refused for its time alone.
    package static let expired = "assertion_expired"
    /// Two processes run under the gateway's identity, and the caller is one of them.
    package static let fenced = "gateway_fenced"
}
