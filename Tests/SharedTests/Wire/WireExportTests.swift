import Glibc
import Shared
import Testing

@Suite struct WireExportTests {
    private static let path = getenv("GATEHOUSE_WIRE_EXPORT").map { String(cString: $0) }

    /// For `Tests/Conformance/proto_check.py`: one line for each message, its type and its bytes in hexadecimal.
    @Test(.enabled(if: Self.path != nil)) func `messages are written out for another implementation to read`() throws {
        let path = try #require(Self.path)
        var sampler = Sampler("wire export")
        var text = ""
        for message in WireCase.all {
            for _ in 0..<100 { text += "\(message.testDescription) \(Hex.encode(message.encode(&sampler)))\n" }
        }
        try Files.replace(path, with: Array(text.utf8))
    }
}
