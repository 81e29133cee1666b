/// Why a snapshot was refused: what the gateway reports as its NACK.
package struct SnapshotError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Stable codes, as in the status report and the API.
    package enum Code: String, Sendable {
        /// Bytes are not those that were signed or named.
        case corrupt
        /// A signature is missing, by an unknown key, or wrong.
        case untrusted
        /// An older (epoch, version), sequence or root than one seen before.
        case rollback
        /// Fresh data has not arrived in time.
        case expired
        /// Larger than the format allows.
        case oversize
        /// Well formed, but with a meaning that is not allowed.
        case invalid
        /// Needs a newer build.
        case incompatible
        /// For another deployment or gateway group.
        case misdirected
        /// Could not be fetched or stored.
        case unavailable
    }

    package let code: Code
    /// The chunk or document that is at fault.
    package let chunk: String
    package let message: String

    package init(_ code: Code, chunk: String, _ message: String) {
        self.code = code
        self.chunk = chunk
        self.message = message
    }

    package var description: String { "\(self.code.rawValue) in \(self.chunk): \(self.message)" }
}
