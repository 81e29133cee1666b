/// What the mock says: deterministic, from the request alone.
struct MockAnswer {
    let request: MockRequest
    let path: String
    /// The answer's words.
    ///
    /// A "token" of the mock is a word.
    let words: [String]
    let promptTokens: Int
    private let promptTexts: [String]

    init(request: MockRequest, path: String) {
        let texts =
            request.messages?.map { $0.content?.text ?? "" } ?? request.prompt?.texts ?? request.input?.texts ?? []
        let split = texts.map { $0.split(separator: " ").map(String.init) }
        var words = ["You", "said:"] + (split.last ?? [])
        if let count = request.mock?.words { words = (0..<min(max(count, 0), 100_000)).map { "word\($0)" } }
        if let limit = request.maxTokens ?? request.maxCompletionTokens { words = Array(words.prefix(max(limit, 0))) }
        self.request = request
        self.path = path
        self.words = words
        self.promptTexts = texts
        self.promptTokens = split.reduce(0) { $0 + max(1, $1.count) }
    }

    private var toolName: String? {
        self.request.tools?.first.flatMap { $0.function?.name ?? $0.name }
    }

    private var text: String {
        self.request.responseFormat.map { $0.type.hasPrefix("json") } == true
            ? "{\"answer\":\"\(self.words.joined(separator: " ").filter { $0 != "\"" && $0 != "\\" })\"}"
            : self.words.joined(separator: " ")
    }

    private func usage(_ output: Int) -> String {
        "{\"prompt_tokens\":\(self.promptTokens),\"completion_tokens\":\(output),"
            + "\"total_tokens\":\(self.promptTokens + output),\"prompt_tokens_details\":{\"cached_tokens\":0}}"
    }

    private var responsesUsage: String {
        let output = self.words.count
        return "{\"input_tokens\":\(self.promptTokens),\"input_tokens_details\":{\"cached_tokens\":0},"
            + "\"output_tokens\":\(output),\"output_tokens_details\":{\"reasoning_tokens\":0},"
            + "\"total_tokens\":\(self.promptTokens + output)}"
    }

    private var leavesOutUsage: Bool { self.request.mock?.omitUsage == true }
    private var model: String { Self.quoted(self.request.model) }

    /// The whole body of an answer that is not a stream; nil for a path that the mock does not have.
    var document: String? {
        switch self.path {
        case "/v1/chat/completions":
            let message: String
            let finish: String
            if let tool = self.toolName {
                message =
                    "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"call_mock\",\"type\":\"function\","
                    + "\"function\":{\"name\":\(Self.quoted(tool)),\"arguments\":\"{}\"}}]}"
                finish = "tool_calls"
            } else {
                message = "{\"role\":\"assistant\",\"content\":\(Self.quoted(self.text))}"
                finish = "stop"
            }
            return "{\"id\":\"chatcmpl-mock\",\"object\":\"chat.completion\",\"created\":0,\"model\":\(self.model),"
                + "\"choices\":[{\"index\":0,\"message\":\(message),\"finish_reason\":\"\(finish)\"}]"
                + (self.leavesOutUsage ? "" : ",\"usage\":\(self.usage(self.toolName == nil ? self.words.count : 1))")
                + "}"
        case "/v1/completions":
            return "{\"id\":\"cmpl-mock\",\"object\":\"text_completion\",\"created\":0,\"model\":\(self.model),"
                + "\"choices\":[{\"index\":0,\"text\":\(Self.quoted(self.text)),\"finish_reason\":\"stop\"}],"
                + "\"usage\":\(self.usage(self.words.count))}"
        case "/v1/embeddings":
            let rows = self.promptTexts.enumerated().map { index, text in
                let value = text.utf8.reduce(0) { ($0 * 31 + Int($1)) % 1000 }
                return "{\"object\":\"embedding\",\"index\":\(index),\"embedding\":[0.\(value),0.5,-0.25]}"
            }
            return "{\"object\":\"list\",\"data\":[\(rows.joined(separator: ","))],\"model\":\(self.model),"
                + "\"usage\":{\"prompt_tokens\":\(self.promptTokens),\"total_tokens\":\(self.promptTokens)}}"
        case "/v1/responses":
            return self.response(status: "completed", isComplete: true)
        case "/v1/moderations":
            return "{\"id\":\"modr-mock\",\"model\":\(self.model),\"results\":[{\"flagged\":false,\"categories\":{},"
                + "\"category_scores\":{}}]}"
        default:
            return nil
        }
    }

    private func response(status: String, isComplete: Bool) -> String {
        let content = "{\"type\":\"output_text\",\"text\":\(Self.quoted(self.text)),\"annotations\":[]}"
        let output =
            "{\"type\":\"message\",\"id\":\"msg_mock\",\"status\":\"completed\",\"role\":\"assistant\",\"content\":[\(content)]}"
        return
            "{\"id\":\"resp_mock\",\"object\":\"response\",\"created_at\":0,\"status\":\"\(status)\",\"model\":\(self.model),"
            + "\"output\":[\(isComplete ? output : "")],\"parallel_tool_calls\":true,\"tool_choice\":\"auto\",\"tools\":[],"
            + "\"error\":null,\"incomplete_details\":null,\"instructions\":null,\"metadata\":{},\"temperature\":1.0,\"top_p\":1.0"
            + (isComplete && !self.leavesOutUsage ? ",\"usage\":\(self.responsesUsage)" : "") + "}"
    }

    /// The events of a stream, each with its final empty line.
    var events: [String] {
        switch self.path {
        case "/v1/responses": self.responseEvents
        case "/v1/completions": self.chunks(object: "text_completion") { "\"text\":\(Self.quoted($0))" }
        default: self.chunks(object: "chat.completion.chunk") { "\"delta\":{\"content\":\(Self.quoted($0))}" }
        }
    }

    private func chunks(object: String, _ piece: (String) -> String) -> [String] {
        let asked = self.request.streamOptions?.includeUsage == true && !self.leavesOutUsage
        let head = "{\"id\":\"chatcmpl-mock\",\"object\":\"\(object)\",\"created\":0,\"model\":\(self.model),"
        let usageMember = asked ? ",\"usage\":null" : ""
        func chunk(_ choice: String, _ finish: String) -> String {
            "data: \(head)\"choices\":[{\"index\":0,\(choice),\"finish_reason\":\(finish)}]\(usageMember)}\n\n"
        }
        var events: [String] = []
        if let tool = self.toolName, object == "chat.completion.chunk" {
            events.append(
                chunk(
                    "\"delta\":{\"role\":\"assistant\",\"tool_calls\":[{\"index\":0,\"id\":\"call_mock\",\"type\":\"function\","
                        + "\"function\":{\"name\":\(Self.quoted(tool)),\"arguments\":\"{}\"}}]}", "null"
                )
            )
            events.append(chunk("\"delta\":{}", "\"tool_calls\""))
        } else {
            for (index, word) in self.words.enumerated() {
                events.append(chunk(piece(index == 0 ? word : " " + word), "null"))
            }
            events.append(chunk(object == "text_completion" ? "\"text\":\"\"" : "\"delta\":{}", "\"stop\""))
        }
        if asked {
            let output = self.toolName == nil ? self.words.count : 1
            events.append("data: \(head)\"choices\":[],\"usage\":\(self.usage(output))}\n\n")
        }
        return events + ["data: [DONE]\n\n"]
    }

    private var responseEvents: [String] {
        var sequence = -1
        func event(_ type: String, _ members: String) -> String {
            sequence += 1
            return "event: \(type)\ndata: {\"type\":\"\(type)\",\"sequence_number\":\(sequence),\(members)}\n\n"
        }
        var events = [
            event("response.created", "\"response\":\(self.response(status: "in_progress", isComplete: false))"),
            event(
                "response.output_item.added",
                "\"output_index\":0,\"item\":{\"type\":\"message\",\"id\":\"msg_mock\",\"status\":\"in_progress\","
                    + "\"role\":\"assistant\",\"content\":[]}"
            ),
            event(
                "response.content_part.added",
                "\"item_id\":\"msg_mock\",\"output_index\":0,\"content_index\":0,"
                    + "\"part\":{\"type\":\"output_text\",\"text\":\"\",\"annotations\":[]}"
            ),
        ]
        for (index, word) in self.words.enumerated() {
            events.append(
                event(
                    "response.output_text.delta",
                    "\"item_id\":\"msg_mock\",\"output_index\":0,\"content_index\":0,\"logprobs\":[],"
                        + "\"delta\":\(Self.quoted(index == 0 ? word : " " + word))"
                )
            )
        }
        events.append(
            event(
                "response.output_text.done",
                "\"item_id\":\"msg_mock\",\"output_index\":0,\"content_index\":0,\"logprobs\":[],\"text\":\(Self.quoted(self.text))"
            )
        )
        events.append(
            event("response.completed", "\"response\":\(self.response(status: "completed", isComplete: true))")
        )
        return events
    }

    /// A JSON string.
    static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case let control where control.value < 0x20:
                let digits = String(control.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
