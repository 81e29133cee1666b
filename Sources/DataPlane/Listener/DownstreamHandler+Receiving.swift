import NIOCore
import Shared

// From the first byte of a request to the last of its body.
extension DownstreamHandler {
    /// Goes on with a head.
    ///
    /// - Returns: whether it is complete (or refused): what follows may be looked at.
    func takeHead(_ buffer: ByteBuffer) -> Bool {
        switch self.parser.parse(buffer.readableBytesUInt8Span, into: &self.head) {
        case .needMore:
            // A head has its time as a whole, not for each byte.
            if !self.hasBegun {
                self.hasBegun = true
                self.setDeadline(after: self.loop.waits.header)
            }
            return false
        case .failed(let failure):
            self.input = nil
            self.refuse(
                GatewayError(failure.status == 413 ? .bodyTooLarge : .badRequest, detail: failure.reason), closes: true
            )
            return true
        case .complete(let length):
            self.hasBegun = false
            self.headBytes = buffer
            var rest = buffer
            rest.moveReaderIndex(forwardBy: length)
            self.input = rest.readableBytes > 0 ? rest : nil
            self.parser.reset()
            // HTTP/1.0 is not kept alive: its clients would have to be told so in every answer.
            self.closesAfterAnswer =
                self.closesAfterAnswer || !self.head.keepsAlive || self.head.version == .http10 || self.loop.isDraining
            do throws(GatewayError) {
                try self.begin()
            } catch {
                // Without its body the connection cannot go on.
                self.refuse(error, closes: self.head.framing != .none)
            }
            return true
        }
    }

    /// Decides what can be decided without the body.
    private func begin() throws(GatewayError) {
        let headBytes = self.headBytes
        let bytes = headBytes.readableBytesUInt8Span
        let now = self.loop.now()
        guard self.loop.policy.isServing else { throw GatewayError(.notReady, source: .gateway, retryAfter: 1) }
        let policy = self.loop.policy.index
        let operation: Operation
        switch Operation.match(bytes, self.head) {
        case .found(let found): operation = found
        case .wrongMethod: throw GatewayError(.methodNotAllowed)
        case .unknown: throw GatewayError(.endpointNotFound)
        }
        let caller = try Authenticate.caller(bytes, self.head, &self.memo, policy: policy, from: self.peer, now: now)
        if operation == .listModels || operation == .getModel {
            guard self.head.framing == .none else { throw GatewayError(.badRequest, detail: "GET has no body here.") }
            try self.answerModels(operation, caller, policy)
            return
        }
        self.exchange = Exchange(
            id: self.loop.requestIDs.next(at: now), began: now, uptime: self.loop.time.uptime(), operation: operation,
            caller: caller, policy: policy
        )
        self.requestEnd = .now() + .seconds(Int64(policy.limits.requestSeconds))
        self.loop.counters.inFlight += 1
        if caller.isTagged || self.head.fields[.gatehouseTags] != nil {
            var tagged = TaggedHandles()
            self.exchange?.tags = try RequestTags.number(
                bytes, self.head.fields[.gatehouseTags], node: caller.node, key: caller.policy, policy: policy,
                self.loop.tags, &tagged)
            if !tagged.isEmpty { self.exchange?.tagged = tagged }
        }
        try self.checkMediaType(bytes)
        self.decoder.reset(self.head.framing, limit: policy.limits.maxBodyBytes)
        if let length = self.head.fields.contentLength, length > policy.limits.maxBodyBytes {
            throw GatewayError(.bodyTooLarge)
        }
        self.intentReader.reset()
        self.phase = .body
        self.setDeadline(after: self.loop.waits.body)
        if self.head.expectsContinue {
            self.withOutput { $0.write("HTTP/1.1 100 Continue\r\n\r\n") }
            self.flush()
        }
        if self.decoder.isComplete { self.dispatch() }
    }

    private func checkMediaType(_ bytes: Span<UInt8>) throws(GatewayError) {
        if let type = self.head.fields[.contentType] {
            var end = type.lowerBound
            while end < type.upperBound, bytes[end] != 0x3B, bytes[end] != 0x20 { end += 1 }
            guard bytes.equals(type.lowerBound..<end, ignoringCase: "application/json") else {
                throw GatewayError(.unsupportedMediaType, parameter: "content-type")
            }
        }
        if let encoding = self.head.fields[.contentEncoding], !bytes.equals(encoding, ignoringCase: "identity") {
            throw GatewayError(.unsupportedMediaType, parameter: "content-encoding")
        }
    }

    /// Takes a piece of the body; it is kept as it came.
    func takeBody(_ buffer: ByteBuffer) {
        let span = buffer.readableBytesUInt8Span
        var index = 0
        while true {
            switch self.decoder.next(span, &index) {
            case .body(let range):
                do throws(GatewayError) {
                    try self.keep(buffer, range, span)
                } catch {
                    self.refuse(error, closes: true)
                    return
                }
            case .needMore:
                self.setDeadline(after: self.loop.waits.body)
                return
            case .complete:
                if index < span.count {
                    self.input = buffer.getSlice(at: buffer.readerIndex + index, length: span.count - index)
                }
                self.dispatch()
                return
            case .failed(let failure):
                self.refuse(
                    GatewayError(failure == .bodyTooLarge ? .bodyTooLarge : .badRequest, detail: failure.reason),
                    closes: true
                )
                return
            }
        }
    }

    private func keep(_ buffer: ByteBuffer, _ range: Range<Int>, _ span: Span<UInt8>) throws(GatewayError) {
        guard self.loop.bodyBytes + range.count <= self.loop.bodyBytesLimit else {
            throw GatewayError(.overloaded, source: .gateway, retryAfter: 1)
        }
        self.loop.bodyBytes += range.count
        self.heldBytes += range.count
        do throws(IntentError) {
            try self.intentReader.scan(span.extracting(range))
        } catch {
            throw Self.translate(error)
        }
        self.hold(buffer, range, span)
    }

    /// Keeps bytes of the body: large pieces where they are, small ones gathered.
    ///
    /// A slice keeps the whole buffer that it
    /// is part of, so many small ones would hold far more than is counted.
    private func hold(_ buffer: ByteBuffer, _ range: Range<Int>, _ span: Span<UInt8>) {
        if self.segments.isEmpty || range.count * 4 >= buffer.storageCapacity {
            guard let slice = buffer.getSlice(at: buffer.readerIndex + range.lowerBound, length: range.count) else {
                return
            }
            self.segments.append(slice)
            self.segmentLengths.append(range.count)
            self.isGathering = false
            return
        }
        if !self.isGathering {
            self.segments.append(ByteBuffer())
            self.segmentLengths.append(0)
            self.isGathering = true
        }
        let last = self.segments.count - 1
        self.segments[last].write(span.extracting(range))
        self.segmentLengths[last] += range.count
    }

    static func translate(_ error: IntentError) -> GatewayError {
        switch error.code {
        case .invalidJSON: GatewayError(.invalidJSON, offset: error.offset)
        case .duplicateMember:
            GatewayError(
                .invalidBody, parameter: error.member, offset: error.offset, detail: "The member occurs twice.")
        case .ambiguousMember:
            GatewayError(
                .invalidBody, parameter: error.member, offset: error.offset,
                detail: "The member could be read in more than one way."
            )
        case .missingMember:
            GatewayError(.invalidBody, parameter: error.member, detail: "The member is missing.")
        case .wrongType:
            GatewayError(
                .invalidBody, parameter: error.member, offset: error.offset, detail: "The member has the wrong type.")
        case .outOfRange:
            GatewayError(
                .invalidBody, parameter: error.member, offset: error.offset, detail: "The member is out of range.")
        case .tooLong:
            GatewayError(.invalidBody, parameter: error.member, offset: error.offset, detail: "The member is too long.")
        case .tooDeep: GatewayError(.invalidJSON, offset: error.offset, detail: "The body is nested too deeply.")
        }
    }

    /// The body is complete: decide, and send it on its way.
    func dispatch() {
        guard var exchange = self.exchange.take() else { return }
        exchange.receivedUptime = self.loop.time.uptime()
        do throws(GatewayError) {
            do throws(IntentError) {
                exchange.intent = try self.intentReader.finish(for: exchange.operation.intentEndpoint)
            } catch {
                throw Self.translate(error)
            }
            exchange.route = try Authorize.route(
                exchange.intent.model, caller: exchange.caller, policy: exchange.policy)
            self.exchange = exchange
            try self.attempt()
        } catch {
            if self.exchange == nil { self.exchange = exchange }
            self.refuse(error, closes: false)
        }
    }

    /// `GET /v1/models`: the names that the caller may use.
    private func answerModels(_ operation: Operation, _ caller: Caller, _ policy: PolicyIndex) throws(GatewayError) {
        let headBytes = self.headBytes
        let bytes = headBytes.readableBytesUInt8Span
        var body: [UInt8] = []
        if operation == .getModel {
            let alias = policy.alias(bytes.extracting(self.head.path.lowerBound + 11..<self.head.path.upperBound))
            guard policy.route(alias: alias, at: caller.node) >= 0 else {
                throw GatewayError(.modelNotFound, subject: .alias, parameter: "model")
            }
            guard policy.allows(policy: caller.policy, alias: alias) else {
                throw GatewayError(.modelNotAllowed, subject: .key(caller.key), parameter: "model")
            }
            ModelList.write(policy.aliases[Int(alias)], to: &body)
        } else {
            ModelList.write(policy, for: caller, to: &body)
        }
        let closes = self.closesAfterAnswer
        let id = RequestIDText(self.loop.requestIDs.next(at: self.loop.now()))
        self.withOutput { output in
            output.writeStatusLine(200)
            output.writeDate(self.loop.date)
            output.writeField("content-type", "application/json")
            output.writeField("content-length", decimal: body.count)
            id.withSpan { output.writeField("x-request-id", $0) }
            if closes { output.writeField("connection", "close") }
            output.endHead()
            output.write(body.span)
        }
        self.loop.counters.requests[Int(operation.rawValue) * 6 + 2] += 1
        self.flush()
        self.endAnswer()
    }
}
