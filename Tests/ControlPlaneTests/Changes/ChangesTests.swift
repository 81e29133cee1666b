import ControlPlane
import Crypto
import Postgres
import Shared
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct ChangesTests {
    private struct Trouble: Error {}

    private func context(_ authority: Authority) -> OperationContext {
        OperationContext(
            actor: Actor(kind: .serviceAccount, id: UUIDValue(high: 1, low: 2)), authority: authority,
            request: TimeSource.system.newID(), time: TimeSource.system.now())
    }

    @Test func `a leaf is written with its change and says what happened`() async throws {
        try await TestControlPlane.with { plane in
            let made = try await plane.make("/v1/organizations", ["name": "Canary Name", "metadata": ["who": "Ann"]])
            let events = try await plane.send("GET", "/v1/audit-events?organization=\(made.id)")
            let leaf = try #require(events["items"]?.array?.first)
            let text = try #require(leaf["leaf"]?.string)
            #expect(JSONValue.object(leaf["event"]?.object ?? [:]).text == text)
            let hash = Hex.encode(SHA256.hash(data: [0] + Array(text.utf8)))
            #expect(leaf["leaf_sha256"]?.string == hash)
            let log = try #require(leaf["log"]?.string)
            #expect(made.receipt == "log=\(log); index=0; leaf=\(hash)")
            #expect(leaf["event"]?["permission"] == "organizations.create")
            #expect(leaf["event"]?["target"] == ["kind": "organization", "id": .string(made.id)])
            #expect(leaf["event"]?["before"] == .null)
            #expect(leaf["event"]?["after"]?["status"] == "active")
            #expect(leaf["event"]?["personal"]?.array?.count == 2)
            for personal in ["Canary", "Ann", "203.0.113"] { #expect(!text.contains(personal)) }

            let system = try await plane.send("GET", "/v1/audit-events")
            #expect(system["items"]?.array?.first?["leaf"]?.string == text)
            let logs = try await plane.send("GET", "/v1/audit-logs")
            #expect(logs["items"]?.array?.count == 2)
            let change = try #require(leaf["event"]?["change"]?.string)
            let found = try await plane.send("GET", "/v1/changes/\(change)")
            #expect(found["permission"] == "organizations.create")
            let all = try await plane.send("GET", "/v1/changes?organization=\(made.id)")
            #expect(all["items"] == [found.json])
        }
    }

    @Test func `a change that fails leaves nothing behind`() async throws {
        try await TestControlPlane.with { plane in
            let before = try await plane.count("audit_leaf")
            let target = Target(OrganizationID(UUIDValue(high: 7, low: 7)))
            await #expect(throws: Trouble.self) {
                _ = try await plane.services.changes.perform(
                    .organizationsCreate, on: target, at: .instance, as: self.context(.everything)
                ) { tx, _ -> Change<Int> in
                    _ = try tx.execute(
                        "insert into deployment (singleton, id) values (true, gen_random_uuid()) on conflict do nothing"
                    )
                    throw Trouble()
                }
            }
            await #expect(throws: ControlError.self) {
                _ = try await plane.services.changes.perform(
                    .organizationsCreate, on: target, at: .instance, as: self.context(.none)
                ) { _, _ in Change(1, in: nil) }
            }
            #expect(try await plane.count("audit_leaf") == before)
            #expect(try await plane.count("change") == before)
            #expect(try await plane.send("POST", "/v1/organizations", ["name": "a"], key: "k").status == 201)
            #expect(try await plane.send("POST", "/v1/organizations", ["name": "A"], key: "l").status == 409)
            #expect(try await plane.count("idempotency_key") == 1)
        }
    }

    @Test func `when the audit log refuses the change is not made`() async throws {
        try await TestControlPlane.with { plane in
            try await plane.database.database.transaction { tx in
                _ = try tx.execute("alter table audit_leaf add constraint full_up check (index < 2) not valid")
            }
            let refused = try await plane.send("POST", "/v1/organizations", ["name": "x"])
            #expect(refused.status == 503)
            #expect(refused.code == "audit_unavailable")
            #expect(try await plane.count("scope_node") == 0)
        }
    }

    @Test func `indexes have no gap under concurrency`() async throws {
        try await TestControlPlane.with { plane in
            try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 0..<24 {
                    group.addTask {
                        try await plane.send("POST", "/v1/organizations", ["name": .string("n\(number % 20)")]).status
                    }
                }
                var statuses: [Int] = []
                for try await status in group { statuses.append(status) }
                #expect(statuses.filter { $0 == 201 }.count == 20)
                #expect(statuses.filter { $0 == 409 }.count == 4)
            }
            let gaps = try await plane.count(
                """
                audit_log l where size <> (select count(*) from audit_leaf f where f.log_id = l.id)
                or size <> (select max(index) + 1 from audit_leaf f where f.log_id = l.id)
                """
            )
            #expect(gaps == 0)
            #expect(try await plane.count("audit_log") == 21)
        }
    }

    @Test func `a request under a name takes effect once`() async throws {
        try await TestControlPlane.with { plane in
            let body: JSONValue = ["name": "once"]
            let first = try await plane.send("POST", "/v1/organizations", body, key: "abc")
            let second = try await plane.send("POST", "/v1/organizations", body, key: "abc")
            #expect(first.status == 201)
            #expect(second.status == 201)
            #expect(second.json == first.json)
            #expect(second.receipt == nil)
            let other = try await plane.send("POST", "/v1/organizations", ["name": "twice"], key: "abc")
            #expect(other.status == 422)
            #expect(other.code == "idempotency_key_reused")
            #expect(
                try await plane.send("POST", "/v1/organizations", body, key: "a b").code == "invalid_idempotency_key")

            let (_, project) = try await plane.makeProject()
            let key: JSONValue = ["name": "k", "project": .string(project)]
            let replies = try await withThrowingTaskGroup(of: TestControlPlane.Reply.self) { group in
                for _ in 0..<8 {
                    group.addTask { try await plane.send("POST", "/v1/virtual-keys", key, key: "same") }
                }
                var replies: [TestControlPlane.Reply] = []
                for try await reply in group { replies.append(reply) }
                return replies
            }
            #expect(replies.allSatisfy { $0.status == 201 })
            #expect(Set(replies.map(\.id)).count == 1)
            #expect(replies.filter { $0["secret"] != nil }.count == 1)
            #expect(replies.filter { $0["secret_already_issued"] == true }.count == 7)
            #expect(try await plane.count("virtual_key") == 1)
        }
    }

    @Test func `a change is watched until its gateways have it`() async throws {
        try await TestControlPlane.with { plane in
            let group = try await plane.make("/v1/gateway-groups", ["name": "eu"]).id
            let organization = try await plane.make("/v1/organizations", ["name": "o"]).id
            let membership = "/v1/gateway-groups/\(group)/organizations/\(organization)"
            #expect(try await plane.send("PUT", membership).status == 204)
            let project = try await plane.make("/v1/projects", ["name": "p", "parent": .string(organization)])
            let change = try await plane.send("GET", "/v1/changes?organization=\(organization)&limit=1")
            let id = try #require(change["items"]?.array?.first?["id"]?.string)
            #expect(change["items"]?.array?.first?["target"]?["id"]?.string == project.id)
            let path = "/v1/changes/\(id)/propagation"
            let pending = try await plane.send("GET", path)
            #expect(pending["complete"] == false)
            #expect(pending["groups"]?.array?.first?["version"] == .null)
            async let waited = plane.send("GET", path + "?wait=20")
            try await plane.database.database.transaction { tx in
                _ = try tx.execute(
                    """
                    with gone as (delete from change_pending returning change_id, group_id)
                    insert into change_publication select change_id, group_id, 1, 3 from gone
                    """
                )
            }
            let done = try await waited
            #expect(done["complete"] == true)
            #expect(done["groups"]?.array?.first?["version"] == ["epoch": 1, "version": 3])
            #expect(try await plane.send("GET", path + "?wait=31").status == 400)
        }
    }
}
