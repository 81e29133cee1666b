import CLibPQ

/// One session with the server; used by one thread at a time, closed with its last reference.
package final class Connection {
    let raw: OpaquePointer
    let config: DatabaseConfig
    var statements: StatementCache
    /// The code of the last statement the server refused in the current transaction.
    var lastFailure: ServerError?
    /// Set when the session is in a state that we do not want to repair.
    private var isAbandoned = false

    /// Connects; blocks up to the connect timeout per host.
    ///
    /// Throws `connection`.
    package init(_ config: DatabaseConfig) throws(PostgresError) {
        guard let raw = try ConnectionSettings(config).connect() else { throw .connection("out of memory") }
        self.raw = raw
        self.config = config
        self.statements = StatementCache(capacity: config.prepareCacheSize)
        guard PQstatus(raw) == CONNECTION_OK else {
            throw .connection(Self.message(of: raw))
        }
        PQsetNoticeProcessor(raw, { _, _ in }, nil)  // libpq would print notices to standard error
        if config.preparedStatements { try self.command(config.settings(local: false)) }
    }

    deinit { PQfinish(self.raw) }

    /// Whether another transaction may be run.
    var isReusable: Bool {
        !self.isAbandoned && PQstatus(self.raw) == CONNECTION_OK && PQtransactionStatus(self.raw) == PQTRANS_IDLE
    }

    var isBroken: Bool { PQstatus(self.raw) != CONNECTION_OK }

    var socket: Int32 { PQsocket(self.raw) }

    /// Runs the text of a migration file: any number of statements, no parameters.
    package func runScript(_ text: String) throws(PostgresError) {
        guard !text.utf8.contains(0) else { throw .encoding("a script holds a zero byte") }
        try self.command(text)
    }

    /// Runs fixed text without parameters and returns the command tag of its last statement.
    @discardableResult
    func command(_ text: String) throws(PostgresError) -> String {
        try self.check(PQexec(self.raw, text)).commandTag
    }

    /// Takes over a result; throws what the server or the connection reported in its place.
    func check(_ raw: OpaquePointer?) throws(PostgresError) -> ResultHandle {
        guard let raw else { throw .connection(Self.message(of: self.raw)) }
        let result = ResultHandle(adopting: raw)
        switch PQresultStatus(raw) {
        case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY:
            return result
        case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
            self.isAbandoned = true
            throw .encoding("COPY needs copyIn")
        default:
            throw self.failure(result)
        }
    }

    func failure(_ result: ResultHandle) -> PostgresError {
        guard let error = ServerError(result), !self.isBroken else {
            return .connection(result.errorField("M") ?? Self.message(of: self.raw))
        }
        self.lastFailure = error
        return .server(error)
    }

    /// The session cannot be used again after this transaction.
    func abandon() { self.isAbandoned = true }

    static func message(of raw: OpaquePointer) -> String {
        let text = PQerrorMessage(raw).map { String(cString: $0) } ?? ""
        let lines = text.split(whereSeparator: \.isNewline).map { $0.drop { $0 == " " || $0 == "\t" } }
        return lines.isEmpty ? "lost" : lines.joined(separator: "; ")
    }
}

extension ServerError {
    /// Nil when the result holds no code: then it was not the server that refused.
    init?(_ result: ResultHandle) {
        guard let code = result.errorField("C") else { return nil }
        self.init(
            sqlState: SQLSTATE(rawValue: code),
            message: result.errorField("M") ?? "",
            detail: result.errorField("D"),
            hint: result.errorField("H"),
            constraint: result.errorField("n"),
            table: result.errorField("t"),
            column: result.errorField("c"),
            sourceFunction: result.errorField("R")
        )
    }
}
