import HTTPTypes
import Hummingbird
import HummingbirdCore
import HummingbirdTLS
package import Logging
import NIOCore
import NIOSSL
import ServiceLifecycle

/// Carries requests between sockets and the API; decides nothing.
package struct HTTPServer: Service {
    private let api: API
    private let host: String
    private let port: Int
    private let tls: ControlPlaneConfig.TLS?
    private let limits: ConnectionLimits
    private let logger: Logger
    private let onPort: @Sendable (Int) async -> Void

    /// - Parameter onPort: told the port once it is open.
    package init(
        api: API, host: String, port: Int, tls: ControlPlaneConfig.TLS?, limits: ConnectionLimits, logger: Logger,
        onPort: @escaping @Sendable (Int) async -> Void = { _ in }
    ) {
        self.api = api
        self.host = host
        self.port = port
        self.tls = tls
        self.limits = limits
        self.logger = logger
        self.onPort = onPort
    }

    package func run() async throws {
        let api = self.api
        let responder = CallbackResponder<Context> { request, context in
            await Self.respond(to: request, from: context.remoteAddress, api)
        }
        let onPort = self.onPort
        let logger = self.logger
        let application = Application(
            responder: responder, server: try self.builder(),
            configuration: ApplicationConfiguration(
                address: .hostname(self.host, port: self.port),
                availableConnectionsDelegate: MaximumAvailableConnections(
                    self.limits.connections, logger: Logger(label: "gatehouse.http") { _ in SwiftLogNoOpLogHandler() }
                )
            ),
            onServerRunning: { channel in
                let port = channel.localAddress?.port ?? 0
                logger.info("listening", metadata: ["port": "\(port)"])
                await onPort(port)
            }, logger: Logger(label: "gatehouse.http") { _ in SwiftLogNoOpLogHandler() }
        )
        try await application.run()
    }

    private func builder() throws -> HTTPServerBuilder {
        let limits = self.limits
        var decoder = HTTP1Channel.Configuration.DecoderConfiguration()
        decoder.maxHeaderFieldSize = limits.headBytes
        decoder.maxHeaderListSize = limits.headBytes
        decoder.maxHeaderFieldCount = limits.headFields
        let http1 = HTTPServerBuilder.http1(
            configuration: HTTP1Channel.Configuration(
                additionalChannelHandlers: [ConnectionDeadlinesHandler(limits)], httpDecoderConfiguration: decoder
            )
        )
        guard let tls else { return http1 }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMFile(tls.certificate).map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: tls.key, format: .pem))
        )
        configuration.minimumTLSVersion = .tlsv12
        return try .tls(http1, tlsConfiguration: configuration)
    }

    private static func respond(to request: Request, from address: String?, _ api: API) async -> Response {
        let method = request.method.rawValue
        let target = request.head.path ?? "/"
        var headers: HTTPHeaders = [:]
        for field in request.headers { headers.add(field.name.canonicalName, field.value) }
        var copy = APIRequest(method, target, headers: headers)
        copy.remoteAddress = address
        let limit = api.bodyLimit(method: method, target: target)
        do {
            let buffer = try await request.body.collect(upTo: limit)
            copy.body = Array(buffer.readableBytesView)
        } catch {
            copy.isTooLarge = true
        }
        let response = await api.respond(to: copy)
        var fields = HTTPFields()
        for header in response.headers {
            if let name = HTTPField.Name(header.name) { fields.append(HTTPField(name: name, value: header.value)) }
        }
        return Response(
            status: .init(code: response.status), headers: fields,
            body: response.body.isEmpty ? .init() : .init(byteBuffer: ByteBuffer(bytes: response.body))
        )
    }

    /// Knows where a request came from.
    struct Context: InitializableFromSource {
        let remoteAddress: String?

        init(source: ApplicationRequestContextSource) { self.remoteAddress = source.channel.remoteAddress?.ipAddress }
    }
}
