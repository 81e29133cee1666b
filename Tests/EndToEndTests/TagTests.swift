import Foundation
import TestKit
import Testing

/// Tags from a client's header to a report, through everything, with a kill in between.
@Suite(.serialized, .timeLimit(.minutes(10))) struct TagTests {
    private func chat(
        _ stack: Stack, _ place: Stack.GatewayPlace, _ key: String, _ tags: String?
    ) async throws -> Stack.Reply {
        try await stack.chat(
            at: place, key, tags: tags,
            #"{"model":"mock","messages":[{"role":"user","content":"Hello there"}]}"#)
    }

    private func tags(_ stack: Stack, _ request: String) async throws -> [String: String]? {
        try await stack.api("GET", "/v1/usage/records/\(request)").member("tags") as? [String: String]
    }

    @Test func `tags of requests are in records and reports, also when the gateway is killed`() async throws {
        try await Stack.with { stack in
            let control = try await stack.startControl()
            let tenant = try await stack.makeTenant()
            let place = try stack.place("gateway")
            var gateway = try await stack.startGateway(place, joinToken: try await stack.joinToken(tenant))
            let project = "/v1/projects/\(tenant.project)"
            let names: [[String: any Sendable]] = [["name": "team", "required": true], ["name": "env"]]
            let declared = try await stack.api("PATCH", project, ["tags": names], ifMatch: "*")
            #expect(declared.status == 200, "\(declared.body)")
            let made = try await stack.api(
                "POST", "/v1/virtual-keys",
                ["project": tenant.project, "name": "tagged", "tags": ["team": "core"]])
            let tagged = try #require(made.member("secret") as? String)
            try await eventually("the tags are known") {
                try await self.chat(stack, place, tagged, "env=first").status == 200
            }
            // The project's own key needs the header.
            let refused = try await self.chat(stack, place, tenant.key, "env=prod")
            #expect(refused.status == 400 && refused.body.contains("tag_required") && refused.body.contains("'team'"))

            try await stack.synced()
            var expected: [String: [String: String]] = [:]
            for round in 0..<3 {
                for (key, header, tags) in [
                    (tagged, nil, ["team": "core"]),
                    (tagged, "team=x, env=e\(round)", ["team": "core", "env": "e\(round)"]),
                    (tenant.key, "team=blue", ["team": "blue"]),
                    (tenant.key, "env=a,team=red", ["team": "red", "env": "a"]),
                ] as [(String, String?, [String: String])] {
                    let reply = try await self.chat(stack, place, key, header)
                    try #require(reply.status == 200, "\(reply.body)")
                    expected[try #require(reply.requestID)] = tags
                }
                if round < 2 {
                    _ = try await gateway.kill()
                    gateway = try await stack.startGateway(place)
                    try await eventually("it serves again") {
                        try await self.chat(stack, place, tagged, nil).status == 200
                    }
                }
            }
            for (request, tags) in expected {
                try await eventually("\(request) is recorded") { try await self.tags(stack, request) != nil }
                #expect(try await self.tags(stack, request) == tags)
            }
            try await eventually("usage is complete and folded") {
                let ledger = try await Ledger.read(stack)
                return ledger.fault(answered: Set(expected.keys)) == nil && ledger.unfoldedCost == 0
            }
            let report = try await stack.api("GET", "/v1/usage?group_by=tag:team&outcome=completed&tag=team=blue")
            let items = try #require(report.member("items") as? [[String: Any]], "\(report.body)")
            #expect(items.count == 1)
            #expect(items.first?["requests"] as? Int == 3)
            #expect((items.first?["tags"] as? [String: String]) == ["team": "blue"])
            let refusals = try await stack.api("GET", "/v1/usage?group_by=tag:team&outcome=refused")
            let nulls = try #require(refusals.member("items") as? [[String: Any]])
            #expect(nulls.count == 1 && (nulls.first?["tags"] as? [String: Any])?["team"] is NSNull)
            #expect(try await gateway.terminate() == .code(0))
            #expect(try await control.terminate() == .code(0))
        }
    }
}
