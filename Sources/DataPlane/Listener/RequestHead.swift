/// One request head, as offsets into the bytes it was parsed from.
///
/// Reused from request to request; the offsets count from the first byte given to the parser, leading empty lines
/// included. They mean nothing once those bytes are gone.
package struct RequestHead: ~Copyable {
    package enum Method: UInt8, Sendable { case get, head, post, put, delete, patch, options, connect, trace, other }

    package internal(set) var method = Method.other
    package internal(set) var methodRange = 0..<0
    /// The path from its `/`; empty for an absolute target without path, which means `/`; `*` for `OPTIONS *`.
    package internal(set) var path = 0..<0
    /// What follows the first `?`, or nil when there is none.
    package internal(set) var query: Range<Int>?
    package internal(set) var version = HTTPVersion.http11
    package internal(set) var fields = HTTPFields()
    /// None, a length or chunked; never until-close.
    package internal(set) var framing = BodyFraming.none
    /// The client waits for `100 Continue`.
    package internal(set) var expectsContinue = false
    /// The host of an absolute-form target.
    var authority: Range<Int>?

    package init() {}

    /// Whether another request may follow on this connection (RFC 9112 section 9.3).
    package var keepsAlive: Bool {
        if self.fields.connection.contains(.close) { return false }
        return self.version == .http11 || self.fields.connection.contains(.keepAlive)
    }

    mutating func reset() {
        self.method = .other
        self.methodRange = 0..<0
        self.path = 0..<0
        self.query = nil
        self.version = .http11
        self.fields.reset()
        self.framing = .none
        self.expectsContinue = false
        self.authority = nil
    }
}
