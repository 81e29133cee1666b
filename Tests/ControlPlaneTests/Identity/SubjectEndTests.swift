import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

/// Whatever was said of somebody ends with him.
@Suite(.timeLimit(.minutes(10))) struct SubjectEndTests {
    @Test func `deny rules end with whom they are about, in his change, and no others do`() async throws {
        try await TestIdentity.with { setting in
            let plane = setting.plane
            let user = try await setting.user("user", of: setting.acme, .viewer).id
            let account = try await setting.account("bot", role: .viewer)
            let group = try await plane.make("/v1/groups", ["organization": .string(setting.acme), "name": "g"]).id
            #expect(try await plane.send("PUT", "/v1/groups/\(group)/members/\(user)").status == 204)
            func deny(_ subject: String?, _ name: String, at scope: String) async throws -> String {
                try await plane.make(
                    "/v1/deny-rules",
                    [
                        "scope": .string(scope), "name": .string(name), "subject": JSONValue(subject),
                        "permissions": ["virtual_keys.delete"],
                    ]
                ).id
            }
            let everybodys = try await deny(nil, "everybody", at: setting.acme)
            var rules: [String: [String]] = [:]
            for subject in [user, account, group] {
                rules[subject] = [
                    try await deny(subject, "here \(subject)", at: setting.acme),
                    try await deny(subject, "below \(subject)", at: setting.project),
                ]
            }
            func known() async throws -> Set<String> { Set(try await setting.ids("/v1/deny-rules")) }
            var expected = Set(rules.values.joined()).union([everybodys])
            #expect(try await known() == expected)
            for (noun, subject, tokens, memberships, bindings) in [
                ("users", user, 1, 1, 1), ("service-accounts", account, 0, 0, 1), ("groups", group, 0, 0, 0),
            ] as [(String, String, Int64, Int64, Int64)] {
                #expect(try await plane.send("DELETE", "/v1/\(noun)/\(subject)").status == 204)
                expected.subtract(rules[subject] ?? [])
                #expect(try await known() == expected, "\(noun)")
                for rule in rules[subject] ?? [] {
                    #expect(try await plane.send("GET", "/v1/deny-rules/\(rule)").status == 404)
                }
                let after = try await setting.leaf(of: setting.acme)["after"]
                let ended: JSONValue = [
                    "tokens": .integer(tokens), "memberships": .integer(memberships), "bindings": .integer(bindings),
                    "deny_rules": 2,
                ]
                #expect(after == ["ended": ended], "\(noun): \(after?.text ?? "")")
            }
            // All that went with one had one number: processes that hold the partition saw it together.
            #expect(
                try await plane.count(
                    """
                    (select distinct r.access_revision from deny_rule r join user_account u on u.id = r.subject_id
                        and u.access_revision = r.access_revision where r.deleted_at is not null) n
                    """) == 1)
            // Their names are free again.
            #expect(try await deny(nil, "here \(user)", at: setting.acme) != "")
        }
    }
}
