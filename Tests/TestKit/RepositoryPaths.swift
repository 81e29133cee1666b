import Glibc

/// Where things are in the checkout the tests were built from.
package enum RepositoryPaths {
    /// The directory of `Package.swift`, without a slash at the end.
    package static let root: String = {
        // …/Tests/TestKit/RepositoryPaths.swift, through symbolic links
        var parts = Self.resolved("\(#filePath)").split(separator: "/")
        parts.removeLast(min(3, parts.count))
        return "/" + parts.joined(separator: "/")
    }()

    package static let migrations = Self.root + "/migrations"

    private static func resolved(_ path: String) -> String {
        guard let real = realpath(path, nil) else { return path }
        defer { free(real) }
        return String(cString: real)
    }
}
