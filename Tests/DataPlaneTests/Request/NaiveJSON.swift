/// A recursive JSON parser over a whole document: the slow, plain reference the scanner is compared with.
indirect enum NaiveJSON: Sendable {
    case null, yes, no
    case number([UInt8])
    case string([UInt32])
    case array([NaiveNode])
    case object([(name: [UInt32], value: NaiveNode)])
}

struct NaiveNode: Sendable {
    var value: NaiveJSON
    var range: Range<Int>
}

struct NaiveParser {
    struct Failure: Error {}
    private let bytes: [UInt8]
    private var at = 0
    private(set) var depth = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    static func parse(_ bytes: [UInt8]) -> NaiveNode? {
        var parser = NaiveParser(bytes)
        parser.space()
        guard let node = try? parser.node(1) else { return nil }
        parser.space()
        guard parser.at == bytes.count, case .object = node.value else { return nil }
        return node
    }

    private var peek: UInt8 { self.at < self.bytes.count ? self.bytes[self.at] : 0 }

    private mutating func space() {
        while self.at < self.bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(self.bytes[self.at]) { self.at += 1 }
    }

    private mutating func take(_ text: String) throws {
        for byte in text.utf8 {
            guard self.at < self.bytes.count, self.bytes[self.at] == byte else { throw Failure() }
            self.at += 1
        }
    }

    private mutating func node(_ depth: Int) throws -> NaiveNode {
        let start = self.at
        let value: NaiveJSON
        switch self.peek {
        case UInt8(ascii: "{"):
            guard depth <= 128 else { throw Failure() }
            value = try self.object(depth)
        case UInt8(ascii: "["):
            guard depth <= 128 else { throw Failure() }
            value = try self.array(depth)
        case UInt8(ascii: "\""): value = .string(try self.string())
        case UInt8(ascii: "t"):
            try self.take("true")
            value = .yes
        case UInt8(ascii: "f"):
            try self.take("false")
            value = .no
        case UInt8(ascii: "n"):
            try self.take("null")
            value = .null
        default: value = .number(try self.number())
        }
        return NaiveNode(value: value, range: start..<self.at)
    }

    private mutating func object(_ depth: Int) throws -> NaiveJSON {
        try self.take("{")
        var members: [(name: [UInt32], value: NaiveNode)] = []
        self.space()
        if self.peek == UInt8(ascii: "}") {
            self.at += 1
            return .object([])
        }
        while true {
            self.space()
            guard self.peek == UInt8(ascii: "\"") else { throw Failure() }
            let name = try self.string()
            self.space()
            try self.take(":")
            self.space()
            members.append((name, try self.node(depth + 1)))
            self.space()
            if self.peek == UInt8(ascii: ",") {
                self.at += 1
            } else {
                try self.take("}")
                return .object(members)
            }
        }
    }

    private mutating func array(_ depth: Int) throws -> NaiveJSON {
        try self.take("[")
        var elements: [NaiveNode] = []
        self.space()
        if self.peek == UInt8(ascii: "]") {
            self.at += 1
            return .array([])
        }
        while true {
            self.space()
            elements.append(try self.node(depth + 1))
            self.space()
            if self.peek == UInt8(ascii: ",") {
                self.at += 1
            } else {
                try self.take("]")
                return .array(elements)
            }
        }
    }

    /// The string's UTF-16-ish units: code points, with lone surrogates as they are.
    private mutating func string() throws -> [UInt32] {
        try self.take("\"")
        let start = self.at
        while self.at < self.bytes.count, self.bytes[self.at] != UInt8(ascii: "\"") {
            self.at += self.bytes[self.at] == UInt8(ascii: "\\") ? 2 : 1
        }
        guard self.at < self.bytes.count else { throw Failure() }
        let raw = Array(self.bytes[start..<self.at])
        self.at += 1
        // The standard library judges UTF-8.
        guard let text = String(validating: raw, as: UTF8.self) else { throw Failure() }
        var units: [UInt32] = []
        var scalars = Array(text.unicodeScalars)[...]
        while let scalar = scalars.popFirst() {
            if scalar.value < 0x20 { throw Failure() }
            guard scalar == "\\" else {
                units.append(scalar.value)
                continue
            }
            guard let escape = scalars.popFirst() else { throw Failure() }
            switch escape {
            case "\"", "\\", "/": units.append(escape.value)
            case "n": units.append(10)
            case "r": units.append(13)
            case "t": units.append(9)
            case "b": units.append(8)
            case "f": units.append(12)
            case "u":
                let digits = scalars.prefix(4)
                scalars = scalars.dropFirst(4)
                guard digits.count == 4, digits.allSatisfy({ $0.isASCII && Character($0).isHexDigit }),
                    let value = UInt32(String(String.UnicodeScalarView(digits)), radix: 16)
                else { throw Failure() }
                if let last = units.last, last & 0xFFFF_FC00 == 0xD800, value & 0xFC00 == 0xDC00 {
                    units[units.count - 1] = 0x10000 + ((last & 0x3FF) << 10 | value & 0x3FF)
                } else {
                    units.append(value)
                }
            default: throw Failure()
            }
        }
        return units
    }

    private mutating func number() throws -> [UInt8] {
        let start = self.at
        func digit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }
        if self.peek == UInt8(ascii: "-") { self.at += 1 }
        guard digit(self.peek) else { throw Failure() }
        if self.peek == UInt8(ascii: "0") { self.at += 1 } else { while digit(self.peek) { self.at += 1 } }
        if self.peek == UInt8(ascii: ".") {
            self.at += 1
            guard digit(self.peek) else { throw Failure() }
            while digit(self.peek) { self.at += 1 }
        }
        if self.peek | 0x20 == UInt8(ascii: "e") {
            self.at += 1
            if self.peek == UInt8(ascii: "+") || self.peek == UInt8(ascii: "-") { self.at += 1 }
            guard digit(self.peek) else { throw Failure() }
            while digit(self.peek) { self.at += 1 }
        }
        return Array(self.bytes[start..<self.at])
    }
}

/// Random documents of the kind requests are: short keys, long texts, escapes, every alphabet.
struct JSONMaker {
    var random: SplitMix64

    mutating func document(_ names: [String]) -> [UInt8] {
        var text = "{"
        var chosen = names.shuffled(using: &self.random).prefix(self.random.below(names.count + 1)).map { $0 }
        for _ in 0..<self.random.below(4) { chosen.append("other\(self.random.below(100))") }
        chosen.shuffle(using: &self.random)
        for (index, name) in chosen.enumerated() {
            if index > 0 { text += "," }
            text += self.space() + self.quoted(name) + self.space() + ":" + self.space() + self.value(0) + self.space()
        }
        return Array(text + "}" + self.space())
    }

    mutating func space() -> String {
        self.random.chance(80) ? "" : self.random.pick([" ", "\n", "\t", "\r\n", "    "])
    }

    mutating func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            if self.random.chance(10), scalar.value < 0x10000 {
                let hex = String(scalar.value, radix: 16, uppercase: self.random.chance(50))
                result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            } else if scalar == "\"" || scalar == "\\" {
                result += "\\" + String(scalar)
            } else if scalar.value < 0x20 {
                result += "\\n"
            } else {
                result += String(scalar)
            }
        }
        return result + "\""
    }

    mutating func value(_ depth: Int) -> String {
        switch self.random.below(depth > 4 ? 5 : 8) {
        case 0: return self.random.pick(["true", "false", "null"])
        case 1: return self.random.pick(["0", "-0", "12", "1.5", "-3.25e+10", "1E5", "99999999", "0.1", "7e-2"])
        case 2: return self.quoted(self.random.pick(["", "gpt-4o", "añb", "日本語テキスト", "😀 smile", "a\"b\\c\n"]))
        case 3: return self.quoted(String(repeating: "lorem ipsum ", count: self.random.below(20)))
        case 4: return self.random.pick(["\"\\ud800\"", "\"\\ud83d\\ude00\"", "\"\\u0000\"", "[]", "{}", "[ ]", "{ }"])
        case 5, 6:
            let count = self.random.below(4)
            return "[" + (0..<count).map { _ in self.value(depth + 1) + self.space() }.joined(separator: ",") + "]"
        default:
            let count = self.random.below(4)
            let members = (0..<count).map { _ in
                self.quoted(self.random.pick(["a", "include_usage", "model", "x"])) + self.space() + ":"
                    + self.value(depth + 1)
            }
            return "{" + members.joined(separator: ",") + "}"
        }
    }
}
