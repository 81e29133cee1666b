import CZlib

/// Gzip (RFC 1952) with the output bounded before a byte is written.
package enum Gzip {
    /// Compresses deterministically: the same bytes and zlib give the same result (no time, no name in the header).
    package static func compress(_ bytes: [UInt8]) -> [UInt8]? {
        var stream = z_stream()
        guard
            deflateInit2_(
                &stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, zlibVersion(),
                Int32(MemoryLayout<z_stream>.size)
            ) == Z_OK
        else { return nil }
        defer { deflateEnd(&stream) }
        var output = [UInt8](repeating: 0, count: Int(deflateBound(&stream, UInt(bytes.count))))
        let written = Self.run(&stream, input: bytes, output: &output) { deflate(&$0, Z_FINISH) == Z_STREAM_END }
        guard let written else { return nil }
        output.removeLast(output.count - written)
        return output
    }

    /// Inflates to exactly `size` bytes; nil when the data is damaged, longer, shorter, or has something after its end.
    package static func inflate(_ bytes: [UInt8], size: Int) -> [UInt8]? {
        var stream = z_stream()
        guard inflateInit2_(&stream, 15 + 16, zlibVersion(), Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            return nil
        }
        defer { inflateEnd(&stream) }
        // One byte more than promised, so that a longer stream is seen as such.
        var output = [UInt8](repeating: 0, count: size + 1)
        let written = Self.run(&stream, input: bytes, output: &output) { CZlib.inflate(&$0, Z_FINISH) == Z_STREAM_END }
        guard written == size, stream.avail_in == 0 else { return nil }
        output.removeLast()
        return output
    }

    private static func run(
        _ stream: inout z_stream, input: [UInt8], output: inout [UInt8], _ step: (inout z_stream) -> Bool
    ) -> Int? {
        input.withUnsafeBufferPointer { source in
            output.withUnsafeMutableBufferPointer { target in
                stream.next_in = UnsafeMutablePointer(mutating: source.baseAddress)
                stream.avail_in = UInt32(clamping: source.count)
                stream.next_out = target.baseAddress
                stream.avail_out = UInt32(clamping: target.count)
                guard step(&stream) else { return nil }
                return target.count - Int(stream.avail_out)
            }
        }
    }
}
