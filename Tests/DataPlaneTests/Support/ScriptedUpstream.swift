import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// A provider that does exactly what a test says: each connection runs the script, and is closed after it.
final class ScriptedUpstream: Sendable {
    typealias Script = @Sendable (_ connection: RawConnection, _ number: Int) async throws -> Void

    private struct State {
        var accepted = 0
        var open = 0
        var requests: [RawMessage] = []
    }

    private let channel: any Channel
    private let state: Shelf

    private final class Shelf: Sendable {
        let state = Mutex(State())
    }

    let port: Int

    private init(channel: any Channel, state: Shelf) {
        self.channel = channel
        self.port = channel.localAddress?.port ?? 0
        self.state = state
    }

    static func start(tls: NIOSSLContext? = nil, _ script: @escaping Script) async throws -> ScriptedUpstream {
        let shelf = Shelf()
        let channel = try await ServerBootstrap(group: RawConnection.group)
            .serverChannelOption(.backlog, value: 256)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls { try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls)) }
                    let connection = RawConnection(channel: channel)
                    try connection.install()
                    let number = shelf.state.withLock { state in
                        state.accepted += 1
                        state.open += 1
                        return state.accepted
                    }
                    channel.closeFuture.whenComplete { _ in shelf.state.withLock { $0.open -= 1 } }
                    Task {
                        try? await script(connection, number)
                        connection.close()
                    }
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return ScriptedUpstream(channel: channel, state: shelf)
    }

    /// A provider that gives every request the same answer, and notes what it was asked.
    static func answering(_ answer: [UInt8], tls: NIOSSLContext? = nil) async throws -> ScriptedUpstream {
        let box = Mutex<ScriptedUpstream?>(nil)
        let holder = Holder(box)
        let upstream = try await Self.start(tls: tls) { connection, _ in
            while true {
                let request = try await connection.request(within: .seconds(60))
                holder.box.withLock { $0 }?.note(request)
                try await connection.send(answer)
            }
        }
        holder.box.withLock { $0 = upstream }
        return upstream
    }

    private final class Holder: Sendable {
        let box: Mutex<ScriptedUpstream?>
        init(_ box: consuming Mutex<ScriptedUpstream?>) { self.box = box }
    }

    func note(_ request: RawMessage) { self.state.state.withLock { $0.requests.append(request) } }

    var accepted: Int { self.state.state.withLock { $0.accepted } }
    var open: Int { self.state.state.withLock { $0.open } }
    var requests: [RawMessage] { self.state.state.withLock { $0.requests } }

    func close() async { try? await self.channel.close().get() }
}

/// Texts that providers send.
enum Answers {
    static let chat = #"""
        {"id":"c1","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18}}
        """#

    static func json(_ body: String, status: String = "200 OK", fields: String = "") -> [UInt8] {
        Array(
            "HTTP/1.1 \(status)\r\ncontent-type: application/json\r\n\(fields)content-length: \(body.utf8.count)\r\n\r\n\(body)"
                .utf8
        )
    }

    /// A stream whose body is sent as the given chunks.
    static func events(_ chunks: [String], fields: String = "") -> [UInt8] {
        var text = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\(fields)transfer-encoding: chunked\r\n\r\n"
        for chunk in chunks { text += "\(String(chunk.utf8.count, radix: 16))\r\n\(chunk)\r\n" }
        return Array((text + "0\r\n\r\n").utf8)
    }

    static func delta(_ text: String, end: String = "\n\n") -> String {
        #"data: {"id":"c1","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"content":"\#(text)"},"finish_reason":null}],"usage":null}"#
            + end
    }

    static func usage(_ prompt: Int, _ completion: Int, end: String = "\n\n") -> String {
        #"data: {"id":"c1","object":"chat.completion.chunk","model":"m","choices":[],"usage":{"prompt_tokens":\#(prompt),"completion_tokens":\#(completion),"total_tokens":\#(prompt + completion)}}"#
            + end
    }

    static let done = "data: [DONE]\n\n"
}
