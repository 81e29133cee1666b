import Crypto
import Foundation
import Glibc
import Synchronization

/// A server on 127.0.0.1 that takes webhooks, one connection after the other, and answers what it was told to.
package final class WebhookReceiver: Sendable {
    package struct Received: Sendable {
        package let head: String
        package let headers: [String: String]
        package let body: [UInt8]

        package var id: String { self.headers["webhook-id"] ?? "" }

        /// As a receiver does it that has only read the standard.
        package func isSigned(by secret: String) -> Bool {
            guard let key = Data(base64Encoded: String(secret.dropFirst(6))) else { return false }
            let signed = Array("\(self.id).\(self.headers["webhook-timestamp"] ?? "").".utf8) + self.body
            return self.signatures.contains { signature in
                guard signature.hasPrefix("v1,"), let code = Data(base64Encoded: String(signature.dropFirst(3))) else {
                    return false
                }
                return HMAC<SHA256>.isValidAuthenticationCode(
                    code, authenticating: signed, using: SymmetricKey(data: key))
            }
        }

        package var signatures: [Substring] { (self.headers["webhook-signature"] ?? "").split(separator: " ") }
    }

    private struct State {
        var received: [Received] = []
        /// The last one is given again and again; nil for none at all.
        var answers: [String?] = [WebhookReceiver.answer(204)]
        var isClosed = false
    }

    private let descriptor: Int32
    package let port: Int
    private let state = Mutex(State())

    package static func with(_ body: (WebhookReceiver) async throws -> Void) async throws {
        let receiver = try WebhookReceiver()
        defer { receiver.state.withLock { $0.isClosed = true } }
        try await body(receiver)
    }

    package static func answer(_ status: Int, _ headers: String...) -> String {
        "HTTP/1.1 \(status) X\r\n" + headers.map { $0 + "\r\n" }.joined() + "content-length: 2\r\n\r\nok"
    }

    private init() throws {
        self.descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = self.descriptor
        let isListening = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, size) == 0 && listen(descriptor, 64) == 0
                    && getsockname(descriptor, address, &size) == 0
            }
        }
        guard isListening else { throw TestKitError("cannot listen") }
        self.port = Int(UInt16(bigEndian: address.sin_port))
        Thread.detachNewThread { self.serve() }
    }

    package var url: String { "http://127.0.0.1:\(self.port)/hook/" }
    package var received: [Received] { self.state.withLock { $0.received } }

    /// Says what is answered from now on, in order; the last for ever.
    package func answers(_ answers: String?...) { self.state.withLock { $0.answers = answers } }

    private func serve() {
        while !self.state.withLock({ $0.isClosed }) {
            var waiting = pollfd(fd: self.descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&waiting, 1, 20) > 0 else { continue }
            let connection = accept(self.descriptor, nil, nil)
            if connection >= 0 { self.serve(connection) }
        }
        close(self.descriptor)
    }

    private func serve(_ connection: Int32) {
        defer { close(connection) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        var found: Received?
        while found == nil {
            let count = read(connection, &buffer, buffer.count)
            guard count > 0 else { return }
            bytes += buffer[..<count]
            found = Self.parse(bytes)
        }
        guard let found else { return }
        let answer = self.state.withLock { state in
            state.received.append(found)
            return state.answers.count > 1 ? state.answers.removeFirst() : state.answers[0]
        }
        guard let answer else {
            // Until the other side has had enough.
            while read(connection, &buffer, buffer.count) > 0 {}
            return
        }
        let text = Array(answer.utf8)
        _ = send(connection, text, text.count, Int32(MSG_NOSIGNAL))
    }

    private static func parse(_ bytes: [UInt8]) -> Received? {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let end = text.range(of: "\r\n\r\n") else { return nil }
        let lines = text[..<end.lowerBound].components(separatedBy: "\r\n")
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            headers[line[..<colon].lowercased()] = line[line.index(after: colon)...].trimmingCharacters(
                in: .whitespaces)
        }
        let body = Array(text[end.upperBound...].utf8)
        guard body.count >= Int(headers["content-length"] ?? "0") ?? 0 else { return nil }
        return Received(head: lines[0], headers: headers, body: body)
    }
}
