package import Shared

/// One request as a handler sees it: matched, authenticated, authorized and validated.
package struct Call: Sendable {
    package let path: [String: String]
    package let query: [String: JSONValue]
    /// The validated JSON body; null when the endpoint has none.
    package let body: JSONValue
    /// The exact bytes of the body.
    package let bytes: [UInt8]
    package let headers: HTTPHeaders
    package let context: OperationContext
    /// The gateway, when the endpoint is for gateways.
    package let gateway: GatewayCaller?
    /// The text after `Bearer`, when the endpoint is for join tokens.
    package let joinToken: Secret<String>?

    /// The identifier in the path; one of the wrong form names nothing that exists.
    package func id<Kind: IdentifierKind>(_ name: String = "id", _: Kind.Type = Kind.self) throws(ControlError)
        -> Identifier<Kind>
    {
        guard let text = self.path[name], let id = Identifier<Kind>(text) else { throw .notFound("resource") }
        return id
    }

    /// An identifier in the query, which the schema has checked; nil when it is absent.
    package func filter<Kind: IdentifierKind>(_ name: String, _: Kind.Type = Kind.self) -> Identifier<Kind>? {
        self.query[name]?.string.flatMap { Identifier<Kind>($0) }
    }

    /// The revision that the caller has seen; nil for `*` or none.
    ///
    /// 428 when the method needs one.
    package func ifMatch(required: Bool = false) throws(ControlError) -> Int64? {
        guard let text = self.headers["if-match"] else {
            guard required else { return nil }
            throw ControlError(
                .preconditionRequired, "if_match_required", "If-Match is needed, with the ETag that was read.",
                pointer: "If-Match"
            )
        }
        if text == "*" { return nil }
        guard text.utf8.count >= 3, text.first == "\"", text.last == "\"",
            let revision = Int64(text.dropFirst().dropLast()), revision >= 0
        else {
            throw ControlError(
                .preconditionFailed, "revision_mismatch", "If-Match names no revision of this resource.",
                pointer: "If-Match"
            )
        }
        return revision
    }
}

/// Header fields by lower-case name; several of one name are joined with a comma.
package struct HTTPHeaders: Sendable, ExpressibleByDictionaryLiteral {
    private var fields: [String: String] = [:]

    package init(dictionaryLiteral elements: (String, String)...) {
        for (name, value) in elements { self.add(name, value) }
    }

    package subscript(name: String) -> String? { self.fields[name] }

    package mutating func add(_ name: String, _ value: String) {
        let name = name.lowercased()
        self.fields[name] = self.fields[name].map { $0 + ", " + value } ?? value
    }
}

/// A gateway that has proved its identity.
package struct GatewayCaller: Sendable {
    package let id: GatewayID
    package let group: GatewayGroupID
    /// The process that signed, and when it did.
    package let process: UInt64
    package let issued: Timestamp
    /// How it stands to other processes under the same identity.
    package let standing: ProcessStanding

    package init(
        id: GatewayID, group: GatewayGroupID, process: UInt64, issued: Timestamp, standing: ProcessStanding
    ) {
        self.id = id
        self.group = group
        self.process = process
        self.issued = issued
        self.standing = standing
    }
}

/// What a handler answers.
package struct Answer: Sendable {
    package enum Body: Sendable {
        case empty
        case json(JSONValue)
        case bytes([UInt8], type: String)
    }

    package var status: Int
    package var body: Body
    package var headers: [(name: String, value: String)] = []

    package init(status: Int = 200, body: Body = .empty, headers: [(name: String, value: String)] = []) {
        self.status = status
        self.body = body
        self.headers = headers
    }

    package static func json(_ value: JSONValue, status: Int = 200) -> Answer {
        Answer(status: status, body: .json(value))
    }

    /// A resource with its revision as ETag.
    package static func resource(_ value: JSONValue, revision: Int64, status: Int = 200) -> Answer {
        var answer = Answer.json(value, status: status)
        answer.headers.append((name: "etag", value: "\"\(revision)\""))
        return answer
    }

    /// The same with where the created resource is.
    package func located(at path: String) -> Answer {
        var answer = self
        answer.headers.append((name: "location", value: path))
        return answer
    }

    /// The same with the receipts of the audit log.
    package func audited(_ receipts: [AuditReceipt]) -> Answer {
        var answer = self
        for receipt in receipts { answer.headers.append((name: "audit-receipt", value: receipt.description)) }
        return answer
    }
}
