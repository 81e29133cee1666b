import NIOCore
import Shared

// From the decision to the head of the provider's answer.
extension DownstreamHandler {
    /// Tries the next target; one whose model has no price is passed over.
    ///
    /// The first attempt opens the request in the journal.
    func attempt() throws(GatewayError) {
        guard let policy = self.exchange?.policy, let route = self.exchange?.route, let began = self.exchange?.began
        else { return }
        var isUnpriced = false
        var next = self.nextTarget(of: route, policy)
        while let passed = next, !policy.isPriced(passed.model, at: began) {
            isUnpriced = true
            next = self.nextTarget(of: route, policy)
        }
        guard let target = next else {
            guard isUnpriced, self.exchange?.attempts == 0 else {
                throw GatewayError(.noTarget, source: .gateway, retryAfter: 1)
            }
            throw GatewayError(.modelNotPriced, source: .gateway, subject: .alias, parameter: "model")
        }
        self.exchange?.model = target.model
        self.exchange?.credential = target.credential
        self.parkedUntil = 0
        if try self.reserve() { try self.sendToTarget() }
    }

    /// Opens the request in the journal, and goes to its target.
    func sendToTarget() throws(GatewayError) {
        guard let policy = self.exchange?.policy, let model = self.exchange?.model else { return }
        if let exchange = self.exchange, !exchange.isOpen {
            guard
                self.loop.journal.open(
                    Settle.bound(exchange, expected: self.expected), charges: self.reservation.charges)
            else {
                throw GatewayError(.noUsageSpace, source: .gateway, retryAfter: 5)
            }
            self.exchange?.isOpen = true
        } else if let exchange = self.exchange, !self.reservation.isEmpty {
            // Another target may cost more, or pay into other budgets.
            guard
                self.loop.journal.reopen(
                    Settle.bound(exchange, expected: self.expected), charges: self.reservation.charges)
            else {
                throw GatewayError(.noUsageSpace, source: .gateway, retryAfter: 5)
            }
        }
        self.exchange?.attempts += 1
        self.loop.counters.attempts += 1
        self.connect(policy, model, fresh: false)
    }

    /// What the request is recorded with until it is over, where no budget has to hold its bound.
    private var expected: CostBound? {
        self.reservation.learns && !self.reservation.holdsBound ? self.growth.reserved : nil
    }

    private func nextTarget(of route: Handle, _ policy: PolicyIndex) -> TargetEntry? {
        self.exchange?.target.next(of: policy.routes[Int(route)], random: self.loop.nextRandom())
    }

    private func connect(_ policy: PolicyIndex, _ model: Handle, fresh: Bool) {
        self.attemptNumber += 1
        self.phase = .waiting
        self.upstream = nil
        self.setDeadline(after: self.loop.waits.connect + .seconds(1))
        let provider = policy.providers[Int(policy.models[Int(model)].provider)]
        self.loop.pool.acquire(self.loop.pool.endpoint(of: provider), for: self, fresh: fresh)
    }

    func isWaiting(for attempt: Int) -> Bool {
        self.phase == .waiting && self.attemptNumber == attempt && self.upstream == nil
    }

    /// A connection is there: send the request.
    func upstreamConnected(_ handler: UpstreamHandler, reused: Bool) {
        self.upstream = handler
        self.isUpstreamReused = reused
        if reused { self.loop.counters.upstreamReused += 1 } else { self.loop.counters.upstreamConnections += 1 }
        handler.begin(for: self)
        guard self.prepareSplice() else {
            handler.cancel()
            self.upstream = nil
            self.fail(GatewayError(.invalidBody, parameter: "model"))
            return
        }
        // Before the bytes go: a connection that breaks under them tells so from within, and another may be tried.
        self.wasSent = true
        self.exchange?.sentUptime = self.loop.time.uptime()
        self.setDeadline(after: self.loop.waits.firstByte)
        self.send(through: handler)
    }

    /// The client's body with the provider's model name, and with usage asked for where a stream would not tell it.
    private func prepareSplice() -> Bool {
        guard let policy = self.exchange?.policy, let model = self.exchange?.model else { return false }
        let name = policy.models[Int(model)].name
        let kind = policy.providers[Int(policy.models[Int(model)].provider)].kind
        return self.withIntent { intent, operation in
            self.splice.reset(for: intent)
            guard self.splice.replaceModel(name.span, in: intent) else { return false }
            if intent.isLowered, let bound = intent.outputBound {
                let member = operation.outputBoundMember(at: kind)
                guard self.splice.replaceBound(bound, in: intent, or: member) else { return false }
            }
            guard intent.streams && operation.asksForStreamUsage else { return true }
            return self.splice.includeUsage(in: intent)
        } ?? false
    }

    private func withIntent<Result>(_ body: (borrowing Intent, Operation) -> Result) -> Result? {
        guard let exchange = self.exchange else { return nil }
        return body(exchange.intent, exchange.operation)
    }

    /// Bodies up to this size are copied behind the head, into one write.
    static let copyLimit = 16 << 10

    private func send(through handler: UpstreamHandler) {
        guard let policy = self.exchange?.policy, let operation = self.exchange?.operation,
            let model = self.exchange?.model, let context = self.context
        else { return }
        let provider = policy.providers[Int(policy.models[Int(model)].provider)]
        let credential = (self.exchange?.credential).flatMap { $0 >= 0 ? policy.credentials[Int($0)].field : nil }
        let length = self.splice.contentLength
        var output = context.channel.allocator.buffer(
            capacity: self.headBytes.readableBytes + 512 + (length <= Self.copyLimit ? length : 0)
        )
        let headBytes = self.headBytes
        output.gather(room: self.headBytes.readableBytes + 512) { sink in
            RequestWriter.write(
                operation, from: headBytes.readableBytesUInt8Span, self.head, to: provider, credential: credential,
                contentLength: length, sink: &sink
            )
        }
        let copies = length <= Self.copyLimit
        let segments = self.segments
        let lengths = self.segmentLengths
        let text = self.splice.text
        self.splice.forEachPiece { piece in
            switch piece {
            case .replacement(let range): output.write(text.span.extracting(range))
            case .original(let range):
                BodySplice.forEachSlice(of: range, segments: lengths.span) { index, part in
                    let segment = segments[index]
                    if copies || part.count <= 256 {
                        output.write(segment.readableBytesUInt8Span.extracting(part))
                    } else {
                        handler.write(output)
                        output = context.channel.allocator.buffer(capacity: 512)
                        if let slice = segment.getSlice(at: segment.readerIndex + part.lowerBound, length: part.count) {
                            handler.write(slice)
                        }
                    }
                }
            }
        }
        if output.readableBytes > 0 { handler.write(output) }
        handler.flush()
    }

    // MARK: What comes back instead of an answer

    /// No connection could be made.
    func upstreamUnreachable() {
        self.tryNext(after: GatewayError(.upstreamUnreachable, source: .upstream, retryAfter: 1))
    }

    /// The connection ended before the answer was complete.
    func upstreamClosed(beforeAnswer: Bool) {
        self.upstream = nil
        guard self.phase == .waiting else {
            self.cut(GatewayError(.upstreamFailed, source: .upstream))
            return
        }
        // An idle connection that the provider had just closed: the request was not looked at.
        if beforeAnswer && self.isUpstreamReused, let policy = self.exchange?.policy, let model = self.exchange?.model {
            self.wasSent = false
            self.loop.counters.retries += 1
            self.connect(policy, model, fresh: true)
            return
        }
        self.tryNext(after: GatewayError(.upstreamFailed, source: .upstream, retryAfter: 1))
    }

    /// The answer is not HTTP.
    func upstreamBroke() {
        self.upstream = nil
        if self.phase == .waiting {
            self.tryNext(after: GatewayError(.upstreamProtocol, source: .upstream))
        } else {
            self.cut(GatewayError(.upstreamProtocol, source: .upstream))
        }
    }

    /// Goes to the next target, or gives the last one's failure as the answer.
    func tryNext(after failure: GatewayError) {
        self.upstream = nil
        self.wasSent = false
        do throws(GatewayError) {
            try self.attempt()
            self.loop.counters.retries += 1
        } catch {
            // The failure of the last target says more than that there is none left.
            self.fail(error.code == .noTarget ? failure : error)
        }
    }

    /// The head of an answer is there.
    func upstreamAnswered(_ answer: borrowing ResponseHead, _ bytes: ByteBuffer) {
        guard let upstream = self.upstream, self.phase == .waiting else { return }
        let span = bytes.readableBytesUInt8Span
        let status = answer.status
        if let error = Self.withheld(answer, span) {
            // What the provider says about the gateway's own account is not the client's.
            upstream.detach()
            if status == 429 || status >= 500 {
                self.tryNext(after: error)
            } else {
                self.upstream = nil
                self.wasSent = false
                self.fail(error)
            }
            return
        }
        self.exchange?.firstByteUptime = self.loop.time.uptime()
        self.exchange?.status = status
        self.isAnswered = status < 300
        self.releaseBody()
        self.beginRelay(answer, span)
        self.setDeadline(after: self.loop.waits.write)
        if !self.isWritable { upstream.setPaused(true) }
    }

    /// The error to answer with in place of the provider's; nil when the answer is the client's own.
    private static func withheld(_ answer: borrowing ResponseHead, _ bytes: Span<UInt8>) -> GatewayError? {
        switch answer.status {
        case 401, 403: return GatewayError(.upstreamRejectedCredential, source: .upstream)
        case 429:
            return GatewayError(.upstreamRateLimited, source: .upstream, retryAfter: Self.retryAfter(answer, bytes))
        case 500...: return GatewayError(.upstreamFailed, source: .upstream, retryAfter: Self.retryAfter(answer, bytes))
        default: return nil
        }
    }

    private static func retryAfter(_ answer: borrowing ResponseHead, _ bytes: Span<UInt8>) -> Int {
        let seconds = answer.fields[.retryAfter].flatMap { JSONText.integer(bytes, $0) } ?? 1
        return Int(min(max(seconds, 0), 3600))
    }
}
