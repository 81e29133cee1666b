package import Shared

/// What a JSON value must look like; validates requests and prints itself as OpenAPI.
package indirect enum Schema: Sendable {
    /// Members in the order in which they are documented; others are refused.
    case object([Member])
    case string(TextRule)
    case integer(ClosedRange<Int64>)
    case bool
    case array(of: Schema, count: ClosedRange<Int>)
    /// Names chosen by the caller, texts as values.
    case map(valueLength: Int, count: Int, nullValues: Bool)
    /// Answers only: any object.
    case anyObject
    case nullable(Schema)
    case described(Schema, String)
    /// What goes in and is shown to nobody.
    case secret(Schema)
    /// A schema that OpenAPI shows once, by name.
    case named(String, Schema)

    package struct Member: Sendable {
        let name: String
        let schema: Schema
        let isRequired: Bool

        package static func required(_ name: String, _ schema: Schema) -> Member {
            Member(name: name, schema: schema, isRequired: true)
        }

        package static func optional(_ name: String, _ schema: Schema) -> Member {
            Member(name: name, schema: schema, isRequired: false)
        }
    }

    package func described(_ text: String) -> Schema { .described(self, text) }

    /// The members of an object; none for other schemas.
    package var members: [Member] {
        switch self {
        case .object(let members): members
        case .described(let schema, _), .nullable(let schema), .named(_, let schema), .secret(let schema):
            schema.members
        default: []
        }
    }
}

/// What a string must be.
package enum TextRule: Sendable {
    /// Characters from `min` to `max`.
    case length(ClosedRange<Int>)
    case oneOf([String])
    case identifier([any IdentifierKind.Type])
    case timestamp
    /// A non-negative whole number in decimal digits, as a string.
    case digits
    /// Non-negative decimal dollars with up to nine places.
    case dollars
    case network
    case alias
    case tagName
    /// What a person is known by: no space, and nothing that is not seen.
    case login
    case email
    /// `name=value`, several with commas; a value may be empty.
    case tagFilter

    static let idPattern = "[0-7][0-9a-hjkmnp-tv-z]{25}"

    /// Choices that an objection names: more of them would be no sentence.
    private static let namedChoices = 32

    /// What is expected, to be said after "must be"; nil when `text` is that.
    func objection(to text: String) -> String? {
        switch self {
        case .length(let range):
            guard !range.contains(text.unicodeScalars.count) else { return nil }
            return "a string of \(range.lowerBound) to \(range.upperBound) characters"
        case .oneOf(let choices):
            guard !choices.contains(text) else { return nil }
            guard choices.count > Self.namedChoices else { return "one of " + choices.joined(separator: ", ") }
            return "one of the \(choices.count) values that /openapi.json lists, for example "
                + choices.prefix(3).joined(separator: ", ")
        case .identifier(let kinds):
            guard !kinds.contains(where: { Self.isIdentifier(text, $0) }) else { return nil }
            return "an identifier " + kinds.map { "\($0.prefix)_…" }.joined(separator: " or ")
        case .timestamp: return Self.isTimestamp(text) ? nil : "a date and time in RFC 3339 form, years 1970 to 9999"
        case .digits:
            let isDigits = (1...19).contains(text.utf8.count) && Int64(text) != nil && !"+-".contains(text.first ?? "-")
            return isDigits ? nil : "a whole number in decimal digits, as a string"
        case .dollars:
            guard let amount = NanoUSD(usd: text), amount >= .zero, text.first != "-" else {
                return "an amount in decimal dollars with at most nine places, as a string"
            }
            return nil
        case .network: return NetworkRange(text) == nil ? "an IP address or a network in CIDR notation" : nil
        case .tagName: return TagText.isName(text) ? nil : TagText.nameRule
        case .tagFilter:
            return ReportTag.list(text) == nil ? "name=value, several with commas; at most 16" : nil
        case .login:
            return (1...320).contains(text.unicodeScalars.count) && Self.isVisible(text)
                ? nil : "1 to 320 characters without spaces or control characters"
        case .email: return Self.isEmail(text) ? nil : "an e-mail address of at most 320 characters"
        case .alias:
            return Self.isAlias(text)
                ? nil : "1 to 200 letters, digits or . _ : / @ -, beginning with a letter or digit"
        }
    }

    private static func isIdentifier<Kind: IdentifierKind>(_ text: String, _: Kind.Type) -> Bool {
        Identifier<Kind>(text) != nil
    }

    private static func isTimestamp(_ text: String) -> Bool {
        guard let instant = Timestamp(text) else { return false }
        return (0..<253_402_300_800).contains(instant.seconds)
    }

    private static func isVisible(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy { scalar in
            switch scalar.properties.generalCategory {
            case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator,
                .spaceSeparator:
                false
            default: true
            }
        }
    }

    private static func isEmail(_ text: String) -> Bool {
        guard (3...320).contains(text.unicodeScalars.count), Self.isVisible(text), let at = text.lastIndex(of: "@")
        else { return false }
        return at != text.startIndex && text.index(after: at) != text.endIndex
    }

    private static func isAlias(_ text: String) -> Bool {
        func isAlphanumeric(_ byte: UInt8) -> Bool {
            (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
        }
        guard let first = text.utf8.first, (1...200).contains(text.utf8.count), isAlphanumeric(first) else {
            return false
        }
        return text.utf8.allSatisfy { isAlphanumeric($0) || "._:/@-".utf8.contains($0) }
    }
}

extension Schema {
    package static let name = Schema.string(.length(1...200))
    package static let metadata = Schema.map(valueLength: 1024, count: 64, nullValues: false)
    package static let metadataPatch = Schema.map(valueLength: 1024, count: 64, nullValues: true)
        .described("Merged into what is there; null removes a name.")
    package static let timestamp = Schema.string(.timestamp)
    package static let activeStatus = Schema.string(.oneOf(["active", "disabled"]))
    package static let count = Schema.integer(0...Int64.max)
    package static let decimal = Schema.string(.digits)
    /// A difference, in answers: like `decimal`, with a minus where it is negative.
    package static let signed = Schema.string(.length(1...20))

    package static func id(_ kinds: any IdentifierKind.Type...) -> Schema { .string(.identifier(kinds)) }
    package static func choice(_ choices: String...) -> Schema { .string(.oneOf(choices)) }
    package static func list(of schema: Schema) -> Schema { .array(of: schema, count: 0...Int.max) }
    package var orNull: Schema { .nullable(self) }
}
