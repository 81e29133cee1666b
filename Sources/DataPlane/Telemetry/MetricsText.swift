import Shared

/// The Prometheus text format, version 0.0.4 (https://prometheus.io/docs/instrumenting/exposition_formats/).
package struct MetricsText {
    package private(set) var text = ""

    package init() {}

    /// Begins a family; its samples follow.
    package mutating func family(_ name: String, _ type: String, _ help: String) {
        self.text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
    }

    package mutating func sample(
        _ name: String, _ labels: [(String, String)] = [], _ value: some CustomStringConvertible
    ) {
        self.text += name
        if !labels.isEmpty {
            self.text += "{" + labels.map { "\($0.0)=\"\(Self.escaped($0.1))\"" }.joined(separator: ",") + "}"
        }
        self.text += " \(value)\n"
    }

    /// A label's value, which may be a name that somebody chose.
    private static func escaped(_ value: String) -> String {
        guard value.utf8.contains(where: { $0 == 0x22 || $0 == 0x5C || $0 == 0x0A }) else { return value }
        var result = ""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    mutating func single(_ name: String, _ type: String, _ help: String, _ value: some CustomStringConvertible) {
        self.family(name, type, help)
        self.sample(name, [], value)
    }

    /// A histogram with one series.
    mutating func histogram(_ name: String, _ help: String, _ values: Distribution) {
        self.family(name, "histogram", help)
        self.distribution(name, [], values) { Self.seconds($0) }
    }

    /// The samples of one series of a histogram.
    ///
    /// - Parameter unit: how a value is told: microseconds as seconds, tokens as they are.
    package mutating func distribution(
        _ name: String, _ labels: [(String, String)], _ values: Distribution, unit: (Int64) -> String
    ) {
        var total = 0
        for (bound, count) in zip(values.bounds, values.counts) {
            total += count
            self.sample(name + "_bucket", labels + [("le", unit(bound))], total)
        }
        total = values.count
        self.sample(name + "_bucket", labels + [("le", "+Inf")], total)
        self.sample(name + "_sum", labels, unit(values.sum))
        self.sample(name + "_count", labels, total)
    }

    /// Microseconds as decimal seconds.
    package static func seconds(_ microseconds: Int64) -> String {
        let sign = microseconds < 0 ? "-" : ""
        let whole = microseconds.magnitude / 1_000_000
        let digits = String(microseconds.magnitude % 1_000_000)
        var places = String(repeating: "0", count: 6 - digits.count) + digits
        while places.last == "0" { places.removeLast() }
        return places.isEmpty ? "\(sign)\(whole)" : "\(sign)\(whole).\(places)"
    }
}
