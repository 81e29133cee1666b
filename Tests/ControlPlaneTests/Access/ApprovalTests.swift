import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

/// What others have to agree to: asked for by one, agreed to by others, done once and to the byte.
@Suite(.timeLimit(.minutes(20))) struct ApprovalTests {
    /// An organization with a budget of 10 dollars, an administrator, and two who decide.
    private struct World {
        let plane: TestControlPlane
        let organization: String
        let project: String
        let budget: String
        let asker: TestUser
        let first: TestUser
        let second: TestUser

        init(_ plane: TestControlPlane) async throws {
            self.plane = plane
            (self.organization, self.project) = try await plane.makeProject()
            self.budget = try await plane.make(
                "/v1/budgets",
                ["scope": .string(self.project), "name": "b", "amount_usd": "10", "period": "month"]
            ).id
            self.asker = try await plane.user(of: self.organization, with: .admin, at: self.organization)
            self.first = try await plane.user(of: self.organization, with: .billing, at: self.organization)
            self.second = try await plane.user(of: self.organization, with: .billing, at: self.organization)
        }

        @discardableResult
        func rule(_ more: [String: JSONValue]) async throws -> TestControlPlane.Reply {
            let body: [String: JSONValue] = ["scope": .string(self.organization), "name": "four eyes"]
            return try await self.plane.make("/v1/approval-rules", .object(body.merging(more) { $1 }))
        }

        func raise(
            to dollars: String, as user: TestUser? = nil, ifMatch: String = "*"
        ) async throws -> TestControlPlane.Reply {
            try await self.plane.send(
                "PATCH", "/v1/budgets/\(self.budget)", ["amount_usd": .string(dollars)], ifMatch: ifMatch,
                token: (user ?? self.asker).token)
        }

        func decide(_ verb: String, _ id: String, as user: TestUser) async throws -> TestControlPlane.Reply {
            try await self.plane.send(
                "POST", "/v1/approvals/\(id)/\(verb)", ["comment": "seen"], token: user.token)
        }

        func amount() async throws -> String? {
            try await self.plane.send("GET", "/v1/budgets/\(self.budget)")["amount_usd"]?.string
        }
    }

    private func asked(_ reply: TestControlPlane.Reply) throws -> String {
        #expect(reply.status == 403 && reply.code == "approval_required", "\(reply.json.text)")
        return try #require(reply["approval"]?.string)
    }

    @Test func `two others agree to a larger budget; then that very request works, once`() async throws {
        try await TestControlPlane.with { plane in
            let world = try await World(plane)
            try await world.rule([
                "permissions": ["budgets.update"], "above_usd": "100", "required_approvals": 2,
            ])
            // What does not come to more than that needs nobody.
            #expect(try await world.raise(to: "100").status == 200)
            let changes = try await plane.count("change")
            let id = try self.asked(try await world.raise(to: "250"))
            #expect(
                try await plane.count("change") == changes + 1, "that it was asked for is recorded, and nothing else")
            #expect(try await world.amount() == "100.00")
            // Asked again it is the same one, and nothing more is recorded.
            #expect(try self.asked(try await world.raise(to: "250")) == id)
            #expect(try await plane.count("change") == changes + 1)
            let shown = try await plane.send("GET", "/v1/approvals/\(id)", token: world.first.token)
            #expect(shown["status"] == "pending" && shown["permission"] == "budgets.update")
            #expect(shown["path"] == .string("/v1/budgets/\(world.budget)") && shown["body"] == ["amount_usd": "250"])
            #expect(shown["requester"]?["id"] == .string(world.asker.subject))
            #expect(shown["before"]?["amount_nano_usd"] == "100000000000" && shown["before"]?["name"] == nil)
            #expect(shown["after"]?["amount_nano_usd"] == "250000000000")
            let queue = try await plane.send(
                "GET", "/v1/approvals?status=pending&organization=\(world.organization)", token: world.second.token)
            #expect(queue["items"]?.array?.map { $0["id"] } == [.string(id)])

            #expect(try await world.decide("approve", id, as: world.asker).code == "own_request")
            var after = try await world.decide("approve", id, as: world.first)
            #expect(after["status"] == "pending")
            // Twice by one is once.
            after = try await world.decide("approve", id, as: world.first)
            #expect(after["status"] == "pending" && after["votes"]?.array?.count == 1)
            #expect(try self.asked(try await world.raise(to: "250")) == id)
            after = try await world.decide("approve", id, as: world.second)
            #expect(after["status"] == "approved")
            // Of another one, or of the same by somebody else, nothing was said.
            #expect(try self.asked(try await world.raise(to: "251")) != id)
            let other = try await plane.user(of: world.organization, with: .admin, at: world.organization)
            #expect(try self.asked(try await world.raise(to: "250", as: other)) != id)
            let done = try await world.raise(to: "250")
            #expect(done.status == 200 && done["amount_usd"] == "250.00", "\(done.json.text)")
            let used = try await plane.send("GET", "/v1/me/approvals/\(id)", token: world.asker.token)
            #expect(used["status"] == "used" && used["change"]?.string?.hasPrefix("chg_") == true)
            // Used it is used up.
            #expect(try await world.raise(to: "20").status == 200)
            #expect(try self.asked(try await world.raise(to: "250")) != id)
            let leaf = try await plane.database.database.transaction(.readOnly) { tx in
                try tx.queryOne(
                    "select convert_from(leaf, 'UTF8') as text from audit_leaf where convert_from(leaf, 'UTF8') like $1",
                    "%\"approval\":\"\(id)\"%")?.get("text", as: String.self)
            }
            #expect(leaf?.contains("budgets.update") == true, "the change says by what it was agreed to")
        }
    }

    @Test func `every way to raise a budget is one, and to lower it is none`() async throws {
        try await TestControlPlane.with { plane in
            let world = try await World(plane)
            try await world.rule([
                "permissions": ["budgets.update", "budgets.increase", "budgets.delete"], "above_usd": "100",
            ])
            func patch(_ body: JSONValue) async throws -> TestControlPlane.Reply {
                try await plane.send(
                    "PATCH", "/v1/budgets/\(world.budget)", body, ifMatch: "*", token: world.asker.token)
            }
            for body: JSONValue in [
                ["hard": false], ["status": "disabled"], ["away": "open"],
                ["away": "allowance", "away_allowance_usd": "1"], ["amount_usd": "60", "carry_over": true],
            ] { _ = try self.asked(try await patch(body)) }
            for body: JSONValue in [["name": "c"], ["amount_usd": "50"], ["carry_over": true], ["amount_usd": "1"]] {
                let reply = try await patch(body)
                #expect(reply.status == 200, "\(body): \(reply.json.text)")
            }
            _ = try self.asked(
                try await plane.send(
                    "DELETE", "/v1/budgets/\(world.budget)", ifMatch: "*", token: world.asker.token))
            // Increases count together: each is less than it takes.
            let until = TimeSource.system.now().adding(seconds: 3600)
            func increase(_ dollars: String) async throws -> TestControlPlane.Reply {
                try await plane.send(
                    "POST", "/v1/budgets/\(world.budget)/increases",
                    ["amount_usd": .string(dollars), "until_at": JSONValue(until), "reason": "more"],
                    token: world.asker.token)
            }
            #expect(try await increase("60").status == 201)
            _ = try self.asked(try await increase("60"))
            #expect(try await increase("30").status == 201)
        }
    }

    @Test func `who refuses, who takes back and who is too late end it`() async throws {
        try await TestControlPlane.with { plane in
            let world = try await World(plane)
            try await world.rule(["permissions": ["budgets.update"]])
            let refused = try self.asked(try await world.raise(to: "20"))
            #expect(try await world.decide("reject", refused, as: world.first)["status"] == "rejected")
            #expect(try await world.decide("approve", refused, as: world.second).code == "approval_closed")
            let again = try self.asked(try await world.raise(to: "20"))
            #expect(again != refused)
            // Agreed to, it can still be stopped until it is used.
            #expect(try await world.decide("approve", again, as: world.first)["status"] == "approved")
            #expect(try await world.decide("reject", again, as: world.second)["status"] == "rejected")
            let taken = try self.asked(try await world.raise(to: "20"))
            #expect(
                try await plane.send("POST", "/v1/me/approvals/\(taken)/withdraw", token: world.first.token).status
                    == 404)
            let withdrawn = try await plane.send("POST", "/v1/me/approvals/\(taken)/withdraw", token: world.asker.token)
            #expect(withdrawn["status"] == "withdrawn")
            let late = try self.asked(try await world.raise(to: "20"))
            #expect(try await world.decide("approve", late, as: world.first)["status"] == "approved")
            let lateID = try #require(ApprovalID(late))
            try await plane.database.database.transaction { tx in
                _ = try tx.execute("update approval set expires_at = created_at where id = $1", lateID)
            }
            #expect(try await plane.send("GET", "/v1/approvals/\(late)")["status"] == "expired")
            #expect(try await world.decide("approve", late, as: world.second).code == "approval_closed")
            #expect(try self.asked(try await world.raise(to: "20")) != late)
            let mine = try await plane.send("GET", "/v1/me/approvals", token: world.asker.token)
            #expect(
                mine["items"]?.array?.map { $0["status"]?.string } == [
                    "pending", "expired", "withdrawn", "rejected", "rejected",
                ])
            #expect(try await plane.send("GET", "/v1/me/approvals", token: world.first.token)["items"] == [])
            #expect(try await world.amount() == "10.00")
            for (status, count) in [("pending", 1), ("expired", 1), ("withdrawn", 1), ("rejected", 2), ("used", 0)] {
                let listed = try await plane.send("GET", "/v1/approvals?status=\(status)")
                #expect(listed["items"]?.array?.count == count, "\(status)")
            }
        }
    }

    @Test func `an approval is for one state of the thing, one approver's word, and only as long as he may give it`()
        async throws
    {
        try await TestControlPlane.with { plane in
            let world = try await World(plane)
            try await world.rule(["permissions": ["budgets.update"]])
            let tag = try await plane.send("GET", "/v1/budgets/\(world.budget)").response.header("etag") ?? ""
            let id = try self.asked(try await world.raise(to: "20", ifMatch: tag))
            #expect(try await world.decide("approve", id, as: world.first)["status"] == "approved")
            #expect(try self.asked(try await world.raise(to: "20")) != id, "without If-Match it is another request")
            // Named, it is said what is wrong.
            var request = APIRequest(
                "PATCH", "/v1/budgets/\(world.budget)",
                headers: [
                    "authorization": "Bearer \(world.asker.token)", "content-type": "application/json", "if-match": "*",
                    "gatehouse-approval": id,
                ], body: (["amount_usd": "20"] as JSONValue).utf8)
            #expect(try await plane.send(request).code == "approval_mismatch")
            request.headers.add("gatehouse-reason", "")
            #expect(try await plane.send(request).code == "invalid_value")
            // Whoever agreed may not any more: his word is worth nothing.
            let bindings = try await plane.send("GET", "/v1/bindings?subject=\(world.first.subject)")
            let binding = try #require(bindings["items"]?.array?.first?["id"]?.string)
            #expect(try await plane.send("DELETE", "/v1/bindings/\(binding)").status == 204)
            #expect(try self.asked(try await world.raise(to: "20", ifMatch: tag)) == id)
            #expect(try await plane.send("GET", "/v1/approvals/\(id)")["status"] == "pending")
            #expect(try await world.decide("approve", id, as: world.first).status == 403)
            #expect(try await world.decide("approve", id, as: world.second)["status"] == "approved")
            #expect(try await world.raise(to: "20", ifMatch: tag).status == 200)
        }
    }

    @Test func `those whom a rule names approve, and nobody else; a service account only so`() async throws {
        try await TestControlPlane.with { plane in
            let world = try await World(plane)
            let program = try await plane.member(of: world.organization, with: .billing, at: world.organization)
            let group = try await plane.make(
                "/v1/groups", ["organization": .string(world.organization), "name": "approvers"]
            ).id
            #expect(
                try await plane.send("PUT", "/v1/groups/\(group)/members/\(world.second.subject)").status < 300)
            let rule = try await world.rule(["permissions": ["budgets.update"]])
            let open = try self.asked(try await world.raise(to: "20"))
            let refusal = try await plane.send(
                "POST", "/v1/approvals/\(open)/approve", [:], token: program.token)
            #expect(refusal.code == "not_an_approver")
            #expect(
                try await plane.send("DELETE", "/v1/approval-rules/\(rule.id)", ifMatch: "*").code
                    == "approval_required")
            try await world.rule([
                "permissions": ["budgets.update"], "required_approvals": 2,
                "approvers": [.string(program.subject), .string(group)],
            ])
            let id = try self.asked(try await world.raise(to: "21"))
            #expect(
                try await world.decide("approve", id, as: world.first)["status"] == "pending", "good for the first rule"
            )
            #expect(
                try await plane.send("POST", "/v1/approvals/\(id)/approve", [:], token: program.token)["status"]
                    == "pending")
            #expect(try await world.decide("approve", id, as: world.second)["status"] == "approved")
            #expect(try await world.raise(to: "21").status == 200)
        }
    }

    @Test func `a rule that comes while something waits has its say; what is old goes`() async throws {
        try await TestControlPlane.with { plane in
            let world = try await World(plane)
            try await world.rule(["permissions": ["budgets.update"]])
            let id = try self.asked(try await world.raise(to: "20"))
            #expect(try await world.decide("approve", id, as: world.first)["status"] == "approved")
            let program = try await plane.member(of: world.organization, with: .billing, at: world.organization)
            try await world.rule(["permissions": ["budgets.update"], "approvers": [.string(program.subject)]])
            #expect(
                try await plane.send("POST", "/v1/approvals/\(id)/approve", [:], token: program.token).code
                    == "not_an_approver", "it was asked for before there was the rule")
            #expect(try self.asked(try await world.raise(to: "20")) == id)
            let said = try await plane.send("POST", "/v1/approvals/\(id)/approve", [:], token: program.token)
            #expect(said["status"] == "approved" && said["rules"]?.array?.count == 2, "\(said.json.text)")
            #expect(try await world.raise(to: "20").status == 200)

            let database = plane.database.database
            let now = TimeSource.system.now()
            #expect(try await database.transaction { tx in try Approvals.removeOld(&tx, at: now) } == 0)
            let later = now.adding(seconds: (Approvals.keptDays + 1) * 86_400)
            #expect(try await database.transaction { tx in try Approvals.removeOld(&tx, at: later) } == 1)
            #expect(try await plane.count("approval") == 0)
            #expect(try await plane.count("approval_vote") == 0)
        }
    }

    @Test func `a rule protects itself, and says what it could not mean`() async throws {
        try await TestControlPlane.with { plane in
            let world = try await World(plane)
            let rule = try await world.rule(["permissions": ["budgets.update"], "reason": "policy 7"])
            func change(_ body: JSONValue) async throws -> TestControlPlane.Reply {
                try await plane.send(
                    "PATCH", "/v1/approval-rules/\(rule.id)", body, ifMatch: "*", token: world.asker.token)
            }
            let weaker = try self.asked(try await change(["above_usd": "1000000"]))
            #expect(try await world.decide("approve", weaker, as: world.first)["status"] == "approved")
            #expect(try await change(["above_usd": "1000000"]).status == 200)
            let gone = try await plane.send(
                "DELETE", "/v1/approval-rules/\(rule.id)", ifMatch: "*", token: world.asker.token)
            #expect(try await world.decide("approve", try self.asked(gone), as: world.second)["status"] == "approved")
            let deleted = try await plane.send(
                "DELETE", "/v1/approval-rules/\(rule.id)", ifMatch: "*", token: world.asker.token)
            #expect(deleted.status == 204)
            func refusal(_ more: [String: JSONValue]) async throws -> String? {
                let body: [String: JSONValue] = [
                    "scope": .string(world.organization), "name": "r", "permissions": ["budgets.update"],
                ]
                let reply = try await plane.send(
                    "POST", "/v1/approval-rules", .object(body.merging(more) { $1 }))
                return reply.status >= 400 ? reply["pointer"]?.string ?? reply.code : "\(reply.status)"
            }
            #expect(try await refusal(["permissions": ["budgets.read"]]) == "/permissions/0")
            #expect(try await refusal(["permissions": ["approvals.decide"]]) == "/permissions/0")
            #expect(try await refusal(["permissions": ["groups.delete"], "above_usd": "1"]) == "/above_usd")
            #expect(try await refusal(["required_approvals": 9]) == "/required_approvals")
            #expect(try await refusal(["required_approvals": 8]) == "/required_approvals")
            #expect(try await refusal(["approvers": [.string(world.project)]]) == "/approvers/0")
            let other = try await plane.makeProject("other")
            let stranger = try await plane.user(of: other.organization, with: .owner, at: other.organization)
            #expect(try await refusal(["approvers": [.string(stranger.subject)]]) == "/approvers/0")
            #expect(try await refusal(["scope": "prj_01jd3x0r7ze4qbt0xq4v6m2k5n"]) == "/scope")
            #expect(try await refusal(["valid_seconds": 10]) == "/valid_seconds")
        }
    }

    @Test func `who made a service account's token does not decide on what is asked for with it`() async throws {
        try await TestControlPlane.with { plane in
            let world = try await World(plane)
            let account = try await plane.make(
                "/v1/service-accounts", ["scope": .string(world.organization), "name": "ci"]
            ).id
            try await plane.bind(account, BuiltInRole.billing.id.description, at: world.organization)
            let maker = try await plane.user(of: world.organization, with: .owner, at: world.organization)
            let token = try await plane.send(
                "POST", "/v1/api-tokens", ["service_account": .string(account), "name": "t"], token: maker.token)
            let secret = try #require(token["token"]?.string ?? token["secret"]?.string, "\(token.json.text)")
            try await world.rule(["permissions": ["budgets.update"]])
            func ask() async throws -> String {
                try self.asked(
                    try await plane.send(
                        "PATCH", "/v1/budgets/\(world.budget)", ["amount_usd": "20"], ifMatch: "*", token: secret))
            }
            #expect(try await world.decide("approve", try await ask(), as: maker).code == "own_request")
            #expect(try await world.decide("approve", try await ask(), as: world.first)["status"] == "approved")
        }
    }

    @Test func `secrets are not shown to those who approve, and bind all the same`() async throws {
        try await TestControlPlane.with { plane in
            let world = try await World(plane)
            let provider = try await plane.make(
                "/v1/providers", ["name": "p", "kind": "mock", "scope": .string(world.organization)]
            ).id
            let credential = try await plane.make(
                "/v1/credentials", ["provider": .string(provider), "name": "c", "secret": "sk-old-secret-value"]
            ).id
            try await world.rule(["permissions": ["credentials.rotate"]])
            func rotate(_ secret: String) async throws -> TestControlPlane.Reply {
                try await plane.send(
                    "POST", "/v1/credentials/\(credential)/rotate", ["secret": .string(secret)],
                    token: world.asker.token)
            }
            let id = try self.asked(try await rotate("sk-new-secret-value"))
            let shown = try await plane.send("GET", "/v1/approvals/\(id)", token: world.first.token)
            #expect(shown["body"] == ["secret": "(secret)"])
            #expect(try await world.decide("approve", id, as: world.first)["status"] == "approved")
            #expect(try self.asked(try await rotate("sk-something-else-x")) != id)
            #expect(try await rotate("sk-new-secret-value").status == 200)
            let everything = try await plane.database.database.transaction(.readOnly) { tx in
                try tx.query("select body::text as text from approval").map { try $0.get("text", as: String.self) }
            }
            #expect(everything.count == 2 && !everything.contains { $0.contains("sk-") })
        }
    }

    @Test func `of many who use one approval at once, one does`() async throws {
        try await TestControlPlane.with { plane in
            let world = try await World(plane)
            try await world.rule(["permissions": ["virtual_keys.create"]])
            let body: JSONValue = ["project": .string(world.project), "name": "k"]
            func make() async throws -> Int {
                let reply = try await plane.send("POST", "/v1/virtual-keys", body, token: world.asker.token)
                return reply.status
            }
            let first = try await plane.send("POST", "/v1/virtual-keys", body, token: world.asker.token)
            #expect(
                try await world.decide("approve", try self.asked(first), as: world.first)["status"] == "approved")
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<8 { group.addTask { try await make() } }
                return try await group.reduce(into: [Int]()) { $0.append($1) }
            }
            #expect(statuses.count { $0 == 201 } == 1, "\(statuses)")
            #expect(statuses.allSatisfy { [201, 403, 503].contains($0) }, "\(statuses)")
            #expect(try await plane.count("virtual_key") == 1)
        }
    }
}
