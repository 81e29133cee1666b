import Shared
import Testing

@Suite struct SettingsTests {
    private let folder = TemporaryFolder()

    private func settings(_ environment: [String: String], file: String? = nil) throws -> Settings {
        var environment = environment
        if let file {
            try Files.replace(self.folder("config"), with: Array(file.utf8))
            environment["GATEHOUSE_CONFIG_FILE"] = self.folder("config")
        }
        return try Settings(environment: environment)
    }

    @Test(arguments: ["\n", "\r\n"])
    func `a file is read whatever its line ends are`(_ end: String) throws {
        let lines = [
            "# comment", "", "  GATEHOUSE_A=one=1 ", "\tGATEHOUSE_B=two # not a comment", "GATEHOUSE_C=", "   ",
        ]
        var settings = try self.settings([:], file: lines.joined(separator: end) + end)
        #expect(settings.text("GATEHOUSE_A") == "one=1")
        #expect(settings.text("GATEHOUSE_B") == "two # not a comment")
        #expect(settings.text("GATEHOUSE_C") == nil)
        #expect(settings.text("GATEHOUSE_D", default: "four") == "four")
        try settings.refuseUnknown()
    }

    @Test func `the environment stands over the file, and an empty variable does not`() throws {
        var settings = try self.settings(
            ["GATEHOUSE_A": "env", "GATEHOUSE_B": "", "PATH": "/bin"], file: "GATEHOUSE_A=file\nGATEHOUSE_B=file")
        #expect(settings.text("GATEHOUSE_A") == "env")
        #expect(settings.text("GATEHOUSE_B") == "file")
        try self.settings(["GATEHOUSE_CONFIG_FILE": ""]).refuseUnknown()
    }

    @Test(arguments: ["A=1", "GATEHOUSE_A", "=1", "GATEHOUSE_A=1\nGATEHOUSE_A=2", "export GATEHOUSE_A=1"])
    func `another line is refused with its number`(_ text: String) {
        #expect { try self.settings([:], file: "#\n" + text) } throws: { error in
            let line = text.contains("\n") ? "line 3" : "line 2"
            return (error as? SettingsError)?.description.contains(line) == true
        }
    }

    @Test func `a file that is missing or not text is refused`() throws {
        #expect(throws: SettingsError.self) { try Settings(environment: ["GATEHOUSE_CONFIG_FILE": "/none/at/all"]) }
        try Files.replace(self.folder("binary"), with: Array("GATEHOUSE_A=".utf8) + [0xFF])
        #expect(throws: SettingsError.self) {
            try Settings(environment: ["GATEHOUSE_CONFIG_FILE": self.folder("binary")])
        }
    }

    @Test func `a name that nobody asked for is refused`() throws {
        var settings = try self.settings(["GATEHOUSE_PORT": "1", "GATEHOUSE_PROT": "2", "OTHER": "3"])
        _ = settings.text("GATEHOUSE_PORT")
        #expect { try settings.refuseUnknown() } throws: { "\($0)".contains("GATEHOUSE_PROT") }
        settings.ignore("GATEHOUSE_PROT")
        try settings.refuseUnknown()
        var fromFile = try self.settings([:], file: "GATEHOUSE_TYPO=1")
        _ = fromFile.text("GATEHOUSE_X")
        #expect(throws: SettingsError.self) { try fromFile.refuseUnknown() }
    }

    @Test func `numbers, flags and required texts say what they need`() throws {
        var settings = try self.settings([
            "GATEHOUSE_N": "12", "GATEHOUSE_BAD": "12x", "GATEHOUSE_ON": "yes", "GATEHOUSE_OFF": "0",
            "GATEHOUSE_HUGE": "99999999999999999999",
        ])
        #expect(try settings.integer("GATEHOUSE_N", default: 1, in: 12...12) == 12)
        #expect(try settings.integer("GATEHOUSE_NONE", default: 1, in: 0...5) == 1)
        for (name, range) in [
            ("GATEHOUSE_N", 0...11), ("GATEHOUSE_N", 13...20), ("GATEHOUSE_BAD", 0...20),
            ("GATEHOUSE_HUGE", 0...Int.max),
        ] {
            #expect { try settings.integer(name, default: 1, in: range) } throws: { "\($0)".hasPrefix(name) }
        }
        #expect(try settings.flag("GATEHOUSE_ON", default: false))
        #expect(try !settings.flag("GATEHOUSE_OFF", default: true))
        #expect(try settings.flag("GATEHOUSE_NONE", default: true))
        #expect(throws: SettingsError.self) { try settings.flag("GATEHOUSE_N", default: true) }
        #expect(throws: SettingsError.self) { try settings.required("GATEHOUSE_NONE", "it is needed") }
    }

    @Test(arguments: ["s3cret", "s3cret\n", "s3cret\r\n", "s3cret\n\n"])
    func `a secret comes from the environment or a file, not from both`(_ content: String) throws {
        try Files.replace(self.folder("secret"), with: Array(content.utf8))
        var settings = try self.settings(["GATEHOUSE_T_FILE": self.folder("secret"), "GATEHOUSE_U": "direct"])
        #expect(try settings.secret("GATEHOUSE_T")?.reveal() == "s3cret")
        #expect(try settings.secret("GATEHOUSE_U")?.reveal() == "direct")
        #expect(try settings.secret("GATEHOUSE_V")?.reveal() == nil)
        try settings.refuseUnknown()
        var both = try self.settings(["GATEHOUSE_T_FILE": self.folder("secret"), "GATEHOUSE_T": "direct"])
        #expect { try both.secret("GATEHOUSE_T") } throws: {
            !"\($0)".contains("s3cret") && !"\($0)".contains("direct")
        }
        try Files.replace(self.folder("empty"), with: [10])
        var empty = try self.settings(["GATEHOUSE_T_FILE": self.folder("empty")])
        #expect(throws: SettingsError.self) { try empty.secret("GATEHOUSE_T") }
        var none = try self.settings(["GATEHOUSE_T_FILE": self.folder("none")])
        #expect(throws: SettingsError.self) { try none.secret("GATEHOUSE_T") }
    }
}
