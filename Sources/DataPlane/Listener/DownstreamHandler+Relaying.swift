import NIOCore
import Shared

// From the head of the provider's answer to the end of the request.
extension DownstreamHandler {
    func beginRelay(_ answer: borrowing ResponseHead, _ bytes: Span<UInt8>) {
        guard let text = self.exchange?.text, let asked = self.exchange?.intent.includeUsage,
            let operation = self.exchange?.operation, let streams = self.exchange?.intent.streams
        else { return }
        let mode = Self.mode(answer, bytes)
        let drops = mode == .events && streams && operation.asksForStreamUsage && asked != .yes
        self.relay.reset(mode, dropsUsageEvent: drops)
        self.partial.clear()
        switch answer.framing {
        case .none: self.framing = .none
        case .length(let length) where !drops: self.framing = .length(length)
        case .length, .chunked, .untilClose: self.framing = self.head.version == .http11 ? .chunked : .untilClose
        }
        if self.framing == .untilClose { self.closesAfterAnswer = true }
        self.phase = .relaying
        let closes = self.closesAfterAnswer
        let framing = self.framing
        let lowered = self.exchange?.intent.isLowered == true ? self.exchange?.intent.outputBound : nil
        let date = self.loop.date
        self.withOutput { output in
            output.gather(room: bytes.count + 512) { sink in
                ResponseWriter.write(
                    answer, from: bytes, framing: framing, request: text, lowered: lowered, closes: closes, date: date,
                    to: &sink
                )
            }
        }
    }

    private static func mode(_ answer: borrowing ResponseHead, _ bytes: Span<UInt8>) -> ResponseRelay.Mode {
        guard let type = answer.fields[.contentType] else { return .opaque }
        if let encoding = answer.fields[.contentEncoding], !bytes.equals(encoding, ignoringCase: "identity") {
            return .opaque
        }
        var end = type.lowerBound
        while end < type.upperBound, bytes[end] != 0x3B, bytes[end] != 0x20 { end += 1 }
        if bytes.equals(type.lowerBound..<end, ignoringCase: "text/event-stream") { return .events }
        return bytes.equals(type.lowerBound..<end, ignoringCase: "application/json") ? .document : .opaque
    }

    /// A piece of the answer's body.
    func upstreamBody(_ buffer: ByteBuffer, _ range: Range<Int>) {
        guard self.phase == .relaying else { return }
        self.exchange?.relayedBytes += range.count
        switch self.relay.mode {
        case .opaque: self.emit(buffer, range)
        case .document:
            self.relay.scanDocument(buffer.readableBytesUInt8Span.extracting(range))
            self.emit(buffer, range)
        case .events:
            self.takeEvents(buffer, range)
            if self.heldUntil == 0, self.relay.text.bytes >= self.growth.nextLook { self.growReservation() }
        }
    }

    private func takeEvents(_ buffer: ByteBuffer, _ range: Range<Int>) {
        if self.partial.readableBytes == 0 {
            let used = self.relay.scanEvents(buffer.readableBytesUInt8Span.extracting(range)) { part in
                self.emit(buffer, range.lowerBound + part.lowerBound..<range.lowerBound + part.upperBound)
            }
            guard range.lowerBound + used < range.upperBound else { return }
            self.partial.clear()
            self.partial.write(buffer.readableBytesUInt8Span.extracting(range.lowerBound + used..<range.upperBound))
            return
        }
        // Events that are done with must not pile up before the unfinished one.
        self.partial.discardReadBytes()
        self.partial.write(buffer.readableBytesUInt8Span.extracting(range))
        let pending = self.partial
        self.partial = ByteBuffer()
        let used = self.relay.scanEvents(pending.readableBytesUInt8Span) { self.emit(pending, $0) }
        self.partial = pending
        self.partial.moveReaderIndex(forwardBy: used)
    }

    /// Pieces up to this size are copied into the output; larger ones are written as they are.
    private static let copyPiece = 4096
    /// Bytes around a chunk: sixteen digits and two line ends.
    private static let chunkFraming = 20

    /// Relays bytes of `buffer`, framed as the client was told.
    private func emit(_ buffer: ByteBuffer, _ range: Range<Int>) {
        guard !range.isEmpty else { return }
        let chunked = self.framing == .chunked
        guard range.count > Self.copyPiece,
            let slice = buffer.getSlice(at: buffer.readerIndex + range.lowerBound, length: range.count)
        else {
            self.withOutput { output in
                let bytes = buffer.readableBytesUInt8Span.extracting(range)
                guard chunked else {
                    output.write(bytes)
                    return
                }
                output.gather(room: bytes.count + Self.chunkFraming) { sink in
                    sink.beginChunk(bytes.count)
                    sink.write(bytes)
                    sink.endChunk()
                }
            }
            return
        }
        if chunked { self.withOutput { $0.beginChunk(range.count) } }
        self.writeOutput()
        self.write(slice)
        if chunked { self.withOutput { $0.endChunk() } }
    }

    /// All that came at once is relayed.
    func upstreamReadComplete() {
        guard self.phase == .relaying else { return }
        if self.needsFlush || self.output != nil { self.flush() }
        if self.heldUntil == 0 { self.setDeadline(after: self.loop.waits.write) }
    }

    /// The answer is complete.
    func upstreamComplete() {
        guard self.phase == .relaying else { return }
        self.upstream = nil
        let rest = self.partial
        self.partial = ByteBuffer()
        self.emit(rest, self.relay.finish(rest: rest.readableBytesUInt8Span))
        if self.framing == .chunked { self.withOutput { $0.writeLastChunk() } }
        self.flush()
        self.settle(.completed, nil)
        self.endAnswer()
    }

    /// The answer broke off after it had begun: in a stream the client is told, else it sees that the end is missing.
    func cut(_ error: GatewayError) {
        self.upstream?.cancel()
        self.upstream = nil
        if self.relay.mode == .events, self.framing == .chunked || self.framing == .untilClose,
            let text = self.exchange?.text
        {
            var event: [UInt8] = []
            event.write("data: ")
            OpenAIError.writeBody(error, request: text, to: &event)
            event.write("\n\n")
            let chunked = self.framing == .chunked
            self.withOutput { output in
                if chunked { output.beginChunk(event.count) }
                output.write(event.span)
                if chunked {
                    output.endChunk()
                    output.writeLastChunk()
                }
            }
        }
        self.settle(error.source == .upstream ? .upstreamFailed : .interrupted, error.code, error.refusal)
        self.flush()
        self.closeAfterFlush()
    }

    /// The client does not take what it asked for.
    func clientStalled() {
        self.clientGone()
        self.close()
    }

    /// Answers with an error before anything of an answer was sent, after the request was opened or before.
    func fail(_ error: GatewayError) { self.refuse(error, closes: false) }

    /// Answers with an error of the gateway's own.
    func refuse(_ error: GatewayError, closes: Bool) {
        let closes = closes || self.closesAfterAnswer
        self.closesAfterAnswer = closes
        let text = self.exchange?.text ?? RequestIDText(self.loop.requestIDs.next(at: self.loop.now()))
        // The answer to HEAD has no body; what its head says is of the answer to GET.
        let withBody = self.head.method != .head
        self.withOutput {
            OpenAIError.write(error, request: text, closes: closes, withBody: withBody, date: self.loop.date, to: &$0)
        }
        if self.exchange != nil {
            self.exchange?.status = error.code.status
            let outcome: RequestOutcome =
                if error.source == .upstream { .upstreamFailed } else if self.isAnswered { .interrupted } else {
                    .refused
                }
            self.settle(outcome, error.code, error.refusal)
        } else {
            self.loop.counters.unattributed += 1
            self.loop.counters.errors[Int(error.code.rawValue)] += 1
        }
        self.flush()
        self.endAnswer()
    }

    /// The client closed its connection in the middle of a request.
    func clientGone() {
        self.upstream?.cancel()
        self.upstream = nil
        // What was sent to a provider is paid for, as far as anybody can tell.
        self.isAnswered = self.isAnswered || self.wasSent
        self.settle(.clientAborted, .clientGone)
    }

    /// Ends the request, whatever became of it: once, and always.
    func settle(_ outcome: RequestOutcome, _ code: GatewayError.Code?, _ refusal: UsageRefusal? = nil) {
        guard let exchange = self.exchange.take() else { return }
        self.requestEnd = .distantFuture
        var record = Settle.record(
            exchange, outcome: outcome, code: code, usage: self.isAnswered ? self.relay.usage.usage : nil,
            serviceTier: self.relay.usage.serviceTier, answered: self.isAnswered,
            expected: self.reservation.learns ? self.growth.reserved : nil,
            text: self.relay.mode == .events ? self.relay.text : StreamedText(),
            uptime: self.loop.time.uptime()
        )
        record.refusal = refusal
        self.learn(exchange, record.counters)
        self.growth = .none
        self.heldUntil = 0
        if exchange.isOpen {
            self.loop.journal.close(record, charges: self.reservation.charges)
        } else if !self.loop.journal.note(record) {
            self.loop.counters.errors[Int(GatewayError.Code.noUsageSpace.rawValue)] += 1
        }
        if !self.reservation.isEmpty || !self.rates.isEmpty {
            self.reservation.settle(exchange.isOpen ? record.cost : .zero, in: self.loop.leases)
            if !self.rates.isEmpty {
                self.rates.settle(exchange.isOpen ? RateUse(record.counters) : .none, in: self.loop.leases.rates)
            }
            self.loop.moneyIsFree()
        }
        self.loop.counters.inFlight -= 1
        self.loop.counters.finished(record, exchange, code)
        self.isAnswered = false
        self.wasSent = false
        self.relay.reset(.opaque, dropsUsageEvent: false)
        self.releaseBody()
    }

    /// Lets go of the request's body: it is no longer needed for a retry.
    func releaseBody() {
        self.loop.bodyBytes -= self.heldBytes
        self.heldBytes = 0
        self.segments.removeAll(keepingCapacity: true)
        self.segmentLengths.removeAll(keepingCapacity: true)
    }

    /// The answer is written: the connection goes on or ends.
    func endAnswer() {
        self.releaseBuffers()
        if self.closesAfterAnswer {
            self.closeAfterFlush()
            return
        }
        guard self.phase != .closed, self.phase != .closing else { return }
        self.phase = .head
        // A client that has not taken its answer yet is not idle.
        self.setDeadline(
            after: self.isWritable ? self.loop.waits.idle : max(self.loop.waits.idle, self.loop.waits.write))
        self.drive()
    }
}
