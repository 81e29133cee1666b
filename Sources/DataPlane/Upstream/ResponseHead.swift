/// One final response head, as offsets into the bytes it was parsed from.
package struct ResponseHead: ~Copyable {
    /// 200…599; interim answers are skipped.
    package internal(set) var status = 0
    package internal(set) var version = HTTPVersion.http11
    package internal(set) var fields = HTTPFields()
    package internal(set) var framing = BodyFraming.none

    package init() {}

    /// Whether the connection can serve another request once this body is read (RFC 9112 section 9.3).
    package var keepsAlive: Bool {
        if self.framing == .untilClose || self.fields.connection.contains(.close) { return false }
        return self.version == .http11 || self.fields.connection.contains(.keepAlive)
    }

    mutating func reset() {
        self.status = 0
        self.version = .http11
        self.fields.reset()
        self.framing = .none
    }
}
