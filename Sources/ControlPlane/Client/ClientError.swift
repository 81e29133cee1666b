/// How the program ends: what a script can switch on.
package enum ClientExit: Int32, Sendable, CaseIterable {
    case success = 0
    case failure = 1
    case usage = 2
    case notSignedIn = 3
    case forbidden = 4
    case notFound = 5
    case conflict = 6
    case invalid = 7
    case unavailable = 8
    /// `explain` and `explain-request`: no.
    case denied = 10
    /// `explain-request`: only gateways know.
    case undecided = 11

    /// For `--help` and the documentation.
    package var meaning: String {
        switch self {
        case .success: "done; for explain: allowed"
        case .failure: "another failure, on this machine or the server"
        case .usage: "the command line is wrong"
        case .notSignedIn: "no token, or one that is not accepted (401)"
        case .forbidden: "not allowed (403, 402)"
        case .notFound: "not there, or not to be seen (404)"
        case .conflict: "in conflict with what is there, or changed meanwhile (409, 412, 428)"
        case .invalid: "the server does not accept the input (other 4xx)"
        case .unavailable: "not reachable, too slow, or too busy (429, 502, 503, 504)"
        case .denied: "explain, explain-request: it would be refused"
        case .undecided: "explain-request: it depends on what only gateways know"
        }
    }

    /// The end that an answer's status stands for.
    package init(status: Int) {
        switch status {
        case 200..<300: self = .success
        case 401: self = .notSignedIn
        case 402, 403: self = .forbidden
        case 404: self = .notFound
        case 409, 412, 428: self = .conflict
        case 408, 429, 502, 503, 504: self = .unavailable
        case 400..<500: self = .invalid
        default: self = .failure
        }
    }
}

/// Why a command was not carried out, for a person.
package struct ClientError: Error, Sendable, CustomStringConvertible {
    package let exit: ClientExit
    package let message: String
    /// Lines that follow it: where, what to do.
    package var notes: [String] = []
    /// A name was not found in what is kept of the API's description: a newer one may have it.
    package var mayBeStale = false
    /// The request may have reached the server.
    package var isAfterSending = false

    package init(_ exit: ClientExit, _ message: String, notes: [String] = [], mayBeStale: Bool = false) {
        self.exit = exit
        self.message = message
        self.notes = notes
        self.mayBeStale = mayBeStale
    }

    static func usage(_ message: String, notes: [String] = []) -> ClientError {
        ClientError(.usage, message, notes: notes)
    }

    /// What is not in the API, with the names that are near.
    static func unknown(_ what: String, _ name: String, among names: some Sequence<String>, more: String? = nil)
        -> ClientError
    {
        let near = Nearest.names(to: name, among: names)
        var notes = near.isEmpty ? [] : ["Did you mean " + near.joined(separator: ", ") + "?"]
        if let more { notes.append(more) }
        return ClientError(.usage, "there is no \(what) '\(name)'", notes: notes, mayBeStale: true)
    }

    package var description: String { ([self.message] + self.notes.map { "  " + $0 }).joined(separator: "\n") }
}
