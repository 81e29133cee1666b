import Shared

/// Writes the head of an upstream request: only what a provider needs of what the client sent.
enum RequestWriter {
    /// Writes request line and fields.
    ///
    /// Passed on: what the provider acts on or traces by. Not passed on: keys, cookies, tags, hop-by-hop fields, the
    /// client's accounts at the provider, and encodings (usage is read from the answer, so it must come plain).
    static func write<Sink: ByteWriting>(
        _ operation: Operation, from bytes: Span<UInt8>, _ head: borrowing RequestHead,
        to provider: borrowing ProviderEntry, credential: Secret<[UInt8]>?, contentLength: Int, sink: inout Sink
    ) {
        sink.write("POST ")
        if let url = provider.url {
            sink.write(url.path.utf8.span)
        } else {
            sink.write("/v1")
        }
        sink.write(operation.upstreamPath)
        if let query = head.query {
            sink.write("?")
            sink.write(bytes.extracting(query))
        }
        sink.write(" HTTP/1.1\r\nhost: ")
        if let url = provider.url {
            sink.write(url.hostField.utf8.span)
        } else {
            sink.write("mock")
        }
        sink.write("\r\n")
        if let field = credential?.reveal() { sink.write(field.span) }
        sink.write("accept-encoding: identity\r\n")
        if head.fields[.contentType] == nil { sink.write("content-type: application/json\r\n") }
        for index in 0..<head.fields.count {
            let field = head.fields[index]
            if Self.passes(bytes, field.name) { sink.writeField(field, from: bytes) }
        }
        sink.writeField("content-length", decimal: contentLength)
        sink.endHead()
    }

    private static func passes(_ bytes: Span<UInt8>, _ name: Range<Int>) -> Bool {
        switch name.count {
        case 6: return bytes.equals(name, ignoringCase: "accept")
        case 10: return bytes.equals(name, ignoringCase: "user-agent") || bytes.equals(name, ignoringCase: "tracestate")
        case 11:
            return bytes.equals(name, ignoringCase: "traceparent") || bytes.equals(name, ignoringCase: "openai-beta")
        case 12: return bytes.equals(name, ignoringCase: "content-type")
        case 15: return bytes.equals(name, ignoringCase: "idempotency-key")
        case 19: return bytes.equals(name, ignoringCase: "x-client-request-id")
        default:
            guard name.count > 12 else { return false }
            return bytes.equals(name.lowerBound..<name.lowerBound + 12, ignoringCase: "x-stainless-")
        }
    }
}
