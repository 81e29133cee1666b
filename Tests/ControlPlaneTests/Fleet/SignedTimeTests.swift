import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct SignedTimeTests {
    private func ask(_ fleet: TestFleet, _ query: String) async -> APIResponse {
        await fleet.api.respond(to: APIRequest("GET", "/dp/v1/time\(query)"))
    }

    private func root(_ fleet: TestFleet) async throws -> TrustRoot {
        let keys = fleet.plane.services.keys
        return try await fleet.plane.services.database.transaction(.readOnly) { tx in
            try SigningKeys.load(&tx, keys: keys).root
        }
    }

    @Test func `anybody is told the time, signed for what he asked with`() async throws {
        try await TestFleet.with { fleet in
            let root = try await self.root(fleet)
            for size in SignedTime.nonceSizes {
                let nonce = [UInt8](repeating: UInt8(size), count: size)
                fleet.clock.advance(seconds: 10)
                let response = await self.ask(fleet, "?nonce=\(Base64URL.encode(nonce))")
                #expect(response.status == 200)
                let envelope = try Envelope(wire: response.body)
                let signed = try SignedTime(wire: try #require(root.open(envelope, as: .time)))
                #expect(signed == SignedTime(deployment: fleet.deployment, nonce: nonce, time: fleet.clock.now))
                #expect(root.open(envelope, as: .timestamp) == nil)
                #expect(response.body.count <= SignedTime.sizeLimit)
            }
        }
    }

    @Test func `a nonce of another form is refused`() async throws {
        try await TestFleet.with { fleet in
            for size in [0, 1, 15, 33, 64] {
                let nonce = Base64URL.encode([UInt8](repeating: 1, count: size))
                #expect(await self.ask(fleet, "?nonce=\(nonce)").status == 400)
            }
            #expect(await self.ask(fleet, "").code == "missing_parameter")
            #expect(await self.ask(fleet, "?nonce=\(String(repeating: "*", count: 22))").code == "invalid_parameter")
            // Bits left over that are not zero: another text for the same bytes.
            #expect(await self.ask(fleet, "?nonce=\(String(repeating: "_", count: 22))").code == "invalid_parameter")
            let nonce = String(repeating: "A", count: 22)
            #expect(await self.ask(fleet, "?nonce=\(nonce)").status == 200)
            #expect(await self.ask(fleet, "?nonce=\(nonce)&nonce=\(nonce)").status == 400)
            #expect(await self.ask(fleet, "?nonce=\(nonce)&x=1").status == 400)
        }
    }

    @Test func `a call that is refused for its time alone is told so`() async throws {
        try await TestFleet.with { fleet in
            let gateway = try await fleet.enrol()
            let path = "/dp/v1/groups/\(fleet.group)/timestamp"
            #expect(await fleet.call(gateway, "GET", path).status == 304)
            for seconds in [Int64(3600), -3600, 31, -91] {
                let issued = fleet.clock.now.adding(seconds: seconds)
                let response = await fleet.call(gateway, "GET", path, issued: issued)
                #expect(response.status == 401)
                #expect(response.code == LinkCode.expired)
                let forged = TestFleet.Process(gateway: gateway.gateway, key: SigningKey(), number: 1)
                #expect(await fleet.call(forged, "GET", path, issued: issued).code == "gateway_not_authenticated")
            }
        }
    }

    @Test func `roots are public, and only those that there are`() async throws {
        try await TestFleet.with { fleet in
            let first = await fleet.api.respond(to: APIRequest("GET", "/dp/v1/roots/1"))
            #expect(first.status == 200)
            let envelope = try Envelope(wire: first.body)
            #expect(try TrustRoot(wire: envelope.payload) == (try await self.root(fleet)))
            for version in ["0", "-1", "2", "9", "99999", "2147483648", "x"] {
                let response = await fleet.api.respond(to: APIRequest("GET", "/dp/v1/roots/\(version)"))
                #expect(response.status == 404, "\(version)")
            }
        }
    }
}
