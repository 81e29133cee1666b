/// Every bound of the request path, in one place.
///
/// A bound is the most a peer can make the gateway hold, look at or count. Units are in the names: `Bytes` are octets,
/// `Count` are items. Raising one costs memory per connection or per request; the comment says which.
package enum Limits {
    // MARK: HTTP heads (per connection)

    /// A request or response head including its final empty line.
    package static let headBytes = 32 * 1024
    /// The request target (path and query); longer is 414.
    package static let requestTargetBytes = 8 * 1024
    /// The method token.
    package static let methodBytes = 32
    /// The status line of a response.
    package static let statusLineBytes = 1024
    /// Fields of one head, which `HTTPFields` stores at 16 bytes each; one more is 431.
    package static let fieldCount = 100
    /// Empty lines tolerated before a request line (RFC 9112 section 2.2).
    package static let leadingEmptyLineCount = 2
    /// Digits of a Content-Length value; 18 digits always fit an Int.
    package static let contentLengthDigitCount = 18
    /// Interim (1xx) answers an upstream may send before the final one.
    package static let interimResponseCount = 8

    // MARK: HTTP bodies

    /// A request body held for its intent and a retry (default; configuration may lower it).
    package static let requestBodyBytes = 32 * 1024 * 1024
    /// Hexadecimal digits of one chunk-size, leading zeros included; 15 digits always fit an Int.
    package static let chunkSizeDigitCount = 15
    /// Bytes of all chunk extensions of one body together.
    package static let chunkExtensionBytes = 4 * 1024
    /// Bytes of the trailer section of one body.
    package static let trailerBytes = 8 * 1024

    // MARK: JSON (per connection)

    /// Nested objects and arrays, the outermost included.
    package static let jsonDepth = 128
    /// An unescaped member name that is compared; longer names cannot be ones we act on.
    package static let jsonNameBytes = 96
    /// Members a table may want; the scanner marks them in one 64-bit word.
    package static let jsonMemberCount = 64
    /// The `model` member, raw as in the body and unescaped.
    package static let modelBytes = 256
    /// Any other short string the gateway looks at (`service_tier`, event types).
    package static let shortStringBytes = 64
    /// A JSON number that is read as an integer.
    package static let numberBytes = 32
    /// Edits one request body can need: model, stream_options, each output bound.
    package static let bodyEditCount = 8

    // MARK: Server-sent events (per upstream stream)

    /// One event including its final empty line; the caller keeps at most this much unfinished.
    package static let eventBytes = 1024 * 1024
    /// `data:` lines of one event whose ranges are kept; more are relayed but not read.
    package static let eventDataLineCount = 32
}
