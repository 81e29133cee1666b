import Shared

/// Reads what an endpoint asks for out of a request: the query and the body.
enum RequestReading {
    /// The parameters that the endpoint names, as values; others are refused.
    static func query(_ text: String?, for endpoint: Endpoint) throws(ControlError) -> [String: JSONValue] {
        var values: [String: JSONValue] = [:]
        for (name, value) in try PercentEncoding.parameters(text ?? "") {
            guard let parameter = endpoint.query.first(where: { $0.name == name }) else {
                throw ControlError(
                    .invalid, "unknown_parameter", "There is no parameter '\(name.prefix(64))' here.", pointer: name
                )
            }
            guard values[name] == nil else {
                throw ControlError(.invalid, "invalid_query", "The parameter occurs twice.", pointer: name)
            }
            let typed = Self.typed(value, as: parameter.schema)
            do throws(ControlError) {
                try parameter.schema.validate(typed, at: name)
            } catch {
                throw ControlError(.invalid, "invalid_parameter", error.detail, pointer: name)
            }
            values[name] = typed
        }
        for parameter in endpoint.query where parameter.isRequired && values[parameter.name] == nil {
            throw ControlError(
                .invalid, "missing_parameter", "The parameter '\(parameter.name)' is needed.", pointer: parameter.name
            )
        }
        return values
    }

    private static func typed(_ text: String, as schema: Schema) -> JSONValue {
        switch schema {
        case .integer: Int64(text).map { .integer($0) } ?? .string(text)
        case .bool: text == "true" ? .bool(true) : text == "false" ? .bool(false) : .string(text)
        case .described(let inner, _), .named(_, let inner), .nullable(let inner): Self.typed(text, as: inner)
        default: .string(text)
        }
    }

    /// The body as a value that the endpoint's schema accepts.
    static func body(_ request: APIRequest, for endpoint: Endpoint) throws(ControlError) -> JSONValue {
        guard !request.isTooLarge, request.body.count <= endpoint.body.limit || Self.isBodyless(endpoint) else {
            throw Self.tooLarge(endpoint)
        }
        switch endpoint.body {
        case .bytes: return .null
        case .none:
            guard request.body.isEmpty else {
                throw ControlError(.invalid, "unexpected_body", "No body is expected here.", pointer: "")
            }
            return .null
        case .json(let schema):
            try Self.checkMediaType(request, isPatch: endpoint.method == .patch)
            let value: JSONValue
            do throws(JSONSyntaxError) {
                value = try JSONParser.parse(request.body)
            } catch {
                throw ControlError(
                    .invalid, "invalid_json",
                    "The body is not acceptable JSON at byte \(error.offset): \(error.reason).",
                    pointer: ""
                )
            }
            try schema.validate(value)
            return value
        }
    }

    static func tooLarge(_ endpoint: Endpoint) -> ControlError {
        ControlError(.tooLarge, "body_too_large", "The body may have at most \(endpoint.body.limit) bytes.")
    }

    private static func isBodyless(_ endpoint: Endpoint) -> Bool {
        if case .none = endpoint.body { true } else { false }
    }

    private static func checkMediaType(_ request: APIRequest, isPatch: Bool) throws(ControlError) {
        let field = request.headers["content-type"] ?? ""
        let type = field.prefix(while: { $0 != ";" }).lowercased().filter { $0 != " " }
        guard type == "application/json" || (isPatch && type == "application/merge-patch+json") else {
            throw ControlError(
                .unsupportedMediaType, "unsupported_media_type", "The body must be application/json.",
                pointer: "Content-Type"
            )
        }
    }
}
