import AdminClient
import ArgumentParser
import Testing

@Suite struct DiscoveryTests {
    @Test func `every operation is reached by a command`() throws {
        let catalogue = try Description.catalogue()
        var reached: Set<String> = []
        for resource in catalogue.resources {
            for (verb, operation) in resource.operations {
                let ids = operation.segments.filter { $0.hasPrefix("{") }.map { _ in Description.id("x") }
                // The words that somebody types, and what the program makes of them.
                let names = [resource.name, resource.singular]
                for name in names {
                    let (target, rest) = try catalogue.target(verb, name, ids + ["name=value"])
                    #expect(target.operation.name == operation.name, "\(verb) \(name) is \(target.operation.name)")
                    #expect(target.ids == ids && rest == ["name=value"])
                }
                #expect(reached.insert(operation.name).inserted, "\(operation.name) is reached twice")
            }
        }
        for operation in catalogue.operations where !reached.contains(operation.name) {
            // What is left is open, for supervisors and scrapers: `gatehouse api` sends it as it stands.
            let place = "\(operation.name) (\(operation.method) \(operation.path)) is reached by no command"
            switch operation.caller {
            case .anybody:
                let raw = try GatehouseCommand.parseAsRoot(["api", operation.method, operation.path]) as? RawCommand
                #expect(try raw?.request().target == operation.path, "\(place)")
            case .bearer: Issue.record("\(place)")
            case .machine: #expect(operation.path.hasPrefix("/dp/"), "\(place)")
            }
        }
        #expect(reached.count > 130)
    }

    @Test(arguments: [
        ("budgets", "budgets"), ("budget", "budgets"), ("Budget", "budgets"), ("bud", "budgets"), ("buds", "budgets"),
        ("virtual_key", "virtual-keys"), ("virt", "virtual-keys"), ("vk", "virtual-keys"), ("orgs", "organizations"),
        ("members", "groups/members"), ("group/member", "groups/members"), ("increase", "budgets/increases"),
        ("deliver", "webhooks/deliveries"), ("webhook/delivery", "webhooks/deliveries"), ("groups", "groups"),
        ("user/groups", "users/groups"), ("me", "me"), ("retention", "usage/retention"), ("records", "usage/records"),
        ("prices", "prices"), ("price-p", "price-proposals"), ("tok", "api-tokens"),
    ])
    func `a noun goes by several names`(_ name: String, _ expected: String) throws {
        #expect(try Description.catalogue().resource(name).name == expected)
    }

    @Test(arguments: [
        ("status", "budgets/status"), ("budgts", "Did you mean budgets, budget?"), ("provider", "providers"),
        ("p", "price-adjustments"), ("nothing-like-it", "gatehouse api-resources"),
    ])
    func `a name that is none, or several, is answered with those that are near`(_ name: String, _ hint: String) throws
    {
        let catalogue = try Description.catalogue()
        guard name != "provider" else { return #expect(try catalogue.resource(name).name == hint) }
        let error = #expect(throws: ClientError.self) { try catalogue.resource(name) }
        #expect(error?.exit == .usage)
        #expect(error?.description.contains(hint) == true, "\(error?.description ?? "")")
    }

    @Test func `an identifier says what it is, and which of two is meant`() throws {
        let catalogue = try Description.catalogue()
        func path(_ verb: Verb, _ noun: String, _ words: [String] = []) throws -> String {
            let (target, _) = try catalogue.target(verb, noun, words)
            return target.operation.path(with: target.ids)
        }
        let (bud, rl) = (Description.id("bud"), Description.id("rl"))
        let (grp, usr) = (Description.id("grp"), Description.id("usr"))
        #expect(try path(.get, bud) == "/v1/budgets/\(bud)")
        #expect(try path(.get, "status", [bud]) == "/v1/budgets/\(bud)/status")
        #expect(try path(.get, "status", [rl]) == "/v1/rate-limits/\(rl)/status")
        #expect(try path(.list, "groups/\(grp)/members") == "/v1/groups/\(grp)/members")
        #expect(try path(.add, "member", [grp, usr]) == "/v1/groups/\(grp)/members/\(usr)")
        #expect(try path(.list, "groups", [usr]) == "/v1/users/\(usr)/groups")
        #expect(try path(.action("rotate"), Description.id("vk")) == "/v1/virtual-keys/\(Description.id("vk"))/rotate")
        #expect(try path(.action("rotate"), Description.id("tok")).hasPrefix("/v1/api-tokens/"))
        #expect(try path(.action("explain"), "") == "/v1/explain")
        #expect(try path(.action("effect"), "access") == "/v1/access/effect")
        // What goes into a path is data: it stays one segment of it.
        #expect(try path(.get, "budget", ["../me"]) == "/v1/budgets/..%2Fme")
        #expect(try path(.get, "budget", [".."]) == "/v1/budgets/%2E%2E")
    }

    @Test func `what cannot be done is said, with what can be`() throws {
        let catalogue = try Description.catalogue()
        func error(_ verb: Verb, _ noun: String, _ words: [String] = []) throws -> String {
            try #require(#expect(throws: ClientError.self) { try catalogue.target(verb, noun, words) }).description
        }
        #expect(try error(.update, "changes").contains("It has: get, list."))
        #expect(try error(.get, "budgets").contains("gatehouse list budgets"))
        #expect(try error(.delete, "increase", [Description.id("bud")]).contains("{increase} is missing"))
        #expect(try error(.list, "budgets", ["x"]).contains("one word too many"))
        #expect(try error(.get, "").contains("which noun"))
        #expect(try error(.get, Description.id("zzz")).contains("zzz_…"))
    }

    @Test(arguments: [
        "{}", "[]", #"{"openapi":"2.0","paths":{}}"#, #"{"openapi":"3.1.0","paths":[]}"#, "null",
    ])
    func `what is no description is refused`(_ text: String) throws {
        let json = try JSON(parsing: text)
        #expect(throws: ClientError.self) { try APICatalogue(json) }
    }

    @Test(arguments: [
        #"{"openapi":"3.1.0","paths":{"/v1/x":{"get":null,"post":[],"put":{"operationId":7}}}}"#,
        #"{"openapi":"3.1.0","paths":{"":{"get":{"operationId":"a","security":[{"bearer":[]}]}}}}"#,
        #"{"openapi":"3.1.0","paths":{"/v1/{":{"get":{"operationId":"a","security":[{"bearer":[]}]}}}}"#,
        ##"{"openapi":"3.1.0","paths":{"/v1/a":{"post":{"operationId":"a","security":[{"bearer":[]}],"requestBody":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/A"}}}},"responses":{"201":{}}}}},"components":{"schemas":{"A":{"type":"object","properties":{"a":{"$ref":"#/components/schemas/A"},"b":{"anyOf":[]}}}}}}"##,
    ])
    func `a description of strange forms stops nothing`(_ text: String) throws {
        let catalogue = try APICatalogue(try JSON(parsing: text))
        for resource in catalogue.resources {
            let sections = FieldGuide.sections(resource, verb: nil)
            #expect(FieldGuide.text(sections, width: 80).utf8.count < 100_000)
            _ = Columns.of(resource.item, items: [], isWide: true)
        }
    }

    @Test func `fields are said with their types`() throws {
        let sections = FieldGuide.sections(try Description.catalogue().resource("budget"), verb: "create")
        #expect(sections.map(\.permission) == ["budgets.create"])
        let lines = Dictionary(uniqueKeysWithValues: sections[0].lines.map { ($0.name, $0) })
        #expect(lines["scope"]?.isRequired == true && lines["hard"]?.isRequired == false)
        #expect(lines["period"]?.type.hasPrefix("minute|hour") == true)
        #expect(lines["thresholds"]?.type == "list of whole number")
        #expect(lines["amount_usd"]?.type == "decimal" && lines["hard"]?.type == "true|false")
        #expect(lines["tag.name"] != nil)
        for width in [20, 60, 120] {
            let text = FieldGuide.text(sections, width: width)
            #expect(text.contains("Percentages") && text.contains("rolling"))
        }
    }
}
