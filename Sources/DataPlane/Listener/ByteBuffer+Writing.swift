import NIOCore

extension ByteBuffer: ByteWriting {
    package mutating func write(byte: UInt8) { self.writeInteger(byte) }

    package mutating func write(_ text: StaticString) { self.writeStaticString(text) }

    package mutating func write(_ bytes: Span<UInt8>) {
        bytes.withUnsafeBytes { _ = self.writeBytes($0) }
    }
}
