import Foundation
import Shared
import TestKit
import Testing

/// A disk that lost something of what was used: it is said so, once, and all the rest arrives.
@Suite(.serialized, .timeLimit(.minutes(10))) struct DamagedSpoolTests {
    /// Damages the first closed entry of every stream that has one; returns how many.
    private func damage(_ folder: String) throws -> Int {
        var count = 0
        for stream in try FileManager.default.contentsOfDirectory(atPath: folder) {
            let path = "\(folder)/\(stream)/00000001.seg"
            guard let handle = FileHandle(forUpdatingAtPath: path) else { continue }
            defer { try? handle.close() }
            // A header of 64 bytes, then entries of 71 words: an open one, and the closed one.
            let entry: UInt64 = 64 + 568
            try handle.seek(toOffset: entry)
            guard let kind = try handle.read(upToCount: 1)?.first, kind == 2 else { continue }
            try handle.seek(toOffset: entry + 200)
            try handle.write(contentsOf: Data([0xFF, 0xEE, 0xDD]))
            count += 1
        }
        return count
    }

    @Test func `a damaged record is reported as lost, and its request counted at its bound`() async throws {
        try await Stack.with { stack in
            var control = try await stack.startControl()
            let tenant = try await stack.makeTenant()
            let place = try stack.place("gateway")
            var gateway = try await stack.startGateway(place, joinToken: try await stack.joinToken(tenant))
            try await eventually("the key works") { try await stack.chat(place, tenant.key).status == 200 }
            #expect(try await gateway.terminate() == .code(0))
            #expect(try await control.terminate() == .code(0))

            gateway = try await stack.startGateway(place)
            var answered: Set<String> = []
            for _ in 0..<20 {
                let reply = try await stack.chat(place, tenant.key)
                #expect(reply.status == 200)
                answered.insert(reply.requestID ?? "")
            }
            _ = try await gateway.kill()
            let damaged = try self.damage("\(stack.folder)/\(place.name)/usage")
            #expect(damaged > 0)
            control = try await stack.startControl()
            gateway = try await stack.startGateway(place)
            let all = answered
            try await eventually("the rest is delivered") {
                let ledger = try await Ledger.read(stack)
                if let fault = ledger.fault(answered: all) { throw TestKitError(fault) }
                return ledger.lost > 0
            }
            let gaps = try await stack.api("GET", "/v1/usage/gaps").member("items") as? [[String: Any]]
            #expect(gaps?.reduce(0) { $0 + ($1["records"] as? Int ?? 0) } == (try await Ledger.read(stack)).lost)
            #expect(gaps?.allSatisfy { $0["reason"] as? String == "missing" && $0["from"] as? Int == 1 } == true)
            let audit = try await stack.api("GET", "/v1/audit-events?limit=50").body
            #expect(audit.contains("usage.declare_lost"))
            #expect(try await gateway.terminate() == .code(0))
            #expect(try await control.terminate() == .code(0))
        }
    }
}
