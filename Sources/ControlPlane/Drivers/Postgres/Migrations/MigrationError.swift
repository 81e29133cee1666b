/// Why the schema cannot be brought to, or is not at, the version this build needs.
package enum MigrationError: Error, Sendable, Equatable {
    case unreadable(String)
    case badName(String)
    case gap(missing: String, before: String)
    case duplicate(String, String)
    /// An applied file was edited afterwards.
    case changed(String)
    /// An applied file is no longer there, or has another name.
    case missing(String)
    /// The database is ahead of this build.
    case newer(database: String, build: String)
    /// The database is behind this build.
    case behind(database: String, build: String, remedy: String)
    /// A file ended the transaction it ran in.
    case leftTransaction(String)
    /// A file was refused; nothing of it remains.
    case failed(String, reason: String)
}

extension MigrationError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unreadable(let path): "cannot read \(path)"
        case .badName(let name): "\(name) is not named NNNN_verb_noun.sql"
        case .gap(let missing, let before): "migration \(missing) is missing before \(before)"
        case .duplicate(let first, let second): "\(first) and \(second) have the same number"
        case .changed(let label): "\(label) was changed after it was applied; restore it and add a new migration"
        case .missing(let label): "\(label) was applied to this database, but this build has no such file"
        case .newer(let database, let build): "database is at \(database), this build knows \(build): run a newer build"
        case .behind(let database, let build, let remedy):
            "database is at \(database), this build needs \(build): run \(remedy)"
        case .leftTransaction(let label): "\(label) ended its transaction; a migration must not COMMIT or ROLLBACK"
        case .failed(let label, let reason): "\(label) failed and was undone: \(reason)"
        }
    }
}
