import Shared

/// Writes the head of an answer to the client: only what the client needs of what the provider sent.
enum ResponseWriter {
    /// How the body is delimited toward the client.
    enum Framing: Equatable {
        case none
        case length(Int)
        case chunked
        case untilClose
    }

    /// Not passed on: cookies, the provider's account and its limits (they are shared by tenants), hop-by-hop fields.
    static func write<Sink: ByteWriting>(
        _ head: borrowing ResponseHead, from bytes: Span<UInt8>, framing: Framing, request: borrowing RequestIDText,
        lowered: Int64?, closes: Bool, date: borrowing HTTPDate, to sink: inout Sink
    ) {
        sink.writeStatusLine(head.status)
        sink.writeDate(date)
        for index in 0..<head.fields.count {
            let field = head.fields[index]
            if Self.passes(bytes, field.name) { sink.writeField(field, from: bytes) }
        }
        request.withSpan { sink.writeField("x-request-id", $0) }
        if let id = head.fields[.xRequestID] ?? head.fields[.requestID] {
            sink.writeField("x-upstream-request-id", bytes.extracting(id))
        }
        if let lowered { sink.writeField("gatehouse-max-tokens", decimal: Int(lowered)) }
        switch framing {
        case .none: if head.status != 204 && head.status != 304 { sink.write("content-length: 0\r\n") }
        case .length(let length): sink.writeField("content-length", decimal: length)
        case .chunked: sink.write("transfer-encoding: chunked\r\n")
        case .untilClose: break
        }
        if closes { sink.write("connection: close\r\n") }
        sink.endHead()
    }

    private static func passes(_ bytes: Span<UInt8>, _ name: Range<Int>) -> Bool {
        switch name.count {
        case 4: bytes.equals(name, ignoringCase: "vary")
        case 11: bytes.equals(name, ignoringCase: "retry-after")
        case 12: bytes.equals(name, ignoringCase: "content-type")
        case 13: bytes.equals(name, ignoringCase: "cache-control")
        case 14:
            bytes.equals(name, ignoringCase: "retry-after-ms") || bytes.equals(name, ignoringCase: "openai-version")
                || bytes.equals(name, ignoringCase: "x-should-retry")
        case 16:
            bytes.equals(name, ignoringCase: "content-encoding") || bytes.equals(name, ignoringCase: "content-language")
        case 20: bytes.equals(name, ignoringCase: "openai-processing-ms")
        default: false
        }
    }
}
