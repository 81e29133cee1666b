/// What time the control plane has, for whoever asked with this nonce.
///
/// In an envelope of the timestamp role: a gateway whose own clock is wrong goes by it.
package struct SignedTime: WireMessage, Equatable {
    package var deployment: DeploymentID
    /// What the caller sent, so that an answer kept from another day is of no use.
    package var nonce: [UInt8]
    package var time: Timestamp

    /// Bytes of a nonce.
    package static let nonceSizes = 16...32
    /// Characters of a nonce in base64url.
    package static let nonceLengths = 22...43
    package static let sizeLimit = 1024

    package init(deployment: DeploymentID, nonce: [UInt8], time: Timestamp) {
        self.deployment = deployment
        self.nonce = nonce
        self.time = time
    }

    package init(from reader: inout WireReader) throws(WireError) {
        var deployment: DeploymentID?
        self.nonce = []
        self.time = Timestamp(microseconds: 0)
        while let field = try reader.next() {
            switch field {
            case 1: deployment = try reader.identifier("time.deployment")
            case 2: self.nonce = try reader.bytes(limit: Self.nonceSizes.upperBound, "time.nonce")
            case 3: self.time = Timestamp(microseconds: try reader.int64())
            default: try reader.skip()
            }
        }
        guard let deployment else { throw .missing("time.deployment") }
        guard Self.nonceSizes.contains(self.nonce.count) else { throw .invalid("time.nonce") }
        self.deployment = deployment
    }

    package func write(to writer: inout WireWriter) {
        writer.identifier(1, self.deployment)
        writer.bytes(2, self.nonce)
        writer.int64(3, self.time.microseconds)
    }
}
