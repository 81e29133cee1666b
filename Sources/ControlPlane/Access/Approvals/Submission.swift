import Crypto
package import Shared

/// What a caller asks for, to the byte: what others approve, and what may then be done once.
package struct Submission: Sendable {
    package let method: String
    /// With the query.
    package let path: String
    /// What is shown to those who approve, without secrets; null for none, and for a body that is no JSON.
    package let body: JSONValue
    /// Of method, path, If-Match and body.
    package let sha256: [UInt8]
    /// Why it is wanted, in the caller's words.
    package var reason = ""
    /// The approval that the caller means.
    package var approval: ApprovalID?

    /// Most bytes of a body that others can be shown, and so approve.
    static let shownLimit = 64 << 10
    /// Most characters of a reason.
    package static let reasonLimit = 500

    /// - Parameter shown: the body without secrets.
    package init(method: String, path: String, ifMatch: String?, bytes: [UInt8], shown: JSONValue) {
        self.method = method
        self.path = path
        self.body = shown
        var hash = SHA256()
        hash.update(data: Array("\(method) \(path)\n\(ifMatch ?? "")\n".utf8))
        hash.update(data: bytes)
        self.sha256 = Array(hash.finalize())
    }

    /// What whoever runs the machine asks for with a command.
    package init(command: String, _ arguments: JSONValue) {
        self.init(method: "COMMAND", path: command, ifMatch: nil, bytes: arguments.utf8, shown: arguments)
    }
}

extension Submission {
    /// Of a request that changes something; nil for one that reads, and for one by no API token.
    init?(_ request: APIRequest, to endpoint: Endpoint, body: JSONValue) throws(ControlError) {
        guard endpoint.method != .get, endpoint.auth.isByToken else { return nil }
        let shown: JSONValue =
            switch endpoint.body {
            case .none: .null
            case .json(let schema): schema.withoutSecrets(body)
            case .bytes: ["bytes": .integer(Int64(request.body.count))]
            }
        self.init(
            method: request.method, path: request.target, ifMatch: request.headers["if-match"], bytes: request.body,
            shown: shown)
        if let text = request.headers["gatehouse-reason"] {
            // Percent-encoded, so that it may be in any language; what is no such text stands for itself.
            let reason = PercentEncoding.decode(text) ?? text
            guard !reason.unicodeScalars.contains(where: { $0.value == 0 }),
                (1...Self.reasonLimit).contains(reason.unicodeScalars.count)
            else {
                throw .invalid(
                    "A reason has 1 to \(Self.reasonLimit) characters.", at: "Gatehouse-Reason")
            }
            self.reason = reason
        }
        if let text = request.headers["gatehouse-approval"] {
            guard let id = ApprovalID(text) else {
                throw .invalid("It must be an approval's identifier: apr_…", at: "Gatehouse-Approval")
            }
            self.approval = id
        }
    }
}

extension Schema {
    /// A value that this schema accepts, with something else in the place of each secret.
    func withoutSecrets(_ value: JSONValue) -> JSONValue {
        switch self {
        case .secret: value.isNull ? value : "(secret)"
        case .described(let schema, _), .named(_, let schema), .nullable(let schema): schema.withoutSecrets(value)
        case .array(let element, _):
            value.array.map { .array($0.map { element.withoutSecrets($0) }) } ?? value
        case .object(let members):
            value.object.map { object in
                var shown = object
                for member in members {
                    if let inner = object[member.name] { shown[member.name] = member.schema.withoutSecrets(inner) }
                }
                return .object(shown)
            } ?? value
        case .string, .integer, .bool, .map, .anyObject: value
        }
    }
}
