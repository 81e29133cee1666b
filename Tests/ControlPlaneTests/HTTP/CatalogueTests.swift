import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct CatalogueTests {
    /// The endpoint's path with identifiers that name nothing.
    private func target(_ endpoint: Endpoint) -> String {
        "/"
            + endpoint.path.segments.map { segment in
                switch segment {
                case .literal(let text): text
                case .variable: "org_01jd3x0r7ze4qbt0xq4v6m2k5n"
                }
            }.joined(separator: "/")
    }

    @Test func `every endpoint refuses the anonymous and the unprivileged`() async throws {
        try await TestControlPlane.with { plane in
            for endpoint in plane.api.catalogue.endpoints {
                if case .open = endpoint.auth { continue }
                let request = APIRequest(endpoint.method.rawValue, self.target(endpoint))
                let anonymous = try await plane.send(request)
                #expect(anonymous.status == 401, "\(endpoint.operation)")
                #expect(anonymous.response.header("www-authenticate") == "Bearer")
                guard endpoint.auth.permission != nil else { continue }
                let powerless = try await plane.send(
                    endpoint.method.rawValue, self.target(endpoint), token: plane.powerless
                )
                #expect([403, 404].contains(powerless.status), "\(endpoint.operation)")
            }
        }
    }

    @Test func `operations are unique, and every permission is asked for by one`() async throws {
        try await TestControlPlane.with { plane in
            let endpoints = plane.api.catalogue.endpoints
            #expect(Set(endpoints.map(\.operation)).count == endpoints.count)
            #expect(Set(endpoints.map { "\($0.method) \($0.path)" }).count == endpoints.count)
            let asked = Set(endpoints.compactMap(\.auth.permission))
            let others: Set<Permission> = [
                .gatewaysEnroll, .gatewaysFence, .rolesBind, .rolesEscalate, .breakGlassOpen, .breakGlassClose,
                .trustRootRotate, .usageDeclareLost, .approvalsRequest,
            ]
            #expect(Set(Permission.allCases).subtracting(asked) == others)
        }
    }

    @Test func `the description is valid and has every operation`() async throws {
        try await TestControlPlane.with { plane in
            let document = try await plane.send(APIRequest("GET", "/openapi.json")).json
            #expect(document["openapi"] == "3.1.0")
            for endpoint in plane.api.catalogue.endpoints {
                let operation = document["paths"]?[endpoint.path.description]?[endpoint.method.rawValue.lowercased()]
                #expect(operation?["operationId"]?.string == endpoint.operation)
                #expect(operation?["responses"]?[String(endpoint.status)] != nil, "\(endpoint.operation)")
            }
            let references = document.text.split(separator: "\"$ref\":\"#/components/schemas/").dropFirst()
            for reference in references {
                let name = String(reference.prefix { $0 != "\"" })
                #expect(document["components"]?["schemas"]?[name]?.object != nil, "\(name)")
            }
        }
    }

    @Test func `tokens that are expired, revoked or mistyped are refused alike`() async throws {
        try await TestControlPlane.with { plane in
            #expect(try await plane.send("GET", "/v1/organizations").status == 200)
            for token in ["", "x", plane.root + "x", String(plane.root.dropLast()) + "_"] {
                #expect(try await plane.send("GET", "/v1/organizations", token: token).code == "unauthenticated")
            }
            try await plane.database.database.transaction { tx in
                _ = try tx.execute("update api_token set expires_at = now() where name = 'none'")
                _ = try tx.execute("update api_token set revoked_at = now() where name = 'root'")
            }
            #expect(try await plane.send("GET", "/v1/organizations").status == 401)
            #expect(try await plane.send("GET", "/v1/organizations", token: plane.powerless).status == 401)
        }
    }

    @Test func `what is wrong with a request is said in one form`() async throws {
        try await TestControlPlane.with { plane in
            #expect(try await plane.send("GET", "/nowhere").code == "not_found")
            #expect(try await plane.send("GET", "/v1/organizations/").code == "not_found")
            let other = try await plane.send("PUT", "/v1/organizations")
            #expect(other.code == "method_not_allowed")
            #expect(other.response.header("allow") == "GET, POST")
            #expect(try await plane.send("GET", "/v1/organizations?nope=1").code == "unknown_parameter")
            #expect(try await plane.send("GET", "/v1/organizations?limit=0").code == "invalid_parameter")
            #expect(try await plane.send("GET", "/v1/organizations?limit=1&limit=2").code == "invalid_query")
            #expect(try await plane.send("GET", "/v1/organizations?cursor=AAAA").code == "invalid_cursor")
            let authorization = "Bearer \(plane.root)"
            var request = APIRequest(
                "POST", "/v1/organizations", headers: ["authorization": authorization], body: Array("{}".utf8)
            )
            #expect(try await plane.send(request).status == 415)
            request.headers = ["authorization": authorization, "content-type": "application/json; charset=utf-8"]
            #expect(try await plane.send(request).code == "missing_member")
            request.body = Array("{\"name\":\"a\",\"name\":\"b\"}".utf8)
            #expect(try await plane.send(request).code == "invalid_json")
            request.isTooLarge = true
            #expect(try await plane.send(request).status == 413)
            let unknown = try await plane.send("POST", "/v1/organizations", ["name": "x", "nmae": "y"])
            #expect(unknown.status == 400)
            #expect(unknown["pointer"] == "/nmae")
        }
    }

    @Test func `probes and figures are open`() async throws {
        try await TestControlPlane.with { plane in
            #expect(try await plane.send(APIRequest("GET", "/healthz")).json == ["status": "ok"])
            #expect(try await plane.send(APIRequest("GET", "/readyz")).json == ["status": "ready"])
            let figures = try await plane.send(APIRequest("GET", "/metrics")).response
            let text = String(decoding: figures.body, as: UTF8.self)
            #expect(text.contains("gatehouse_control_requests_total{operation=\"probes.health\",status=\"200\"} 1\n"))
        }
    }
}
