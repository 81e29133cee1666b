/// A `timestamptz`: microseconds since 1970-01-01 UTC.
package struct SQLTimestamp: Hashable, Comparable, Sendable {
    package let microseconds: Int64

    package init(microseconds: Int64) { self.microseconds = microseconds }

    package static func < (left: SQLTimestamp, right: SQLTimestamp) -> Bool {
        left.microseconds < right.microseconds
    }

    /// PostgreSQL counts from 2000-01-01.
    private static let epochDifference: Int64 = 946_684_800_000_000

    /// The server's own count; a value outside its range becomes one that the server refuses as out of range.
    static func serverCount(ofMicroseconds microseconds: Int64) -> Int64 {
        let (count, overflow) = microseconds.subtractingReportingOverflow(self.epochDifference)
        return overflow || count == .min ? .min + 1 : count
    }

    /// Nil for `infinity`, `-infinity` and what does not fit.
    init?(serverCount count: Int64) {
        guard count != .min, count != .max else { return nil }
        let (microseconds, overflow) = count.addingReportingOverflow(Self.epochDifference)
        guard !overflow else { return nil }
        self.microseconds = microseconds
    }
}

extension SQLTimestamp: SQLEncodable {
    package var sqlValue: SQLValue { .timestamptz(self.microseconds) }
}

/// JSON text.
///
/// A `jsonb` column does not keep spacing, member order or duplicates; a `json` column does.
package struct SQLJSON: Hashable, Sendable {
    package let text: String

    package init(_ text: String) { self.text = text }
}

extension SQLJSON: SQLEncodable {
    package var sqlValue: SQLValue { .jsonb(self.text) }
}

/// An `inet`: an address, with `/bits` when it is not a single host.
package struct SQLInet: Hashable, Sendable {
    package let text: String

    package init(_ text: String) { self.text = text }
}

extension SQLInet: SQLEncodable {
    package var sqlValue: SQLValue { .inet(self.text) }
}

/// A `cidr`: a network with its prefix length.
package struct SQLCIDR: Hashable, Sendable {
    package let text: String

    package init(_ text: String) { self.text = text }
}

extension SQLCIDR: SQLEncodable {
    package var sqlValue: SQLValue { .cidr(self.text) }
}
