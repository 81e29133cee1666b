/// `--name value` pairs; a name may occur more than once.
package struct Arguments {
    private var values: [String: [String]] = [:]

    package init(_ arguments: some Sequence<String>) {
        var name: String?
        for argument in arguments {
            if let current = name {
                self.values[current, default: []].append(argument)
                name = nil
            } else if argument.hasPrefix("--") {
                name = String(argument.dropFirst(2))
            } else {
                stop("'\(argument)' is not expected here")
            }
        }
        if let name { stop("--\(name) needs a value") }
    }

    package func all(_ name: String) -> [String] { self.values[name] ?? [] }

    package func text(_ name: String, default standard: String? = nil) -> String {
        guard let value = self.values[name]?.last ?? standard else { stop("--\(name) is needed") }
        return value
    }

    package func number(_ name: String, default standard: Int? = nil) -> Int {
        if let text = self.values[name]?.last {
            guard let value = Int(text), value >= 0 else { stop("--\(name) must be a whole number, not '\(text)'") }
            return value
        }
        guard let standard else { stop("--\(name) is needed") }
        return standard
    }
}
