/// The control plane's answer to the start of a gateway's process.
package struct StartReply: WireMessage, Equatable {
    /// Counts the processes of the gateway: the newest has the highest.
    package var epoch: Int

    package init(epoch: Int) { self.epoch = epoch }

    package init(from reader: inout WireReader) throws(WireError) {
        self.epoch = 0
        while let field = try reader.next() {
            switch field {
            case 1: self.epoch = try reader.integer(in: 1...Int.max, "start.epoch")
            default: try reader.skip()
            }
        }
        guard self.epoch > 0 else { throw .missing("start.epoch") }
    }

    package func write(to writer: inout WireWriter) { writer.integer(1, self.epoch) }
}
