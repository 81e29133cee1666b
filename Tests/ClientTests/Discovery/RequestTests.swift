import AdminClient
import Testing

@Suite struct RequestTests {
    private static func maker(organization: String? = nil, file: String = "") throws -> RequestMaker {
        RequestMaker(try Description.catalogue(), organization: organization) { _ in file }
    }

    private static let bud = Description.id("bud")
    private static let org = Description.id("org")

    @Test(arguments: [
        (Verb.list, "budgets", ["--organization=\(org)"], "/v1/budgets?organization=\(org)"),
        (.list, "budgets", ["--organization", org], "/v1/budgets?organization=\(org)"),
        (.list, "budgets", ["organization=\(org)"], "/v1/budgets?organization=\(org)"),
        (.list, "usage", ["--group-by=model", "from=2026-11-01"], "/v1/usage?group_by=model&from=2026-11-01"),
        (.list, "usage", ["tag=team=a b&c"], "/v1/usage?tag=team%3Da%20b%26c"),
        (.list, "increases", [bud], "/v1/budgets/\(bud)/increases"),
        (
            .get, "budget/status", [bud, "--at=2026-11-01T00:00:00Z"],
            "/v1/budgets/\(bud)/status?at=2026-11-01T00%3A00%3A00Z"
        ),
        (.get, "me", [], "/v1/me"),
        (.list, "access/who-can", ["permission=budgets.read"], "/v1/access/who-can?permission=budgets.read"),
    ])
    func `reads become requests`(_ verb: Verb, _ noun: String, _ words: [String], _ expected: String) throws {
        let plan = try Self.maker().reading(verb, noun, words)
        #expect(plan.request.method == "GET" && plan.request.target == expected)
        #expect(plan.request.body == nil)
    }

    @Test func `changes become requests`() throws {
        let maker = try Self.maker()
        let extras = RequestMaker.Extras(headers: [("gatehouse-approval", "apr_1")], idempotencyKey: "key")
        let created = try maker.change(.create, "org", ["name=A"], extras)
        #expect(created.request.method == "POST" && created.request.target == "/v1/organizations")
        #expect(created.request.body.map { String(decoding: $0, as: UTF8.self) } == #"{"name":"A"}"#)
        #expect(created.request.header("idempotency-key") == "key")
        #expect(created.request.header("gatehouse-approval") == "apr_1")
        let updated = try maker.change(.update, Self.bud, ["amount_usd=3"], extras)
        #expect(updated.request.method == "PATCH" && updated.request.target == "/v1/budgets/\(Self.bud)")
        #expect(updated.request.contentType == "application/merge-patch+json")
        #expect(updated.request.header("idempotency-key") == nil)
        let key = Description.id("vk")
        let rotated = try maker.change(.action("rotate"), "vk", [key, "overlap_seconds=60"], extras)
        #expect(rotated.request.target == "/v1/virtual-keys/\(key)/rotate")
        #expect(rotated.request.body.map { String(decoding: $0, as: UTF8.self) } == #"{"overlap_seconds":60}"#)
        let revoked = try maker.change(.action("revoke"), key, [], extras)
        #expect(revoked.request.body == nil)
        let deleted = try maker.change(.delete, Self.bud, [], extras)
        #expect(deleted.request.method == "DELETE" && deleted.request.body == nil)
    }

    @Test func `bytes come from a file, with parameters beside them`() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("a,b\n", to: "invoice.csv")
        let provider = Description.id("prv")
        let plan = try Self.maker().change(
            .create, "provider-statement", ["provider=\(provider)"], .init(file: file))
        #expect(plan.request.target == "/v1/provider-statements?provider=\(provider)")
        #expect(plan.request.body == Array("a,b\n".utf8) && plan.request.contentType == "application/octet-stream")
        #expect(throws: ClientError.self) { try Self.maker().change(.create, "pst", ["provider=\(provider)"], .init()) }
        #expect(throws: ClientError.self) { try Self.maker().change(.create, "pst", [], .init(file: file)) }
    }

    @Test func `the context's organization is taken where none is said`() throws {
        let maker = try Self.maker(organization: Self.org)
        #expect(try maker.reading(.list, "users", []).request.target == "/v1/users?organization=\(Self.org)")
        #expect(
            try maker.reading(.list, "users", ["organization=other"]).request.target == "/v1/users?organization=other")
        // What has no such parameter stays as it is.
        #expect(try maker.reading(.list, "gateways", []).request.target == "/v1/gateways")
        let created = try maker.change(.create, "user", ["login=a", "name=A"], .init())
        #expect(created.body?["organization"] == .string(Self.org))
        let ofInstance = try maker.change(.create, "user", ["login=a", "name=A", "organization=null"], .init())
        #expect(ofInstance.body?["organization"] == .null)
        // A change of something that there is keeps its organization.
        #expect(try maker.change(.update, Description.id("usr"), ["name=B"], .init()).body == ["name": "B"])
    }

    @Test func `a body comes from a file, and must be an object`() throws {
        let plan = try Self.maker(file: #"{"name":"x","metadata":{"a":"b"}}"#)
            .change(.create, "organization", ["name=y"], .init(file: "x.json"))
        #expect(plan.body == ["name": "y", "metadata": ["a": "b"]])
        for text in ["[]", "7", "{", ""] {
            #expect(throws: ClientError.self) {
                try Self.maker(file: text).change(.create, "organization", ["name=y"], .init(file: "x.json"))
            }
        }
    }

    @Test(arguments: [
        (Verb.list, "budgets", ["--organisation=x"], "Did you mean organization?"),
        (.list, "budgets", ["--organization"], "needs a value"), (.list, "budgets", ["-x"], "no option '-x'"),
        (.list, "budgets", ["organization=a", "organization=b"], "given twice"),
        (.list, "access/who-can", [], "permission is missing"), (.get, "me", ["at=x"], "It takes none."),
    ])
    func `what is wrong with a read is said`(_ verb: Verb, _ noun: String, _ words: [String], _ hint: String) {
        let error = #expect(throws: ClientError.self) { try Self.maker().reading(verb, noun, words) }
        #expect(error?.description.contains(hint) == true, "\(error?.description ?? "")")
    }

    @Test(arguments: [
        (Verb.create, "budget", ["name=x"], "period, scope are missing"),
        (.action("revoke"), Description.id("vk"), ["x=1"], "takes no fields"),
        (.add, "member", [Description.id("grp"), Description.id("usr"), "x=1"], "takes no fields"),
        (.action("rotte"), "vk", [], "has no 'rotte'"),
    ])
    func `what is wrong with a change is said`(_ verb: Verb, _ noun: String, _ words: [String], _ hint: String) {
        let error = #expect(throws: ClientError.self) { try Self.maker().change(verb, noun, words, .init()) }
        #expect(error?.exit == .usage && error?.description.contains(hint) == true, "\(error?.description ?? "")")
    }
}
