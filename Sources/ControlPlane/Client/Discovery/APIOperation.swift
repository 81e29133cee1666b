/// One operation of the API, as the server describes it.
package struct APIOperation: Sendable {
    package struct Parameter: Sendable {
        package let name: String
        package let shape: Shape
        package let summary: String
        package let isRequired: Bool
    }

    package enum Body: Sendable {
        case json(Shape)
        case bytes
    }

    /// Who may call it.
    package enum Caller: Sendable {
        case bearer, anybody
        /// Gateways, and machines that join: nothing for a command line.
        case machine
    }

    package let method: String
    /// As the description has it: `/v1/groups/{id}/members/{member}`.
    package let path: String
    package let segments: [String]
    /// The `operationId`: `group_members.add`.
    package let name: String
    package let summary: String
    package let permission: String?
    package let caller: Caller
    package let query: [Parameter]
    package let body: Body?
    package let needsIfMatch: Bool
    package let takesIfMatch: Bool
    package let takesIdempotencyKey: Bool
    /// The status of success.
    package let status: Int
    /// What a JSON answer looks like; nil when it has none.
    package let answer: Shape?

    init?(_ method: String, _ path: String, _ json: JSON, _ components: Shape.Components) {
        guard let name = json["operationId"]?.string else { return nil }
        self.method = method.uppercased()
        self.path = path
        self.segments = path.split(separator: "/").map(String.init)
        self.name = name
        self.summary = json["summary"]?.string ?? ""
        self.permission = json["x-permission"]?.string
        let schemes = (json["security"]?.array ?? []).flatMap { $0.object.map { Array($0.keys) } ?? [] }
        self.caller = schemes.isEmpty ? .anybody : schemes.contains("bearer") ? .bearer : .machine
        let parameters = json["parameters"]?.array ?? []
        self.query = parameters.compactMap { parameter in
            guard parameter["in"]?.string == "query", let name = parameter["name"]?.string else { return nil }
            return Parameter(
                name: name, shape: Shape(parameter["schema"] ?? .null, components),
                summary: parameter["description"]?.string ?? "", isRequired: parameter["required"]?.bool ?? false)
        }
        func header(_ name: String) -> JSON? {
            parameters.first { $0["in"]?.string == "header" && $0["name"]?.string?.lowercased() == name }
        }
        self.takesIfMatch = header("if-match") != nil
        self.needsIfMatch = header("if-match")?["required"]?.bool == true
        self.takesIdempotencyKey = header("idempotency-key") != nil
        self.body = Self.body(json["requestBody"]?["content"]?.object, components)
        let success = json["responses"]?.object?.filter { $0.key.hasPrefix("2") }.min { $0.key < $1.key }
        self.status = success.flatMap { Int($0.key) } ?? 200
        self.answer = success?.value["content"]?["application/json"]?["schema"].map { Shape($0, components) }
    }

    private static func body(_ content: [String: JSON]?, _ components: Shape.Components) -> Body? {
        guard let content else { return nil }
        let json = content["application/json"] ?? content["application/merge-patch+json"]
        return json.map { .json(Shape($0["schema"] ?? .null, components)) } ?? .bytes
    }

    /// The words of the path without those that stand for identifiers, and without the version.
    package var words: [String] { self.segments.filter { !$0.hasPrefix("{") && $0 != "v1" } }
    /// How many identifiers the path needs.
    package var variables: Int { self.segments.count { $0.hasPrefix("{") } }
    package var endsInVariable: Bool { self.segments.last?.hasPrefix("{") == true }

    /// Whether it answers one page of a list after the other.
    package var isPaged: Bool {
        self.answer?.field("items")?.shape.kind == .array && self.answer?.field("next_cursor") != nil
    }

    /// What one item of a list, or the one thing of another answer, looks like.
    package var item: Shape? { self.isPaged ? self.answer?.field("items")?.shape.element : self.answer }

    package func parameter(_ name: String) -> Parameter? { self.query.first { $0.name == name } }

    /// The shape of a JSON body; nil when there is none.
    package var bodyShape: Shape? { if case .json(let shape) = self.body { shape } else { nil } }

    /// The path with identifiers in the place of its variables; there must be as many.
    package func path(with ids: [String]) -> String {
        var rest = ids[...]
        return self.segments.reduce(into: "") { path, segment in
            path += "/" + (segment.hasPrefix("{") ? PercentCoding.segment(rest.popFirst() ?? "") : segment)
        }
    }
}

/// What may stand in a URL.
enum PercentCoding {
    static func segment(_ text: String) -> String { Self.encode(text) }

    static func query(_ parameters: [(name: String, value: String)]) -> String {
        parameters.map { Self.encode($0.name) + "=" + Self.encode($0.value) }.joined(separator: "&")
    }

    private static func encode(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "~"),
                UInt8(ascii: "."):
                result.unicodeScalars.append(Unicode.Scalar(byte))
            default: result += "%" + TerminalText.hexadecimal(UInt32(byte), 2).uppercased()
            }
        }
        // A segment of dots would be taken for another folder.
        return text == "." || text == ".." ? result.replacing(".", with: "%2E") : result
    }
}
