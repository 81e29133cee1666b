import AdminClient
import Testing

@Suite struct TableTests {
    private static func json(_ text: String) throws -> JSON { try JSON(parsing: text) }

    @Test func `columns line up, and trailing space is left out`() {
        let table = Table(["ID", "NAME", "STATUS"], rows: [["1", "東京", "active"], ["22", "x", "-"]])
        #expect(table.text(width: nil) == "ID  NAME  STATUS\n1   東京  active\n22  x     -\n")
    }

    @Test func `what has no room is left out from the right, and identifiers are not cut`() {
        let id = Description.id("prj")
        let table = Table(
            ["ID", "NAME", "PROJECT", "NOTE"], rows: [[Description.id("vk"), "key", id, "a note of some length"]])
        let narrow = table.text(width: 60)
        #expect(!narrow.contains("PROJECT") && !narrow.contains("prj_"))
        #expect(narrow.split(separator: "\n").allSatisfy { TerminalText.width($0) <= 60 })
        let wide = table.text(width: 88)
        #expect(wide.contains(id) && wide.contains("NOTE") && wide.contains("…"))
        #expect(wide.split(separator: "\n").allSatisfy { TerminalText.width($0) <= 88 })
    }

    @Test func `every width holds`() {
        let row = [
            Description.id("vk"), "a name", Description.id("prj"), "active", String(repeating: "long ", count: 30),
        ]
        let table = Table(["ID", "NAME", "PROJECT", "STATUS", "NOTE"], rows: [row])
        for width in 48...200 {
            let longest = table.text(width: width).split(separator: "\n").map { TerminalText.width($0) }.max() ?? 0
            #expect(longest <= width, "\(width)")
        }
    }

    @Test func `columns are chosen by the schema: who it is, how it is, what it costs`() throws {
        let catalogue = try Description.catalogue()
        let budget = try catalogue.resource("budgets").item
        let items = [
            try Self.json(
                #"{"id":"bud_1","name":"monthly","status":"active","amount_usd":"250.00","amount_nano_usd":"250000000000","period":"month","scope":"prj_1","organization":"org_1","revision":1,"created_at":"2026-11-27T18:26:11.368845Z","carry_over":false}"#
            )
        ]
        let columns = Columns.of(budget, items: items, isWide: false)
        #expect(columns.prefix(4) == ["id", "name", "status", "amount_usd"])
        #expect(columns.contains("period") && columns.contains("scope"))
        #expect(!columns.contains("revision") && !columns.contains("amount_nano_usd") && !columns.contains("tag.name"))
        #expect(Columns.of(budget, items: items, isWide: true).contains("revision"))
        // Without a schema: what there is.
        #expect(Columns.of(nil, items: items, isWide: false).first == "id")
    }

    @Test(arguments: [
        (OutputFormat.name, "bud_1\nbud_2\n"), (.value("name"), "a\nb, \\u{1b}c\n"),
        (
            .json,
            "[\n  {\n    \"id\": \"bud_1\",\n    \"name\": \"a\"\n  },\n  {\n    \"id\": \"bud_2\",\n    \"name\": \"b, \\u001bc\"\n  }\n]\n"
        ),
        (.csv, "id,name\r\nbud_1,a\r\nbud_2,\"b, \\u{1b}c\"\r\n"),
        (.table, "ID     NAME\nbud_1  a\nbud_2  b, \\u{1b}c\n"),
    ])
    func `a list is shown in each form, and never as it is`(_ format: OutputFormat, _ expected: String) throws {
        let recording = Recording()
        let items = try [#"{"id":"bud_1","name":"a"}"#, #"{"id":"bud_2","name":"b, \u001bc"}"#].map(Self.json)
        Report(format: format, console: recording.console()).list(items, of: nil)
        #expect(recording.output == expected)
    }

    @Test func `one thing is shown with all that is said of it`() throws {
        let recording = Recording()
        let value = try Self.json(
            #"{"revision":3,"name":"a\nb","id":"x_1","list":[1,2],"empty":[],"none":null,"inner":{"a":"b"},"things":[{"a":1,"b":2},{"a":3}]}"#
        )
        Report(format: .table, console: recording.console()).one(value)
        let expected = """
            id:        x_1
            name:      a\\nb
            empty:     -
            inner:
              a:  b
            list:      1, 2
            none:      -
            things:
              - a:  1
                b:  2
              - a:  3
            revision:  3

            """
        #expect(recording.output == expected)
    }

    @Test(arguments: [("=1+1", "'=1+1"), ("-5", "-5"), ("+x", "'+x"), ("@a", "'@a"), ("a\"b", "\"a\"\"b\""), ("", "")])
    func `no cell is a formula`(_ text: String, _ expected: String) throws {
        let csv = CSV.text([["a": .string(text)]], paths: ["a"])
        #expect(csv == "a\r\n\(expected)\r\n")
    }

    @Test(arguments: ["tables", "value=", "", "JSON"])
    func `a form that there is not is refused`(_ text: String) { #expect(OutputFormat(text) == nil) }
}
