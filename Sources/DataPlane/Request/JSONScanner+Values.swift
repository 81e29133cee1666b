/// Noting where wanted values are, and keeping the bytes of short ones.
extension JSONScanner {
    /// Notes the start of the wanted value at `index`, unless it lies deeper inside one.
    mutating func begin(_ kind: JSONKind, _ index: Int) {
        guard self.depth == self.trackedDepth else { return }
        let at = self.captures.count
        self.values[self.member] = JSONValue(kind: kind, at: self.position &+ index)
        self.values[self.member].captured = at..<at
        self.seen |= 1 &<< UInt64(self.member)
        if self.table.wanted[self.member].capture > 0 {
            if kind == .string { self.captureFrom = index &+ 1 } else if kind == .number { self.captureFrom = index }
        }
    }

    mutating func beginLiteral(_ text: StaticString, _ kind: JSONKind, _ index: Int) {
        if self.member >= 0 { self.begin(kind, index) }
        self.literal = text
        self.literalIndex = 1
        self.state = .literal
    }

    /// Notes that the scalar being read ends before `end`, of which its content ends before `contentEnd`.
    @inline(__always)
    mutating func endScalar(_ bytes: Span<UInt8>, contentEnd: Int, end: Int) throws(JSONError) {
        self.state = .commaOrEnd
        if self.member >= 0, self.depth == self.trackedDepth {
            if self.captureFrom >= 0 {
                try self.capture(bytes, self.captureFrom..<contentEnd)
                self.captureFrom = -1
            }
            self.values[self.member].range = self.values[self.member].range.lowerBound..<(self.position &+ end)
            self.member = -1
        }
    }

    mutating func capture(_ bytes: Span<UInt8>, _ range: Range<Int>) throws(JSONError) {
        let held = self.values[self.member].captured
        let wanted = self.table.wanted[self.member]
        if held.count &+ range.count > wanted.capture {
            guard wanted.oversize == .forget else {
                throw JSONError(
                    code: .memberTooLong,
                    offset: self.values[self.member].range.lowerBound,
                    member: self.member
                )
            }
            self.captures.removeSubrange(held.lowerBound..<self.captures.count)
            self.values[self.member].captured = held.lowerBound..<held.lowerBound
            self.captureFrom = -1
            return
        }
        self.captures.write(bytes.extracting(range))
        self.values[self.member].captured = held.lowerBound..<self.captures.count
    }
}
