import DataPlane
import Testing

@Suite struct HeadWriterTests {
    @Test func `a response head is written and read back`() {
        var out: [UInt8] = []
        out.writeStatusLine(429)
        out.writeField("retry-after", decimal: 30)
        out.writeField("content-type", "application/json")
        out.writeField("x-request-id", Array("a\r\nx-evil: 1".utf8).span)
        out.writeDate(HTTPDate(second: 784_111_777))
        out.writeField("content-length", decimal: 0)
        out.endHead()
        let expected =
            "HTTP/1.1 429 Too Many Requests\r\nretry-after: 30\r\ncontent-type: application/json\r\n"
            + "x-request-id: a  x-evil: 1\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\ncontent-length: 0\r\n\r\n"
        #expect(out.text == expected)
        let outcome = parseResponse(out, ends: [out.count])
        #expect(outcome.progress == .complete(length: out.count))
    }

    @Test func `a request head is copied field by field`() {
        let bytes = Array("GET /a HTTP/1.1\r\nHost:  b \r\nX: y\r\n\r\n".utf8)
        var parser = RequestHeadParser()
        var head = RequestHead()
        _ = parser.parse(bytes.span, into: &head)
        var out: [UInt8] = []
        out.writeRequestLine(method: bytes.span.extracting(head.methodRange), target: bytes.span.extracting(head.path))
        for index in 0..<head.fields.count { out.writeField(head.fields[index], from: bytes.span) }
        out.endHead()
        #expect(out.text == "GET /a HTTP/1.1\r\nHost: b\r\nX: y\r\n\r\n")
    }

    static let dates: [(Int64, String)] = [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT"),
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"), (1_709_164_800, "Thu, 29 Feb 2024 00:00:00 GMT"),
        (1_735_689_599, "Tue, 31 Dec 2024 23:59:59 GMT"), (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        (-5, "Thu, 01 Jan 1970 00:00:00 GMT"), (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
        (Int64.max, "Fri, 31 Dec 9999 23:59:59 GMT"),
    ]

    @Test(arguments: dates)
    func `dates are those of the calendar`(_ second: Int64, _ text: String) {
        let date = HTTPDate(second: second)
        #expect(latin((0..<29).map { date.text[$0] }) == text)
    }

    @Test func `numbers are written plainly`() {
        for value in [0, 7, 10, 255, 4_096, 1_000_000, Int.max, -3] {
            var decimal: [UInt8] = []
            decimal.write(decimal: value)
            #expect(decimal.text == String(max(value, 0)))
            var hexadecimal: [UInt8] = []
            hexadecimal.write(hexadecimal: value)
            #expect(hexadecimal.text == String(max(value, 0), radix: 16))
        }
    }
}
