import NIOCore

extension ByteBuffer: ByteWriting {
    package mutating func write(byte: UInt8) { self.writeInteger(byte) }

    package mutating func write(_ text: StaticString) { self.writeStaticString(text) }

    package mutating func write(_ bytes: Span<UInt8>) {
        bytes.withUnsafeBytes { _ = self.writeBytes($0) }
    }

    /// Writes many small pieces into room that is made once: each piece alone would look for room and for other owners.
    ///
    /// - Parameters:
    ///   - room: bytes that are expected to be enough; when they are not, `body` is called again with more.
    ///   - body: writes the same each time.
    mutating func gather(room: Int, _ body: (inout RoomWriter) -> Void) {
        var room = room
        for _ in 0..<Self.gatherAttempts {
            var fits = false
            self.writeWithUnsafeMutableBytes(minimumWritableBytes: room) { bytes in
                var writer = RoomWriter(unsafe bytes)
                body(&writer)
                fits = !writer.isFull
                return fits ? writer.count : 0
            }
            if fits { return }
            room *= 8
        }
    }

    /// Eight times the room each: the last has 512 times what was expected, which no head can need.
    private static var gatherAttempts: Int { 4 }
}

/// Writes into memory of a fixed size; what does not fit is not written, and `isFull` says so.
struct RoomWriter: ByteWriting {
    private let room: UnsafeMutableRawBufferPointer
    private(set) var count = 0
    private(set) var isFull = false

    init(_ room: UnsafeMutableRawBufferPointer) { unsafe self.room = room }

    mutating func write(byte: UInt8) {
        guard self.count < self.room.count else {
            self.isFull = true
            return
        }
        unsafe self.room[self.count] = byte
        self.count &+= 1
    }

    mutating func write(_ text: StaticString) {
        unsafe self.copy(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func write(_ bytes: Span<UInt8>) {
        bytes.withUnsafeBytes { unsafe self.copy($0) }
    }

    private mutating func copy(_ bytes: UnsafeRawBufferPointer) {
        guard let from = bytes.baseAddress, let base = self.room.baseAddress, !self.isFull else { return }
        guard bytes.count <= self.room.count &- self.count else {
            self.isFull = true
            return
        }
        unsafe base.advanced(by: self.count).copyMemory(from: from, byteCount: bytes.count)
        self.count &+= bytes.count
    }
}
