import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct BreakGlassTests {
    @Test func `the account may do everything while it is open, and nothing before and after`() async throws {
        try await TestControlPlane.with { plane in
            let keys = plane.services.keys
            let deployment = try await plane.database.database.transaction(.readOnly) { tx in
                try SigningKeys.load(&tx, keys: keys).deployment
            }
            func context(_ authority: Authority = .everything) -> OperationContext {
                OperationContext(
                    actor: .localOperator(of: deployment), authority: authority, request: TimeSource.system.newID(),
                    time: TimeSource.system.now())
            }
            func works(_ token: Secret<String>) async throws -> Int {
                let text: String = token.reveal()
                let reply: TestControlPlane.Reply = try await plane.send("GET", "/v1/gateway-groups", token: text)
                return reply.status
            }
            let glass = BreakGlass(changes: plane.services.changes, time: .system)
            #expect(try await glass.close(as: context()) == false)
            #expect(
                try await plane.count(
                    "role_binding b join service_account a on a.id = b.subject_id where a.name = 'break-glass'") == 0)
            let first = try await glass.open(reason: "the directory is down", seconds: 600, as: context())
            #expect(try await works(first.token) == 200)
            // Opened again, the token before ends.
            let second = try await glass.open(reason: "still down", seconds: 600, as: context())
            #expect(second.account == first.account)
            #expect(try await works(first.token) == 401)
            #expect(try await works(second.token) == 200)
            // Its time is over: it ends by itself.
            try await plane.database.database.transaction { tx in
                _ = try tx.execute(
                    "update role_binding set expires_at = now() where subject_id = $1 and deleted_at is null",
                    second.account)
            }
            #expect(try await works(second.token) == 403)
            let third = try await glass.open(reason: "again", seconds: 60, as: context())
            #expect(try await glass.close(as: context()))
            #expect(try await works(third.token) == 401)
            // Every opening and closing is in the log, the reason sealed.
            let leaves = try await plane.database.database.transaction(.readOnly) { tx in
                try tx.query("select convert_from(leaf, 'UTF8') as text from audit_leaf").map {
                    try $0.get("text", as: String.self)
                }
            }
            #expect(leaves.filter { $0.contains("break_glass.open") }.count == 3)
            #expect(leaves.filter { $0.contains("break_glass.close") }.count == 2)
            #expect(!leaves.contains { $0.contains("directory is down") })
            for (reason, seconds): (String, Int64) in [("", 600), ("x", 59), ("x", 86_401)] {
                await #expect(throws: ControlError.self) {
                    try await glass.open(reason: reason, seconds: seconds, as: context())
                }
            }
            await #expect(throws: ControlError.self) {
                try await glass.open(reason: "x", seconds: 60, as: context(.none))
            }
        }
    }
}
