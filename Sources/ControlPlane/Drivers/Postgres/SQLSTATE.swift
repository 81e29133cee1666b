/// The server's five-character code for what went wrong.
package struct SQLSTATE: RawRepresentable, Hashable, Sendable {
    package let rawValue: String

    package init(rawValue: String) { self.rawValue = rawValue }
    private init(_ code: StaticString) { self.rawValue = code.description }

    package static let featureNotSupported = SQLSTATE("0A000")
    package static let stringDataRightTruncation = SQLSTATE("22001")
    package static let numericValueOutOfRange = SQLSTATE("22003")
    package static let datetimeOverflow = SQLSTATE("22008")
    package static let divisionByZero = SQLSTATE("22012")
    package static let characterNotInRepertoire = SQLSTATE("22021")
    package static let invalidTextRepresentation = SQLSTATE("22P02")
    package static let restrictViolation = SQLSTATE("23001")
    package static let notNullViolation = SQLSTATE("23502")
    package static let foreignKeyViolation = SQLSTATE("23503")
    package static let uniqueViolation = SQLSTATE("23505")
    package static let checkViolation = SQLSTATE("23514")
    package static let exclusionViolation = SQLSTATE("23P01")
    package static let readOnlyTransaction = SQLSTATE("25006")
    package static let idleInTransactionTimeout = SQLSTATE("25P03")
    package static let inFailedTransaction = SQLSTATE("25P02")
    package static let invalidStatementName = SQLSTATE("26000")
    package static let invalidPassword = SQLSTATE("28P01")
    package static let invalidCatalogName = SQLSTATE("3D000")
    package static let serializationFailure = SQLSTATE("40001")
    package static let deadlockDetected = SQLSTATE("40P01")
    package static let syntaxError = SQLSTATE("42601")
    package static let insufficientPrivilege = SQLSTATE("42501")
    package static let undefinedColumn = SQLSTATE("42703")
    package static let undefinedFunction = SQLSTATE("42883")
    package static let undefinedTable = SQLSTATE("42P01")
    package static let duplicateTable = SQLSTATE("42P07")
    package static let indeterminateDatatype = SQLSTATE("42P18")
    package static let datatypeMismatch = SQLSTATE("42804")
    package static let tooManyConnections = SQLSTATE("53300")
    package static let objectInUse = SQLSTATE("55006")
    package static let lockNotAvailable = SQLSTATE("55P03")
    package static let queryCanceled = SQLSTATE("57014")
    package static let adminShutdown = SQLSTATE("57P01")
    package static let cannotConnectNow = SQLSTATE("57P03")
    package static let raiseException = SQLSTATE("P0001")

    /// Whether the same transaction may succeed when it is run again.
    package var isTransient: Bool { self == .serializationFailure || self == .deadlockDetected }

    /// Data exceptions, whose messages quote the offending value.
    var messageMayHoldValues: Bool { self.rawValue.hasPrefix("22") }
}

extension SQLSTATE: CustomStringConvertible {
    package var description: String { self.rawValue }
}
