import Foundation
import TestKit
import Testing

/// What the control plane says of a request before and after is what the gateway did.
@Suite(.serialized, .timeLimit(.minutes(10))) struct DecisionTests {
    /// One request, and what it is to meet.
    private struct Case: Sendable {
        var name: String
        var key: String
        var secret: String
        var model = "mock"
        var maxTokens: Int? = 40
        var tags: String?
        /// Nil for one that is served.
        var code: String?
        var level: String?
        var rule: String?
        /// Refused before the key counts: nothing is recorded.
        var isRecorded = true
    }

    private func body(_ one: Case) -> String {
        let bound = one.maxTokens.map { ",\"max_tokens\":\($0)" } ?? ""
        return #"{"model":"\#(one.model)"\#(bound),"messages":[{"role":"user","content":"Hello there"}]}"#
    }

    private func question(_ one: Case) -> [String: any Sendable] {
        var question: [String: any Sendable] = [
            "key": one.key, "model": one.model, "prompt_bytes": self.body(one).utf8.count, "address": "127.0.0.1",
        ]
        if let bound = one.maxTokens { question["max_tokens"] = bound }
        if let tags = one.tags {
            let parts = tags.split(separator: "=").map(String.init)
            question["tags"] = [parts[0]: parts[1]]
        }
        return question
    }

    /// Keys of the tenant's project, each with something of its own.
    private func cases(_ stack: Stack, _ tenant: Stack.Tenant) async throws -> [Case] {
        func key(_ name: String, _ more: [String: any Sendable] = [:], in project: String? = nil) async throws -> Case {
            let made = try await stack.api(
                "POST", "/v1/virtual-keys", ["project": project ?? tenant.project, "name": name].merging(more) { $1 })
            let (id, secret) = (made.member("id") as? String, made.member("secret") as? String)
            return Case(name: name, key: try #require(id), secret: try #require(secret))
        }
        func budget(_ scope: String, _ nano: String, _ more: [String: any Sendable] = [:]) async throws -> String {
            let base: [String: any Sendable] = [
                "scope": scope, "name": "b", "amount_nano_usd": nano, "period": "total",
            ]
            return try await stack.create("/v1/budgets", base.merging(more) { $1 })
        }
        func refused(_ one: Case, _ code: String, _ level: String? = nil, _ rule: String? = nil) -> Case {
            var one = one
            (one.code, one.level, one.rule) = (code, level, rule)
            return one
        }
        var cases = [try await key("served")]
        var one = try await key("paying")
        _ = try await budget(one.key, "1000000000")
        cases.append(one)
        one = try await key("counting")
        _ = try await budget(one.key, "1", ["hard": false])
        cases.append(one)

        var broke = try await key("broke")
        broke = refused(broke, "budget_exceeded", "key", try await budget(broke.key, "1000"))
        cases.append(broke)
        var unbounded = try await key("unbounded")
        unbounded = refused(unbounded, "cost_unbounded", "key", try await budget(unbounded.key, "1000000000"))
        unbounded.maxTokens = nil
        cases.append(unbounded)
        var strict = try await key("strict")
        let limit: [String: any Sendable] = [
            "scope": strict.key, "name": "l", "meter": "output_tokens", "amount": 10, "period": "minute",
            "strict": true,
        ]
        strict = refused(strict, "request_exceeds_rate_limit", "key", try await stack.create("/v1/rate-limits", limit))
        cases.append(strict)
        var narrow = try await key("narrow", ["allowed_models": ["other"]])
        narrow = refused(narrow, "model_not_allowed", "key", narrow.key)
        cases.append(narrow)
        one = refused(try await key("unknown"), "model_not_found")
        one.model = "nowhere"
        cases.append(one)
        one = refused(try await key("untagged"), "tag_not_declared", "tag")
        one.tags = "customer=acme"
        cases.append(one)

        func account(_ name: String) async throws -> String {
            try await stack.create("/v1/service-accounts", ["scope": tenant.organization, "name": name])
        }
        let spender = try await account("spender")
        one = try await key("owned", ["owner": spender])
        one = refused(one, "budget_exceeded", "user", try await budget(spender, "1000"))
        cases.append(one)
        let gone = try await account("gone")
        one = refused(try await key("owner gone", ["owner": gone]), "owner_disabled", "user", gone)
        one.isRecorded = false
        _ = try await stack.api("PATCH", "/v1/service-accounts/\(gone)", ["status": "disabled"], ifMatch: "*")
        cases.append(one)

        let model = try await stack.create("/v1/models", ["provider": tenant.mockProvider, "name": "mock-2"])
        try await stack.create("/v1/routes", ["alias": "free", "targets": [["model": model]]])
        one = refused(try await key("unpriced"), "model_not_priced")
        one.model = "free"
        cases.append(one)
        let off = try await stack.create("/v1/models", ["provider": tenant.mockProvider, "name": "mock-3"])
        _ = try await stack.api("PATCH", "/v1/models/\(off)", ["status": "disabled"], ifMatch: "*")
        try await stack.create("/v1/routes", ["alias": "off", "targets": [["model": off]]])
        one = refused(try await key("off"), "no_target_available")
        one.model = "off"
        cases.append(one)

        var elsewhere = try await key("elsewhere", ["allowed_networks": ["10.9.0.0/16"]])
        elsewhere = refused(elsewhere, "network_not_allowed", "key", elsewhere.key)
        elsewhere.isRecorded = false
        cases.append(elsewhere)
        var disabled = try await key("disabled")
        _ = try await stack.api("PATCH", "/v1/virtual-keys/\(disabled.key)", ["status": "disabled"], ifMatch: "*")
        disabled = refused(disabled, "key_disabled", "key", disabled.key)
        disabled.isRecorded = false
        cases.append(disabled)
        let closed = try await stack.create("/v1/projects", ["parent": tenant.organization, "name": "Closed"])
        var scoped = try await key("scoped", in: closed)
        _ = try await stack.api("PATCH", "/v1/projects/\(closed)", ["status": "disabled"], ifMatch: "*")
        scoped = refused(scoped, "scope_disabled", "project", closed)
        scoped.isRecorded = false
        cases.append(scoped)
        return cases
    }

    @Test func `a request is explained as it is decided, and the decision is kept`() async throws {
        try await Stack.with { stack in
            let control = try await stack.startControl()
            let tenant = try await stack.makeTenant()
            let cases = try await self.cases(stack, tenant)
            let place = try stack.place("one")
            let gateway = try await stack.startGateway(place, joinToken: try await stack.joinToken(tenant))
            try await stack.synced()
            var recorded: [(one: Case, id: String)] = []
            for one in cases {
                let reply = try await stack.chat(at: place, one.secret, tags: one.tags, self.body(one))
                let error = reply.member("error") as? [String: Any]
                #expect(error?["code"] as? String == one.code, "\(one.name): \(reply.body)")
                let told = try await stack.api("POST", "/v1/explain", self.question(one))
                #expect(told.status == 200, "\(one.name): \(told.body)")
                #expect(told.member("code") as? String == one.code, "\(one.name): \(told.body)")
                #expect(
                    told.member("would_pass") as? String == (one.code == nil ? "yes" : "no"),
                    "\(one.name): \(told.body)")
                let checks = told.member("checks") as? [[String: Any]] ?? []
                if let refusing = checks.first(where: { $0["result"] as? String == "fail" }) {
                    #expect(refusing["level"] as? String == one.level, "\(one.name): \(refusing)")
                    #expect(refusing["id"] as? String == one.rule, "\(one.name): \(refusing)")
                    #expect((refusing["detail"] as? String)?.isEmpty == false)
                }
                if one.isRecorded { recorded.append((one, try #require(reply.requestID))) }
            }
            for (one, id) in recorded {
                try await eventually("\(one.name) has arrived") {
                    try await stack.api("GET", "/v1/decisions/\(id)").status == 200
                }
                let decision = try await stack.api("GET", "/v1/decisions/\(id)")
                #expect(
                    decision.member("decision") as? String == (one.code == nil ? "admitted" : "refused"), "\(decision)")
                #expect(decision.member("code") as? String == one.code ?? "", "\(one.name): \(decision.body)")
                let refusal = decision.member("refused_by") as? [String: Any]
                #expect(refusal?["id"] as? String == one.rule, "\(one.name): \(decision.body)")
                if one.rule != nil { #expect(refusal?["level"] as? String == one.level) }
                let paid = decision.member("paid_into") as? [[String: Any]] ?? []
                #expect(
                    paid.count == (["paying", "counting"].contains(one.name) ? 1 : 0), "\(one.name): \(decision.body)")
            }
            // Money that gateways hold may do, at one and not at another.
            let paying = try #require(cases.first { $0.name == "paying" })
            var question = self.question(paying)
            question["max_tokens"] = 300_000
            let depends = try await stack.api("POST", "/v1/explain", question)
            #expect(["yes", "depends"].contains(depends.member("would_pass") as? String), "\(depends.body)")
            question["max_tokens"] = 600_000
            #expect(try await stack.api("POST", "/v1/explain", question).member("code") as? String == "budget_exceeded")
            for (member, value) in [("address", "10.0.0"), ("key", "vk_01arz3ndektsv4rrffq69g5fav")] {
                var wrong: [String: any Sendable] = self.question(paying)
                wrong[member] = value
                let reply = try await stack.api("POST", "/v1/explain", wrong)
                #expect(reply.status == (member == "key" ? 404 : 400), "\(reply.body)")
            }
            #expect(try await gateway.terminate() == .code(0))
            #expect(try await control.terminate() == .code(0))
        }
    }
}
