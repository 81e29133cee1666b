/// Finds the lines of a head in bytes that grow, without searching any byte twice.
///
/// Only CR LF ends a line: a bare LF is a failure, and a bare CR is one to whoever looks at the line. RFC 9112 section
/// 2.2 lets a recipient accept a bare LF; accepting what another hop does not is how requests are smuggled.
struct LineReader {
    enum Step {
        case needMore
        /// The line without its CR LF.
        case line(Range<Int>)
        case failed(HTTPFailure)
    }

    /// Where the next line starts.
    private(set) var lineStart = 0
    private var searched = 0

    mutating func reset() { self = LineReader() }

    mutating func next(_ bytes: Span<UInt8>) -> Step {
        let end = ByteSearch.first(0x0A, in: bytes, from: min(self.searched, bytes.count))
        guard end < bytes.count else {
            self.searched = end
            return .needMore
        }
        guard end > self.lineStart, bytes[end &- 1] == 0x0D else { return .failed(.lineEnding) }
        let line = self.lineStart..<end &- 1
        self.lineStart = end &+ 1
        self.searched = end &+ 1
        return .line(line)
    }
}
