/// The catalogue as an OpenAPI 3.1 document.
package enum OpenAPI {
    package static func document(_ endpoints: [Endpoint]) -> JSONValue {
        var components: [String: JSONValue] = [:]
        var paths: [String: JSONValue] = [:]
        for endpoint in endpoints {
            var path = paths[endpoint.path.description]?.object ?? [:]
            path[endpoint.method.rawValue.lowercased()] = Self.operation(endpoint, &components)
            paths[endpoint.path.description] = .object(path)
        }
        components["Problem"] = Self.problem.openAPI(&components)
        return [
            "openapi": "3.1.0",
            "info": ["title": "Gatehouse control plane", "version": "1"],
            "paths": .object(paths),
            "components": [
                "schemas": .object(components),
                "securitySchemes": [
                    "bearer": ["type": "http", "scheme": "bearer"],
                    "joinToken": ["type": "http", "scheme": "bearer"],
                    "gateway": ["type": "apiKey", "in": "header", "name": "Authorization"],
                ],
            ],
        ]
    }

    private static let problem = Schema.object([
        .required("type", .string(.length(1...200))), .required("title", .string(.length(1...200))),
        .required("status", .integer(400...599)), .required("code", .string(.length(1...64))),
        .required("detail", .string(.length(0...2000))), .required("instance", .string(.length(1...64))),
        .optional("pointer", .string(.length(0...2000))),
    ])

    private static func operation(_ endpoint: Endpoint, _ components: inout [String: JSONValue]) -> JSONValue {
        var operation: [String: JSONValue] = [
            "operationId": .string(endpoint.operation), "summary": .string(endpoint.summary),
            "responses": [
                String(endpoint.status): Self.success(endpoint, &components),
                "default": [
                    "description": "A problem, as RFC 9457 has it.",
                    "content": ["application/problem+json": ["schema": ["$ref": "#/components/schemas/Problem"]]],
                ],
            ],
        ]
        if let tag = endpoint.operation.split(separator: ".").first { operation["tags"] = [.string(String(tag))] }
        let parameters = Self.parameters(endpoint, &components)
        if !parameters.isEmpty { operation["parameters"] = .array(parameters) }
        switch endpoint.body {
        case .none: break
        case .json(let schema):
            let type = endpoint.method == .patch ? "application/merge-patch+json" : "application/json"
            operation["requestBody"] = [
                "required": true, "content": [type: ["schema": schema.openAPI(&components)]],
            ]
        case .bytes:
            operation["requestBody"] = ["required": true, "content": ["application/octet-stream": [:]]]
        }
        switch endpoint.auth {
        case .open: operation["security"] = []
        case .bearer(let permission), .instance(let permission):
            operation["security"] = [["bearer": []]]
            operation["x-permission"] = .string(permission.rawValue)
        case .signedIn: operation["security"] = [["bearer": []]]
        case .joinToken: operation["security"] = [["joinToken": []]]
        case .gateway: operation["security"] = [["gateway": []]]
        }
        return .object(operation)
    }

    private static func success(_ endpoint: Endpoint, _ components: inout [String: JSONValue]) -> JSONValue {
        var content: [String: JSONValue] = [:]
        switch endpoint.success {
        case .empty: return ["description": "Done."]
        case .bytes(let type): content[type] = [:]
        case .json(let schema): content["application/json"] = ["schema": schema.openAPI(&components)]
        }
        for type in endpoint.alternatives { content[type] = ["schema": ["type": "string"]] }
        return ["description": "Done.", "content": .object(content)]
    }

    private static func parameters(_ endpoint: Endpoint, _ components: inout [String: JSONValue]) -> [JSONValue] {
        var parameters: [JSONValue] = endpoint.path.variables.map { name in
            ["name": .string(name), "in": "path", "required": true, "schema": ["type": "string"]]
        }
        for parameter in endpoint.query {
            parameters.append([
                "name": .string(parameter.name), "in": "query", "required": .bool(parameter.isRequired),
                "description": .string(parameter.summary), "schema": parameter.schema.openAPI(&components),
            ])
        }
        func header(_ name: String, _ summary: String, isRequired: Bool = false) {
            parameters.append([
                "name": .string(name), "in": "header", "required": .bool(isRequired), "description": .string(summary),
                "schema": ["type": "string"],
            ])
        }
        if endpoint.method == .patch { header("If-Match", "The ETag that was read.", isRequired: true) }
        if endpoint.method == .delete { header("If-Match", "The ETag that was read.") }
        if endpoint.method == .post, endpoint.auth.isByToken {
            header("Idempotency-Key", "The caller's name for this request, which then takes effect once.")
        }
        if endpoint.method != .get, endpoint.auth.isByToken {
            header("Gatehouse-Reason", "Why, for those who have to approve it where approval is needed.")
            header(
                "Gatehouse-Approval", "The approval that this very request has; refused when it has another, or none.")
        }
        return parameters
    }
}
