import NIOCore

// The bytes of an answer, from its head to the end of its body.
extension UpstreamHandler {
    func readHead(_ buffer: inout ByteBuffer) {
        if self.headBytes == nil {
            self.headBytes = buffer
        } else {
            self.headBytes?.writeBuffer(&buffer)
        }
        guard let bytes = self.headBytes else { return }
        switch self.parser.parse(bytes.readableBytesUInt8Span, isHead: false, into: &self.head) {
        case .needMore: break
        case .failed:
            let owner = self.owner
            self.owner = nil
            self.close()
            owner?.upstreamBroke()
        case .complete(let length):
            self.keepsAlive = self.head.keepsAlive
            self.decoder.reset(self.head.framing, limit: .max)
            self.phase = .body
            self.owner?.upstreamAnswered(self.head, bytes)
            guard self.phase == .body || self.phase == .discarding else { return }
            self.headBytes = nil
            self.readBody(bytes, from: length)
        }
    }

    func readBody(_ buffer: ByteBuffer, from start: Int) {
        let span = buffer.readableBytesUInt8Span
        var index = start
        while true {
            switch self.decoder.next(span, &index) {
            case .body(let range):
                if let owner = self.owner {
                    owner.upstreamBody(buffer, range)
                } else {
                    self.discarded += range.count
                    guard self.discarded <= Self.discardLimit else {
                        self.close()
                        return
                    }
                }
                guard self.phase != .closed else { return }
            case .needMore: return
            case .complete:
                self.finish(isClean: index == span.count)
                return
            case .failed:
                let owner = self.owner
                self.owner = nil
                self.close()
                owner?.upstreamBroke()
                return
            }
        }
    }

    /// The answer is complete.
    ///
    /// Bytes after it belong to nothing that we asked, and a provider that has not taken the whole request need not take the rest.
    private func finish(isClean: Bool) {
        let owner = self.owner.take()
        let isClean = isClean && self.isWritable && self.context != nil
        self.isPaused = false
        if self.wantsRead {
            self.wantsRead = false
            self.context?.read()
        }
        if self.keepsAlive && isClean {
            self.beIdle()
            self.pool.release(self)
        } else {
            self.close()
        }
        owner?.upstreamComplete()
    }
}
