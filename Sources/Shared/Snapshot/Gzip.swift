import CZlib

/// Gzip (RFC 1952) with the output bounded before a byte is written.
package enum Gzip {
    /// Compresses deterministically: the same bytes and zlib give the same result (no time, no name in the header).
    package static func compress(_ bytes: [UInt8]) -> [UInt8]? {
        // zlib remembers the address of its state, so that it must not move between two calls.
        let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        stream.initialize(to: z_stream())
        defer { stream.deallocate() }
        guard
            deflateInit2_(
                stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, zlibVersion(),
                Int32(MemoryLayout<z_stream>.size)
            ) == Z_OK
        else { return nil }
        defer { deflateEnd(stream) }
        var output = [UInt8](repeating: 0, count: Int(deflateBound(stream, UInt(bytes.count))))
        let written = Self.run(stream, input: bytes, output: &output) { deflate($0, Z_FINISH) == Z_STREAM_END }
        guard let written else { return nil }
        output.removeLast(output.count - written)
        return output
    }

    /// Inflates to exactly `size` bytes; nil when the data is damaged, longer, shorter, or has something after its end.
    package static func inflate(_ bytes: [UInt8], size: Int) -> [UInt8]? {
        let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        stream.initialize(to: z_stream())
        defer { stream.deallocate() }
        guard size >= 0, inflateInit2_(stream, 15 + 16, zlibVersion(), Int32(MemoryLayout<z_stream>.size)) == Z_OK
        else {
            return nil
        }
        defer { inflateEnd(stream) }
        // One byte more than promised, so that a longer stream is seen as such.
        var output = [UInt8](repeating: 0, count: size + 1)
        let written = Self.run(stream, input: bytes, output: &output) { CZlib.inflate($0, Z_FINISH) == Z_STREAM_END }
        guard written == size, stream.pointee.avail_in == 0 else { return nil }
        output.removeLast()
        return output
    }

    private static func run(
        _ stream: UnsafeMutablePointer<z_stream>, input: [UInt8], output: inout [UInt8],
        _ step: (UnsafeMutablePointer<z_stream>) -> Bool
    ) -> Int? {
        input.withUnsafeBufferPointer { source in
            output.withUnsafeMutableBufferPointer { target in
                stream.pointee.next_in = UnsafeMutablePointer(mutating: source.baseAddress)
                stream.pointee.avail_in = UInt32(clamping: source.count)
                stream.pointee.next_out = target.baseAddress
                stream.pointee.avail_out = UInt32(clamping: target.count)
                guard step(stream) else { return nil }
                return target.count - Int(stream.pointee.avail_out)
            }
        }
    }
}
