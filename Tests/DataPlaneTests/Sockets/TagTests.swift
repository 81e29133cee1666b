import DataPlane
import Shared
import TestKit
import Testing

extension OverSockets {
    /// Tags that a request names, from its head to its record.
    @Suite
    struct TagTests {
        private static let answer = Answers.json(#"{"usage":{"prompt_tokens":3,"completion_tokens":4}}"#)

        private static func options(
            required: Set<String> = [], key: [String: String] = [:], loops: Int = 1
        ) -> TestGateway.Options {
            TestGateway.Options {
                $0.tags = ["app", "env", "team"].map { TagDeclaration(name: $0, isRequired: required.contains($0)) }
                $0.keyTags = key
                $0.loops = loops
            }
        }

        private static func chat(_ fields: String) -> [UInt8] {
            Requests.chat(fields: "content-type: application/json\r\n" + fields)
        }

        @Test func `a request's tags are in its record, and never go to the provider`() async throws {
            let upstream = try await ScriptedUpstream.answering(Self.answer)
            try await TestGateway.run([upstream], Self.options(key: ["team": "core"])) { gateway in
                let client = try await gateway.client()
                for fields in [
                    "", "gatehouse-tags: env=prod, app=web\r\n", "Gatehouse-Tags:app=web ,env=prod\r\n",
                    "GATEHOUSE-TAGS: team=mine\r\n", "gatehouse-tags:\r\n",
                ] {
                    try await client.send(Self.chat(fields))
                    #expect(try await client.answer().status == 200, "\(fields)")
                }
                try await gateway.records(5)
                #expect(
                    gateway.tags == [
                        "team=core", "app=web,env=prod,team=core", "app=web,env=prod,team=core", "team=core",
                        "team=core",
                    ])
                #expect(await gateway.loops.figures().tagSets == 2)
                // Also what is open names them: it is what stands after a kill.
                #expect(gateway.entries.filter { $0.kind == .open }.allSatisfy { $0.record.tags > 0 })
            }
            for request in upstream.requests {
                #expect(request["gatehouse-tags"] == nil)
                let text = String(decoding: request.body, as: UTF8.self) + "\(request)"
                #expect(!text.contains("core") && !text.contains("env=prod"))
            }
            #expect(upstream.requests.count == 5)
        }

        @Test(arguments: [
            ("", 400, "tag_required", "team"), ("gatehouse-tags: env=a\r\n", 400, "tag_required", "team"),
            ("gatehouse-tags: team=a,owner=me\r\n", 400, "tag_not_declared", "owner"),
            ("gatehouse-tags: team=a,team=b\r\n", 400, "invalid_tags", "team"),
            ("gatehouse-tags: team=(other)\r\n", 400, "invalid_tags", "team"),
            ("gatehouse-tags: team\r\n", 400, "invalid_tags", ""),
            ("gatehouse-tags: team=\u{FF}\r\n", 400, "invalid_tags", "team"),
            ("gatehouse-tags: team=a\r\ngatehouse-tags: env=b\r\n", 400, "bad_request", ""),
        ])
        func `what is not acceptable is refused in the client's dialect, by name`(
            _ fields: String, _ status: Int, _ code: String, _ name: String
        ) async throws {
            let upstream = try await ScriptedUpstream.answering(Self.answer)
            try await TestGateway.run([upstream], Self.options(required: ["team"])) { gateway in
                let client = try await gateway.client()
                try await client.send(Self.chat(fields))
                let answer = try await client.answer()
                #expect(answer.status == status)
                #expect(answer.text.contains("\"code\":\"\(code)\""), "\(answer.text)")
                #expect(answer.text.contains("\"type\":\"invalid_request_error\""))
                if code != "bad_request" { #expect(answer.text.contains("\"param\":\"gatehouse-tags\"")) }
                if !name.isEmpty {
                    #expect(answer.text.contains(": '\(name)'.\""), "\(answer.text)")
                    #expect(answer.text.contains("\"level\":\"tag\",\"id\":\"\(name)\""))
                }
                // Who refused it is known, so it is recorded; it has no tags.
                if code != "bad_request" {
                    let record = try await gateway.records(1)[0]
                    #expect(record.outcome == .refused && record.code == code && record.tags == 0)
                }
            }
            #expect(upstream.requests.isEmpty)
        }

        @Test func `a project without tags takes none`() async throws {
            let upstream = try await ScriptedUpstream.answering(Self.answer)
            try await TestGateway.run([upstream]) { gateway in
                let client = try await gateway.client()
                try await client.send(Requests.chat())
                #expect(try await client.answer().status == 200)
                #expect(try await gateway.records(1)[0].tags == 0)
                try await client.send(Self.chat("gatehouse-tags: team=a\r\n"))
                let answer = try await client.answer()
                #expect(answer.status == 400 && answer.text.contains("'team'"))
                #expect(await gateway.loops.figures().tagSets == 0)
            }
        }

        @Test func `whatever the field holds, each request is answered and recorded once`() async throws {
            var random = SeededRandom("tag fields over sockets")
            let upstream = try await ScriptedUpstream.answering(Self.answer)
            try await TestGateway.run([upstream], Self.options(key: ["team": "core"], loops: 2)) { gateway in
                var client = try await gateway.client()
                var (served, refused) = (0, 0)
                let parts = [
                    "env=prod", "app=", "app=web", "team=x", ",", "=", " ", "\t", "\"", "é", "\u{1}", "(", "own=1",
                    String(repeating: "v", count: 70), "env", "E", ",env=b", ",app=c",
                ]
                for _ in 0..<400 {
                    let field = (0..<Int.random(in: 0...4, using: &random)).map { _ in
                        parts.randomElement(using: &random) ?? ""
                    }.joined()
                    try await client.send(Self.chat("gatehouse-tags: \(field)\r\n"))
                    let answer = try await client.answer()
                    #expect([200, 400].contains(answer.status), "\(field): \(answer.status)")
                    if answer.status == 200 { served += 1 } else { refused += 1 }
                    if answer.status != 200 { client = try await gateway.client() }
                }
                #expect(served > 20 && refused > 50)
                try await gateway.expectSettled()
                let tags = gateway.tags
                #expect(tags.filter { !$0.isEmpty }.count == served)
                #expect(tags.allSatisfy { $0.isEmpty || TagSet(utf8: Array($0.utf8)) != nil })
                #expect(tags.allSatisfy { $0.isEmpty || $0.hasSuffix("team=core") })
            }
        }
    }
}
