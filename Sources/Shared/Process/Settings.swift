#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// What is wrong with the configuration, in one line that names the setting.
package struct SettingsError: Error, CustomStringConvertible, Sendable {
    package let description: String

    package init(_ description: String) { self.description = description }
}

/// The settings of one process: `GATEHOUSE_…` variables of the environment, over those of an optional file.
///
/// The file (`GATEHOUSE_CONFIG_FILE`) has one `NAME=value` a line, `#` comments, no quoting. A value that names a file
/// (`NAME_FILE` for a secret) is read from there, so that secrets need not stand in the environment. Everything is read
/// once, at start; a name that no setting has is refused, since it is almost always a typing mistake.
package struct Settings {
    private let values: [String: String]
    private var known: Set<String> = ["GATEHOUSE_CONFIG_FILE"]

    package init(environment: [String: String]) throws(SettingsError) {
        var values = environment.filter { $0.key.hasPrefix("GATEHOUSE_") }
        if let path = values["GATEHOUSE_CONFIG_FILE"], !path.isEmpty {
            // Empty counts as absent, so that it does not hide what the file says.
            for (name, value) in try Self.readFile(path) where values[name, default: ""].isEmpty {
                values[name] = value
            }
        }
        self.values = values
    }

    /// The environment of this process.
    package static func ofProcess() throws(SettingsError) -> Settings {
        var environment: [String: String] = [:]
        var entry = environ
        while let text = entry.pointee {
            let pair = String(cString: text)
            if let equals = pair.firstIndex(of: "=") {
                environment[String(pair[..<equals])] = String(pair[pair.index(after: equals)...])
            }
            entry += 1
        }
        return try Settings(environment: environment)
    }

    /// The text of a setting; empty counts as absent.
    package mutating func text(_ name: String) -> String? {
        self.known.insert(name)
        guard let value = self.values[name], !value.isEmpty else { return nil }
        return value
    }

    package mutating func text(_ name: String, default fallback: String) -> String { self.text(name) ?? fallback }

    package mutating func required(_ name: String, _ meaning: String) throws(SettingsError) -> String {
        guard let value = self.text(name) else { throw SettingsError("\(name) is not set: \(meaning)") }
        return value
    }

    package mutating func integer(
        _ name: String, default fallback: Int, in range: ClosedRange<Int>
    ) throws(SettingsError) -> Int {
        guard let text = self.text(name) else { return fallback }
        guard let value = Int(text), range.contains(value) else {
            throw SettingsError(
                "\(name) is '\(text)': a whole number from \(range.lowerBound) to \(range.upperBound) is needed"
            )
        }
        return value
    }

    package mutating func flag(_ name: String, default fallback: Bool) throws(SettingsError) -> Bool {
        guard let text = self.text(name) else { return fallback }
        switch text {
        case "1", "true", "yes", "on": return true
        case "0", "false", "no", "off": return false
        default: throw SettingsError("\(name) is '\(text)': true or false is needed")
        }
    }

    /// A secret, from `name` or from the file that `name`_FILE names.
    package mutating func secret(_ name: String) throws(SettingsError) -> Secret<String>? {
        let path = self.text(name + "_FILE")
        if let value = self.text(name) {
            guard path == nil else { throw SettingsError("\(name) and \(name)_FILE are both set: keep one") }
            return Secret(value)
        }
        guard let path else { return nil }
        var text = try Self.contents(of: path, for: name + "_FILE")
        while text.last?.isNewline == true { text.removeLast() }
        guard !text.isEmpty else { throw SettingsError("\(name)_FILE is '\(path)': the file is empty") }
        return Secret(text)
    }

    /// Names that belong to this process's settings but are read elsewhere (scripts, tests).
    package mutating func ignore(_ names: String...) { self.known.formUnion(names) }

    /// Refuses names that nothing has asked for.
    ///
    /// Called last.
    package func refuseUnknown() throws(SettingsError) {
        if let name = self.values.keys.filter({ !self.known.contains($0) }).min() {
            throw SettingsError("\(name) is not a setting of this program")
        }
    }

    private static func readFile(_ path: String) throws(SettingsError) -> [String: String] {
        var values: [String: String] = [:]
        let text = try Self.contents(of: path, for: "GATEHOUSE_CONFIG_FILE")
        for (number, line) in text.split(omittingEmptySubsequences: false, whereSeparator: Self.isLineEnd).enumerated()
        {
            let trimmed = line.drop(while: { $0 == " " || $0 == "\t" })
            if trimmed.isEmpty || trimmed.first == "#" { continue }
            guard let equals = trimmed.firstIndex(of: "="), trimmed.hasPrefix("GATEHOUSE_") else {
                throw SettingsError("\(path) line \(number + 1): GATEHOUSE_NAME=value is needed")
            }
            let name = String(trimmed[..<equals])
            guard values[name] == nil else { throw SettingsError("\(path) line \(number + 1): \(name) occurs twice") }
            var value = trimmed[trimmed.index(after: equals)...]
            while value.last == " " || value.last == "\t" { value.removeLast() }
            values[name] = String(value)
        }
        return values
    }

    /// `\r\n` is one character in Swift, equal to neither of its two.
    private static func isLineEnd(_ character: Character) -> Bool { character == "\n" || character == "\r\n" }

    private static func contents(of path: String, for name: String) throws(SettingsError) -> String {
        let bytes: [UInt8]
        do throws(FileError) {
            bytes = try Files.read(path, limit: 1 << 20)
        } catch {
            throw SettingsError("\(name) is '\(path)': \(error.reason)")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw SettingsError("\(name) is '\(path)': the file is not UTF-8")
        }
        return text
    }
}
