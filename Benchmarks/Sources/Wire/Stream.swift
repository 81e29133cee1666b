import COpenSSL
import Glibc

/// What TLS connections of one side have in common.
package final class TLSContext {
    fileprivate let raw: OpaquePointer

    /// For a server with this certificate and key (PEM), or for a client that trusts anybody: on this machine only.
    package init(certificate: String? = nil, key: String? = nil) {
        guard let raw = SSL_CTX_new(certificate == nil ? TLS_client_method() : TLS_server_method()) else {
            stop("OpenSSL does not start")
        }
        self.raw = raw
        if let certificate, let key {
            guard SSL_CTX_use_certificate_chain_file(raw, certificate) == 1,
                SSL_CTX_use_PrivateKey_file(raw, key, SSL_FILETYPE_PEM) == 1
            else { stop("\(certificate) and \(key) are no certificate and key") }
        }
    }

    deinit { SSL_CTX_free(self.raw) }
}

/// One connection: bytes in and out, through TLS or not, never waiting.
package final class Stream {
    package enum Outcome {
        case bytes(Int)
        /// Later: when the socket can be read or written again.
        case again
        case ended
    }

    package let socket: Int32
    private let tls: OpaquePointer?

    package init(_ socket: Int32, _ context: TLSContext?, isServer: Bool) {
        self.socket = socket
        guard let context else {
            self.tls = nil
            return
        }
        guard let tls = SSL_new(context.raw), SSL_set_fd(tls, socket) == 1 else { stop("no TLS connection") }
        if isServer { SSL_set_accept_state(tls) } else { SSL_set_connect_state(tls) }
        // SSL_MODE_ENABLE_PARTIAL_WRITE and SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER, which are macros in C.
        SSL_ctrl(tls, SSL_CTRL_MODE, 3, nil)
        self.tls = tls
    }

    deinit { self.close() }

    private var isClosed = false

    package func close() {
        guard !self.isClosed else { return }
        self.isClosed = true
        if let tls { SSL_free(tls) }
        Glibc.close(self.socket)
    }

    package func read(_ buffer: UnsafeMutableRawBufferPointer) -> Outcome {
        guard let base = buffer.baseAddress else { return .again }
        if let tls {
            ERR_clear_error()
            return self.outcome(tls, Int(SSL_read(tls, base, Int32(clamping: buffer.count))))
        }
        let count = Glibc.recv(self.socket, base, buffer.count, 0)
        if count > 0 { return .bytes(count) }
        return count < 0 && (errno == EAGAIN || errno == ENOTCONN) ? .again : .ended
    }

    package func write(_ bytes: UnsafeRawBufferPointer) -> Outcome {
        guard let base = bytes.baseAddress, !bytes.isEmpty else { return .bytes(0) }
        if let tls {
            ERR_clear_error()
            return self.outcome(tls, Int(SSL_write(tls, base, Int32(clamping: bytes.count))))
        }
        let count = send(self.socket, base, bytes.count, Int32(MSG_NOSIGNAL))
        if count >= 0 { return .bytes(count) }
        return errno == EAGAIN || errno == ENOTCONN || errno == EINPROGRESS ? .again : .ended
    }

    private func outcome(_ tls: OpaquePointer, _ result: Int) -> Outcome {
        if result > 0 { return .bytes(result) }
        switch SSL_get_error(tls, Int32(result)) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return .again
        default: return .ended
        }
    }
}

/// Bytes on their way out of one connection, as far as it takes them.
package struct Outbox {
    private var bytes: [UInt8] = []
    private var sent = 0

    package init() {}

    package var isEmpty: Bool { self.sent == self.bytes.count }

    package mutating func append(_ more: some Collection<UInt8>) {
        if self.isEmpty {
            self.bytes.removeAll(keepingCapacity: true)
            self.sent = 0
        }
        self.bytes.append(contentsOf: more)
    }

    /// Writes what the connection takes now; false when it has ended.
    package mutating func flush(to stream: Stream) -> Bool {
        while !self.isEmpty {
            let outcome = self.bytes.withUnsafeBytes { all in
                stream.write(UnsafeRawBufferPointer(rebasing: all[self.sent...]))
            }
            switch outcome {
            case .bytes(let count): self.sent += count
            case .again: return true
            case .ended: return false
            }
        }
        return true
    }
}
