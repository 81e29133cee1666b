import AdminClient
import Testing

@Suite struct BodyTests {
    private static func noFile(_ path: String) throws(ClientError) -> String {
        throw ClientError(.usage, "no file \(path)")
    }

    private static func body(
        _ operation: String, _ words: [String], base: JSON = .object([:]),
        read: (String) throws(ClientError) -> String = Self.noFile
    ) throws -> JSON {
        let shape = try #require(try Description.catalogue().operation(named: operation)?.bodyShape)
        var builder = BodyBuilder(shape, base: base)
        for word in words { try builder.assign(try Assignment(word, read: read)) }
        return builder.body
    }

    @Test(arguments: [
        ("budgets.create", ["name=250"], #"{"name":"250"}"#),
        ("budgets.create", ["amount_usd=250"], #"{"amount_usd":"250"}"#),
        ("budgets.create", ["hard=true", "carry_over=false"], #"{"hard":true,"carry_over":false}"#),
        ("budgets.create", ["thresholds=50,80, 100"], #"{"thresholds":[50,80,100]}"#),
        ("budgets.create", ["thresholds=50", "thresholds=80,90"], #"{"thresholds":[50,80,90]}"#),
        ("budgets.create", ["thresholds="], #"{"thresholds":[]}"#),
        ("budgets.create", ["tag.name=team", "tag.value=a=b"], #"{"tag":{"name":"team","value":"a=b"}}"#),
        ("budgets.create", ["name:=7"], #"{"name":7}"#),
        ("budgets.create", ["name=null"], #"{"name":"null"}"#),
        ("budgets.create", ["name="], #"{"name":""}"#),
        ("rate_limits.create", ["amount=60"], #"{"amount":60}"#),
        ("rate_limits.create", ["amount=-9223372036854775808"], #"{"amount":-9223372036854775808}"#),
        ("virtual_keys.create", ["expires_at=null", "owner=null"], #"{"expires_at":null,"owner":null}"#),
        ("virtual_keys.create", ["allowed_models=a,b"], #"{"allowed_models":["a","b"]}"#),
        ("virtual_keys.create", ["allowed_models=null"], #"{"allowed_models":null}"#),
        (
            "virtual_keys.create", ["metadata.cost.center=4,7", "metadata.b=x"],
            #"{"metadata":{"cost.center":"4,7","b":"x"}}"#
        ),
        ("virtual_keys.update", ["metadata.a=null"], #"{"metadata":{"a":null}}"#),
        (
            "routes.create", ["targets.0.model=mdl_1", "targets.0.weight=3", "targets.1.model=mdl_2"],
            #"{"targets":[{"model":"mdl_1","weight":3},{"model":"mdl_2"}]}"#
        ),
        ("routes.create", [#"targets:=[{"model":"x"}]"#], #"{"targets":[{"model":"x"}]}"#),
        ("projects.update", ["tags.0.name=a", "tags.0.required=true"], #"{"tags":[{"name":"a","required":true}]}"#),
        (
            "access.effect", ["leave.member=usr_1", "leave.group=grp_1"],
            #"{"leave":{"member":"usr_1","group":"grp_1"}}"#
        ),
    ])
    func `fields are typed by the schema`(_ operation: String, _ words: [String], _ expected: String) throws {
        #expect(try Self.body(operation, words) == JSON(parsing: expected))
    }

    @Test(arguments: [
        ("budgets.create", ["scop=x"], "Did you mean scope?"), ("budgets.create", ["tag.nam=x"], "tag.name"),
        ("budgets.create", ["hard=yes"], "true or false"), ("budgets.create", ["thresholds=a"], "a whole number"),
        ("rate_limits.create", ["amount=1.5"], "a whole number"),
        ("rate_limits.create", ["amount=9223372036854775808"], "a whole number"),
        ("budgets.create", ["name=a", "name=b"], "given twice"), ("budgets.create", ["tag=x"], "tag.name=…"),
        ("budgets.create", ["name.x=1"], "has no 'x'"), ("budgets.create", ["name:=x"], "not JSON"),
        ("budgets.create", ["=x"], "no field=value"), ("budgets.create", ["name"], "no field=value"),
        ("budgets.create", [":=1"], "no field=value"), ("routes.create", ["targets=x"], "targets.0.NAME=…"),
        ("routes.create", ["targets.2.model=x"], "element 0 comes next"),
        ("routes.create", ["targets.x.model=x"], "number of an element"),
        ("routes.create", ["targets.-1.model=x"], "element 0 comes next"),
        ("virtual_keys.create", ["metadata=x"], "metadata.NAME=…"), ("budgets.create", ["name=@x"], "no file x"),
        ("budgets.create", ["name=\u{1B}[0m", "hard=\u{1B}[0m"], "\\u{1b}[0m"),
    ])
    func `what is wrong with a field is said`(_ operation: String, _ words: [String], _ hint: String) {
        let error = #expect(throws: ClientError.self) { try Self.body(operation, words) }
        #expect(error?.exit == .usage)
        #expect(error?.description.contains(hint) == true, "\(error?.description ?? "")")
    }

    @Test func `a value is read from a file, without the line's end`() throws {
        func read(_ path: String) throws(ClientError) -> String {
            guard path == "key.txt" else { throw ClientError(.usage, "another file: \(path)") }
            return "sk-1\n"
        }
        #expect(try Self.body("credentials.create", ["secret=@key.txt"], read: read) == ["secret": "sk-1"])
        func list(_: String) -> String { "[1,2]\n" }
        #expect(try Self.body("budgets.create", ["thresholds:=@x"], read: list) == ["thresholds": [1, 2]])
    }

    @Test func `fields are put over a file`() throws {
        let base = try JSON(parsing: #"{"name":"a","thresholds":[1],"tag":{"name":"t","value":"v"},"unknown":1}"#)
        let body = try Self.body("budgets.create", ["name=b", "thresholds=2", "tag.value=w"], base: base)
        #expect(
            body == (try JSON(parsing: #"{"name":"b","thresholds":[2],"tag":{"name":"t","value":"w"},"unknown":1}"#)))
    }

    @Test func `what is missing is said all at once`() throws {
        let shape = try #require(try Description.catalogue().operation(named: "budgets.create")?.bodyShape)
        var builder = BodyBuilder(shape)
        try builder.assign(try Assignment("tag.name=x", read: Self.noFile))
        #expect(builder.missing == ["name", "period", "scope", "tag.value"])
    }
}

@Suite struct NearestTests {
    @Test(arguments: [
        ("scop", ["scope"]), ("nmae", ["name"]), ("amount", ["amount_nano_usd", "amount_usd"]), ("zzzzzz", []),
        ("SCOPE", ["scope"]),
    ])
    func `names that were meant are near`(_ name: String, _ expected: [String]) {
        #expect(
            Nearest.names(to: name, among: ["scope", "name", "amount_usd", "amount_nano_usd", "period"]) == expected)
    }

    @Test func `long names cost little`() {
        let long = String(repeating: "a", count: 1_000_000)
        #expect(Nearest.names(to: long, among: [long, "b"]).count <= 3)
    }
}
