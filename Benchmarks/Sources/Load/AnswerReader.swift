/// Finds the end of an HTTP answer, and counts the events in it.
struct AnswerReader {
    private enum State {
        case head
        case length(Int)
        case chunkSize(Int, sawDigit: Bool)
        case chunk(Int)
        case chunkEnd
        case lastLine
    }

    private var state = State.head
    private var head: [UInt8] = []
    private(set) var status = 0
    private(set) var events = 0
    private var newlines = 0
    /// The digits after `"stamp":`, as they pass.
    private var stampMatch = 0
    private var stamp: UInt64 = 0

    private static let stampName = Array("\"stamp\":".utf8)

    mutating func reset() {
        self.state = .head
        self.head.removeAll(keepingCapacity: true)
        self.status = 0
        self.events = 0
        self.newlines = 0
        self.stampMatch = 0
    }

    /// Takes bytes from `index` on; true when the answer is complete.
    ///
    /// - Parameter stamped: called with the upstream's time of each event that has one.
    mutating func take(_ bytes: UnsafeRawBufferPointer, _ index: inout Int, _ stamped: (UInt64) -> Void) -> Bool {
        while index < bytes.count {
            switch self.state {
            case .head:
                self.head.append(bytes[index])
                index += 1
                guard self.head.count >= 4, self.head.suffix(4).elementsEqual([13, 10, 13, 10]) else { continue }
                let text = String(decoding: self.head, as: UTF8.self).lowercased()
                self.status = Int(text.dropFirst(9).prefix(3)) ?? 0
                if text.contains("transfer-encoding: chunked") {
                    self.state = .chunkSize(0, sawDigit: false)
                } else {
                    let length = text.range(after: "content-length:").flatMap { Int($0) } ?? 0
                    if length == 0 { return true }
                    self.state = .length(length)
                }
            case .length(let left):
                let count = min(left, bytes.count - index)
                index += count
                if count == left { return true }
                self.state = .length(left - count)
            case .chunkSize(let size, let sawDigit):
                let byte = bytes[index]
                index += 1
                if byte == 10, sawDigit {
                    self.state = size == 0 ? .lastLine : .chunk(size)
                } else if let digit = Self.hex(byte) {
                    self.state = .chunkSize(size * 16 + digit, sawDigit: true)
                }
            case .chunk(let left):
                let count = min(left, bytes.count - index)
                for position in index..<index + count { self.look(at: bytes[position], stamped) }
                index += count
                self.state = count == left ? .chunkEnd : .chunk(left - count)
            case .chunkEnd:
                let byte = bytes[index]
                index += 1
                if byte == 10 { self.state = .chunkSize(0, sawDigit: false) }
            case .lastLine:
                let byte = bytes[index]
                index += 1
                if byte == 10 { return true }
            }
        }
        return false
    }

    private mutating func look(at byte: UInt8, _ stamped: (UInt64) -> Void) {
        if byte == 10 {
            self.newlines += 1
            if self.newlines == 2 { self.events += 1 }
        } else {
            self.newlines = 0
        }
        if self.stampMatch == Self.stampName.count {
            if byte >= 48, byte <= 57 {
                self.stamp = self.stamp &* 10 &+ UInt64(byte - 48)
                return
            }
            stamped(self.stamp)
            self.stampMatch = 0
        } else if byte == Self.stampName[self.stampMatch] {
            self.stampMatch += 1
            self.stamp = 0
        } else {
            self.stampMatch = byte == Self.stampName[0] ? 1 : 0
        }
    }

    private static func hex(_ byte: UInt8) -> Int? {
        switch byte {
        case 48...57: Int(byte) - 48
        case 65...70: Int(byte) - 55
        case 97...102: Int(byte) - 87
        default: nil
        }
    }
}

extension String {
    /// What stands on the line after `name`.
    fileprivate func range(after name: String) -> String? {
        guard let line = self.split(whereSeparator: \.isNewline).first(where: { $0.hasPrefix(name) }) else {
            return nil
        }
        return String(line.dropFirst(name.count)).trimmed
    }

    private var trimmed: String { String(self.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()) }
}
