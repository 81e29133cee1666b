package import Shared

/// Reads JSON as the API accepts it: strictly, with whole numbers.
package enum JSONParser {
    package static func parse(_ bytes: [UInt8]) throws(JSONSyntaxError) -> JSONValue { try JSONReader.read(bytes) }
}

extension JSONValue: JSONReadable {
    package static var depthLimit: Int { 32 }
    /// A database's text cannot have it.
    package static var acceptsNUL: Bool { false }

    package init(number text: String, isWhole: Bool) throws(JSONRefusal) {
        guard isWhole else { throw JSONRefusal("only whole numbers are accepted") }
        guard let value = Int64(text) else { throw JSONRefusal("the number does not fit 64 bits") }
        self = .integer(value)
    }
}
