import Glibc

/// Cases recorded by others, read in place beside the repository; tests that need them are skipped where it is absent.
enum Fixtures {
    /// `../shared/fixtures` from the repository's root, however the sources are reached.
    static let root: String? = {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        guard realpath(#filePath, &buffer) != nil else { return nil }
        let path = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let parts = path.split(separator: "/")
        // <root>/Tests/DataPlaneTests/Fixtures.swift
        guard parts.count > 4 else { return nil }
        let found = "/" + parts.dropLast(4).joined(separator: "/") + "/shared/fixtures"
        return access(found + "/manifest.jsonl", R_OK) == 0 ? found : nil
    }()

    static var isPresent: Bool { self.root != nil }

    /// The bytes of a file below the fixtures' folder; empty when it cannot be read.
    static func bytes(_ path: String) -> [UInt8] {
        guard let root, let file = fopen(root + "/" + path, "r") else { return [] }
        defer { fclose(file) }
        var result: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = fread(&buffer, 1, buffer.count, file)
            if count == 0 { return result }
            result += buffer[..<count]
        }
    }

    static func lines(_ path: String) -> [[UInt8]] { self.bytes(path).split(separator: 0x0A).map(Array.init) }

    /// The manifest's cases.
    static let manifest: [NaiveNode] = Fixtures.lines("manifest.jsonl").compactMap(NaiveParser.parse)
}

extension NaiveNode {
    /// The member of an object, or nil.
    subscript(_ name: String) -> NaiveNode? {
        guard case .object(let members) = self.value else { return nil }
        let wanted = name.unicodeScalars.map(\.value)
        return members.last { $0.name == wanted }?.value
    }

    var string: String? {
        guard case .string(let units) = self.value else { return nil }
        return String(String.UnicodeScalarView(units.compactMap(Unicode.Scalar.init)))
    }

    var integer: Int64? {
        guard case .number(let digits) = self.value else { return nil }
        return Int64(digits.text)
    }
}
