/// Writes heads and chunk framing of HTTP/1.1, toward the client and toward the provider.
///
/// A head is a start line, fields, and `endHead`. Nothing here can break out of its field: control characters in values
/// become spaces.
extension ByteWriting {
    /// Writes `HTTP/1.1 200 OK`.
    package mutating func writeStatusLine(_ status: Int) {
        self.write("HTTP/1.1 ")
        self.write(decimal: min(max(status, 100), 999))
        self.write(byte: 0x20)
        self.write(HTTPReason.phrase(status))
        self.write("\r\n")
    }

    /// Writes `POST /v1/chat/completions HTTP/1.1`; method and target come from a parsed head or from policy.
    package mutating func writeRequestLine(method: Span<UInt8>, target: Span<UInt8>) {
        self.write(method)
        self.write(byte: 0x20)
        self.write(target)
        self.write(" HTTP/1.1\r\n")
    }

    package mutating func writeField(_ name: StaticString, _ value: StaticString) {
        self.write(name)
        self.write(": ")
        self.write(value)
        self.write("\r\n")
    }

    package mutating func writeField(_ name: StaticString, _ value: Span<UInt8>) {
        self.write(name)
        self.write(": ")
        self.writeValue(value)
    }

    package mutating func writeField(_ name: StaticString, decimal value: Int) {
        self.write(name)
        self.write(": ")
        self.write(decimal: value)
        self.write("\r\n")
    }

    /// Copies a field of a parsed head; `bytes` are what it was parsed from.
    package mutating func writeField(_ field: HTTPField, from bytes: Span<UInt8>) {
        guard field.name.upperBound <= bytes.count, field.value.upperBound <= bytes.count else { return }
        self.write(bytes.extracting(field.name))
        self.write(": ")
        self.writeValue(bytes.extracting(field.value))
    }

    private mutating func writeValue(_ value: Span<UInt8>) {
        var start = 0
        while start < value.count {
            let end = ByteSearch.firstControl(in: value, from: start, to: value.count)
            self.write(value.extracting(start..<end))
            if end < value.count { self.write(byte: 0x20) }
            start = end &+ 1
        }
        self.write("\r\n")
    }

    /// Writes `date: …`; `clock` keeps the text for a whole second.
    package mutating func writeDate(_ clock: borrowing HTTPDate) {
        self.write("date: ")
        self.write(clock.text.span)
        self.write("\r\n")
    }

    /// Ends a head.
    package mutating func endHead() { self.write("\r\n") }

    /// Writes what stands before the bytes of a chunk; nothing for an empty one, which would end the body.
    package mutating func beginChunk(_ length: Int) {
        guard length > 0 else { return }
        self.write(hexadecimal: length)
        self.write("\r\n")
    }

    /// Writes what stands after the bytes of a chunk that was begun.
    package mutating func endChunk() { self.write("\r\n") }

    /// Ends a chunked body.
    package mutating func writeLastChunk() { self.write("0\r\n\r\n") }
}

/// The reason phrases of the codes the gateway itself sends; others get none, which HTTP allows.
package enum HTTPReason {
    package static func phrase(_ status: Int) -> StaticString {
        switch status {
        case 100: "Continue"
        case 200: "OK"
        case 201: "Created"
        case 202: "Accepted"
        case 204: "No Content"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 402: "Payment Required"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 408: "Request Timeout"
        case 409: "Conflict"
        case 413: "Content Too Large"
        case 414: "URI Too Long"
        case 415: "Unsupported Media Type"
        case 417: "Expectation Failed"
        case 422: "Unprocessable Content"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        case 505: "HTTP Version Not Supported"
        case 529: "Overloaded"
        default: ""
        }
    }
}
