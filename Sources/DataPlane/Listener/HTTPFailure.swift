/// Why a head or a body cannot be accepted as HTTP/1.1.
///
/// After a failure the framing of the connection is lost: answer (downstream), then close.
package enum HTTPFailure: UInt8, Error, Sendable {
    // The request or status line.
    case requestLine, method, target, authority, version, statusLine, status
    case targetTooLong
    // Fields.
    case lineEnding, foldedField, fieldName, fieldValue, tooManyFields, headTooLarge, duplicateField
    // Framing.
    case contentLength, transferEncoding, unknownTransferCoding, lengthAndTransferEncoding
    case host, expectation
    // Bodies.
    case chunkSize, chunkExtension, trailer, bodyTooLarge, closedEarly
    // Upstream only.
    case upgrade, tooManyInterim

    /// The status to answer a client with; toward an upstream all of these are 502.
    package var status: Int {
        switch self {
        case .targetTooLong: 414
        case .tooManyFields, .headTooLarge, .trailer: 431
        case .version: 505
        case .unknownTransferCoding: 501
        case .expectation: 417
        case .bodyTooLarge: 413
        default: 400
        }
    }

    /// What the client is told.
    package var reason: StaticString {
        switch self {
        case .requestLine: "malformed request line"
        case .method: "malformed method"
        case .target: "request target not accepted"
        case .authority: "request target and Host differ"
        case .version: "HTTP version not supported"
        case .statusLine: "malformed status line"
        case .status: "status code out of range"
        case .targetTooLong: "request target too long"
        case .lineEnding: "lines must end with CR LF"
        case .foldedField: "folded header fields are not accepted"
        case .fieldName: "malformed header field name"
        case .fieldValue: "control character in header field value"
        case .tooManyFields: "too many header fields"
        case .headTooLarge: "message head too large"
        case .duplicateField: "header field given more than once"
        case .contentLength: "malformed Content-Length"
        case .transferEncoding: "Transfer-Encoding not accepted here"
        case .unknownTransferCoding: "transfer coding not supported"
        case .lengthAndTransferEncoding: "both Content-Length and Transfer-Encoding"
        case .host: "missing or malformed Host"
        case .expectation: "expectation not supported"
        case .chunkSize: "malformed chunk size"
        case .chunkExtension: "malformed or excessive chunk extension"
        case .trailer: "malformed or excessive trailer"
        case .bodyTooLarge: "body too large"
        case .closedEarly: "connection closed inside a message"
        case .upgrade: "protocol switch not accepted"
        case .tooManyInterim: "too many interim responses"
        }
    }
}

/// How a message's body is delimited (RFC 9112 section 6.3).
package enum BodyFraming: Equatable, Sendable {
    case none
    /// Content-Length, in bytes.
    case length(Int)
    case chunked
    /// Ends with the connection; responses only.
    case untilClose
}

package enum HTTPVersion: UInt8, Sendable { case http10, http11 }

/// How far the parser of a head came with the bytes so far.
package enum HeadProgress: Equatable, Sendable {
    case needMore
    /// The head is complete; its first `length` bytes are used, the body follows.
    case complete(length: Int)
    case failed(HTTPFailure)
}
