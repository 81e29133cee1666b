import Glibc

/// One step of the schema: a file `NNNN_verb_noun.sql`.
package struct MigrationFile: Sendable, Hashable {
    /// 1, 2, 3, … without gaps.
    package let version: Int
    /// The words between the number and the suffix.
    package let name: String
    package let sql: String

    package init(version: Int, name: String, sql: String) {
        self.version = version
        self.name = name
        self.sql = sql
    }

    /// `0001_create_items`, as messages show it.
    package var label: String { Self.number(self.version) + "_" + self.name }

    static func number(_ version: Int) -> String {
        let digits = String(version)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }

    /// Reads a directory's migrations in order; `schema.sql` and files that are not SQL are left out.
    ///
    /// Throws for an unreadable directory or file, a misnamed SQL file, a gap, a duplicate.
    package static func load(directory: String) throws(MigrationError) -> [MigrationFile] {
        var files: [MigrationFile] = []
        for fileName in try self.fileNames(in: directory) where fileName.hasSuffix(".sql") && fileName != "schema.sql" {
            guard let (version, name) = self.parse(fileName) else { throw .badName(fileName) }
            let sql = try self.read(directory + "/" + fileName)
            files.append(MigrationFile(version: version, name: name, sql: sql))
        }
        files.sort { ($0.version, $0.name) < ($1.version, $1.name) }
        try self.checkNumbering(files)
        return files
    }

    static func checkNumbering(_ files: [MigrationFile]) throws(MigrationError) {
        for (index, file) in files.enumerated() where file.version != index + 1 {
            if index > 0, files[index - 1].version == file.version {
                throw .duplicate(files[index - 1].label, file.label)
            }
            throw .gap(missing: self.number(index + 1), before: file.label)
        }
    }

    /// Four digits, then two or more lower-case words, each after an underscore.
    private static func parse(_ fileName: String) -> (version: Int, name: String)? {
        let stem = fileName.dropLast(".sql".count)
        let words = stem.split(separator: "_", omittingEmptySubsequences: false)
        guard words.count >= 3, words[0].utf8.count == 4, let version = Int(words[0]), version > 0 else { return nil }
        let isPlain = words.allSatisfy { word in
            !word.isEmpty && word.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) }
        }
        return isPlain ? (version, words.dropFirst().joined(separator: "_")) : nil
    }

    private static func fileNames(in directory: String) throws(MigrationError) -> [String] {
        guard let stream = opendir(directory) else { throw .unreadable(directory) }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let offset = MemoryLayout<dirent>.offset(of: \.d_name) ?? 0
            let name = UnsafeRawPointer(entry).advanced(by: offset).assumingMemoryBound(to: CChar.self)
            names.append(String(cString: name))
        }
        return names
    }

    private static func read(_ path: String) throws(MigrationError) -> String {
        guard let file = fopen(path, "rb") else { throw .unreadable(path) }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = fread(&chunk, 1, chunk.count, file)
            if count == 0 { break }
            bytes.append(contentsOf: chunk[..<count])
        }
        guard ferror(file) == 0, let text = String(validating: bytes, as: UTF8.self) else { throw .unreadable(path) }
        return text
    }
}
