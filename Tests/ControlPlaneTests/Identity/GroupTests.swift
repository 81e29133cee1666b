import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct GroupTests {
    private func group(_ setting: TestIdentity, _ name: String, of organization: String? = nil) async throws -> String {
        try await setting.plane.make(
            "/v1/groups", ["organization": .string(organization ?? setting.acme), "name": .string(name)]
        ).id
    }

    private func put(_ setting: TestIdentity, _ member: String, into group: String) async throws
        -> TestControlPlane.Reply
    {
        try await setting.plane.send("PUT", "/v1/groups/\(group)/members/\(member)")
    }

    @Test func `a group lives and leaves a tombstone`() async throws {
        try await TestIdentity.with { setting in
            let plane = setting.plane
            let body: JSONValue = [
                "organization": .string(setting.acme), "name": "Ops", "description": "on call", "metadata": ["a": "b"],
            ]
            let made = try await plane.make("/v1/groups", body)
            let path = "/v1/groups/\(made.id)"
            #expect(try await plane.send("GET", path).json == made.json)
            #expect(try await plane.send("POST", "/v1/groups", body.merging(["name": "OPS"])).code == "already_exists")
            #expect(try await plane.send("POST", "/v1/groups", body.merging(["name": ""]))["pointer"] == "/name")
            let nowhere = body.merging(["organization": "org_00000000000000000000000000"])
            #expect(try await plane.send("POST", "/v1/groups", nowhere)["pointer"] == "/organization")
            #expect(try await plane.send("PATCH", path, ["name": "x"], ifMatch: "\"2\"").status == 412)
            let changed = try await plane.send(
                "PATCH", path, ["name": "Dev", "description": "", "status": "disabled", "metadata": .null],
                ifMatch: made.etag)
            #expect(changed.status == 200 && changed["description"] == "" && changed["metadata"] == [:])
            #expect(try await setting.ids("/v1/groups?status=disabled") == [made.id])
            #expect(try await setting.ids("/v1/groups?status=active") == [])
            let second = try await self.group(setting, "s", of: setting.other)
            #expect(try await setting.ids("/v1/groups") == [made.id, second])
            #expect(try await setting.ids("/v1/groups?organization=\(setting.other)") == [second])
            let admin = try await setting.user("admin", of: setting.acme, .admin)
            #expect(try await setting.ids("/v1/groups", token: admin.token) == [made.id])
            #expect(try await plane.send("GET", "/v1/groups/\(second)", token: admin.token).status == 404)
            #expect(try await plane.send("GET", "/v1/groups/\(second)/members", token: admin.token).status == 404)
            #expect(
                try await plane.send("PUT", "/v1/groups/\(second)/members/\(admin.id)", token: admin.token).status
                    == 404)
            #expect(try await plane.send("DELETE", path, token: admin.token).status == 204)
            #expect(try await plane.send("GET", path).status == 404)
            let once = try await plane.send("POST", "/v1/groups", body, key: "k")
            let twice = try await plane.send("POST", "/v1/groups", body, key: "k")
            #expect(once.status == 201 && once.json == twice.json && twice.receipt == nil)
        }
    }

    @Test func `members come and go, once or more often`() async throws {
        try await TestIdentity.with { setting in
            let plane = setting.plane
            let group = try await self.group(setting, "g")
            let inner = try await self.group(setting, "inner")
            let account = try await plane.make(
                "/v1/service-accounts", ["scope": .string(setting.project), "name": "bot"]
            ).id
            var users: [String] = []
            for number in 0..<3 { users.append(try await setting.user("u\(number)", of: setting.acme).id) }
            let path = "/v1/groups/\(group)/members"
            for member in users + [account, inner] {
                let first = try await self.put(setting, member, into: group)
                let again = try await self.put(setting, member, into: group)
                #expect(first.status == 204 && first.receipt != nil && again.status == 204 && again.receipt != nil)
            }
            // By kind, and in each kind by identifier; pages of two go over the seam.
            #expect(try await setting.ids(path, member: "member") == [inner, account] + users)
            let page = try await plane.send("GET", path + "?limit=1")
            #expect(page["items"]?.array?.first?["kind"] == "group")
            #expect(try await plane.send("GET", path + "?cursor=AAAA").code == "invalid_cursor")
            #expect(
                try await plane.send("GET", path + "?cursor=\(Base64URL.encode([9] + Array(repeating: 0, count: 16)))")
                    .code == "invalid_cursor")
            let leaf = try await setting.leaf(of: setting.acme)
            #expect(leaf["permission"] == "group_members.add" && leaf["target"]?["id"]?.string == group)
            #expect(leaf["after"]?["member"]?.string == inner && leaf["before"]?["member"]?.string == inner)

            #expect(try await plane.send("DELETE", path + "/\(users[1])").status == 204)
            let removal = try await setting.leaf(of: setting.acme)
            #expect(removal["permission"] == "group_members.remove" && removal["after"] == .null)
            #expect(removal["before"]?["member"]?.string == users[1])
            #expect(try await plane.send("DELETE", path + "/\(users[1])").status == 204)
            #expect(try await plane.send("DELETE", path + "/usr_00000000000000000000000000").status == 204)
            #expect(try await setting.ids(path, member: "member") == [inner, account, users[0], users[2]])
            #expect(try await self.put(setting, users[1], into: group).status == 204)
            #expect(try await setting.ids(path, member: "member") == [inner, account] + users)
            // Who is deleted is in no group, and a group that is deleted has nobody.
            #expect(try await plane.send("DELETE", "/v1/users/\(users[0])").status == 204)
            #expect(try await plane.send("DELETE", "/v1/service-accounts/\(account)").status == 204)
            #expect(try await plane.send("DELETE", "/v1/groups/\(inner)").status == 204)
            #expect(try await setting.ids(path, member: "member") == [users[1], users[2]])
            let before = try await plane.count("group_member where deleted_at is null")
            #expect(try await plane.send("DELETE", "/v1/groups/\(group)").status == 204)
            #expect(before == 2)
            #expect(try await plane.count("group_member where deleted_at is null") == 0)
            // All of that is one step of the partition.
            #expect(
                try await plane.count(
                    """
                    (select access_revision from group_member where group_id in (select id from user_group
                        where name = 'g') and deleted_at >= (select deleted_at from user_group where name = 'g')
                        group by 1) r
                    """) == 1)
        }
    }

    @Test func `who is not of the group's partition is no member`() async throws {
        try await TestIdentity.with { setting in
            let group = try await self.group(setting, "g")
            let own = try await setting.plane.make("/v1/groups", ["name": "instance"]).id
            let foreign = try await setting.user("f", of: setting.other).id
            let operator_ = try await setting.user("o", of: nil).id
            let local = try await setting.user("l", of: setting.acme).id
            let gone = try await setting.user("gone", of: setting.acme).id
            #expect(try await setting.plane.send("DELETE", "/v1/users/\(gone)").status == 204)
            let foreignGroup = try await self.group(setting, "f", of: setting.other)
            for (member, into) in [
                (foreign, group), (operator_, group), (foreignGroup, group), (gone, group), (local, own), (group, own),
                ("usr_00000000000000000000000000", group), ("sa_00000000000000000000000000", group),
                (setting.acme, group), ("x", group),
            ] {
                let reply = try await self.put(setting, member, into: into)
                #expect(reply.status == 422 && reply.code == "no_such_member", "\(member): \(reply.json.text)")
                #expect(reply["pointer"] == "member")
            }
            #expect(try await self.put(setting, operator_, into: own).status == 204)
            #expect(try await self.put(setting, local, into: "grp_00000000000000000000000000").status == 404)
        }
    }

    @Test func `groups nest six deep and never in themselves`() async throws {
        try await TestIdentity.with { setting in
            var chain: [String] = []
            for number in 0..<7 { chain.append(try await self.group(setting, "g\(number)")) }
            #expect(try await self.put(setting, chain[0], into: chain[0]).code == "group_cycle")
            for number in 1..<6 {
                #expect(try await self.put(setting, chain[number], into: chain[number - 1]).status == 204)
            }
            for number in 0..<6 {
                let cycle = try await self.put(setting, chain[0], into: chain[number])
                #expect(cycle.status == 409 && cycle.code == "group_cycle")
            }
            // Below the last, above the first: both would be seven.
            #expect(try await self.put(setting, chain[6], into: chain[5]).code == "too_deep")
            #expect(try await self.put(setting, chain[0], into: chain[6]).code == "too_deep")
            #expect(try await self.put(setting, chain[6], into: chain[4]).status == 204)
            #expect(try await self.put(setting, chain[3], into: chain[6]).code == "group_cycle")
            #expect(
                try await setting.plane.send("DELETE", "/v1/groups/\(chain[2])/members/\(chain[3])").status == 204)
            #expect(try await self.put(setting, chain[0], into: chain[5]).status == 204)
            #expect(try await self.put(setting, chain[4], into: chain[2]).code == "group_cycle")
        }
    }

    @Test func `two that would nest groups in each other do not both`() async throws {
        try await TestIdentity.with { setting in
            for round in 0..<6 {
                let (a, b) = (
                    try await self.group(setting, "a\(round)"), try await self.group(setting, "b\(round)")
                )
                async let first = self.put(setting, a, into: b)
                async let second = self.put(setting, b, into: a)
                #expect(try await [first.status, second.status].sorted() == [204, 409])
            }
        }
    }

    @Test func `the groups of a user are told with how he is in them`() async throws {
        try await TestIdentity.with { setting in
            let plane = setting.plane
            let user = try await setting.user("u", of: setting.acme).id
            let account = try await plane.make(
                "/v1/service-accounts", ["scope": .string(setting.acme), "name": "bot"]
            ).id
            var groups: [String] = []
            for name in ["top", "middle", "low", "beside", "none"] {
                groups.append(try await self.group(setting, name))
            }
            for (member, into) in [
                (groups[1], groups[0]), (groups[2], groups[1]), (user, groups[2]), (user, groups[0]), (user, groups[3]),
                (account, groups[1]),
            ] { #expect(try await self.put(setting, member, into: into).status == 204) }
            let path = "/v1/users/\(user)/groups"
            #expect(
                try await setting.ids(path, member: "group") == [groups[0], groups[1], groups[2], groups[3]])
            let all = try await plane.send("GET", path)
            #expect(
                all["items"]?.array?.map { $0["membership"] } == ["direct", "inherited", "direct", "direct"])
            #expect(
                try await setting.ids("/v1/service-accounts/\(account)/groups", member: "group")
                    == [groups[0], groups[1]])
            // Both the user and the groups must be seen.
            let viewer = try await setting.user("v", of: setting.acme, .viewer)
            #expect(try await plane.send("GET", path, token: viewer.token).status == 200)
            let billing = try await setting.user("b", of: setting.acme, .billing)
            #expect(try await plane.send("GET", path, token: billing.token).status == 403)
            let foreign = try await setting.user("f", of: setting.other, .owner)
            #expect(try await plane.send("GET", path, token: foreign.token).status == 404)
            #expect(
                try await plane.send("GET", "/v1/service-accounts/\(account)/groups", token: foreign.token).status
                    == 404)
            #expect(
                try await setting.ids("/v1/users?group=\(groups[2])", token: foreign.token) == [])
        }
    }
}
