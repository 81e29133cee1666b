import Postgres
import Shared

/// A tag that wanted usage has, with this value; or has not.
package struct ReportTag: Sendable, Equatable {
    package let name: String
    /// Nil for usage without the tag.
    package let value: String?

    /// Reads `name=value,name=value`, where an empty value stands for usage without the tag; nil for anything else.
    package static func list(_ text: String) -> [ReportTag]? {
        var tags: [ReportTag] = []
        for pair in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard tags.count < TagText.countLimit, let equals = pair.firstIndex(of: "=") else { return nil }
            let (name, value) = (String(pair[..<equals]), String(pair[pair.index(after: equals)...]))
            guard TagText.isName(name), value.isEmpty || value == TagText.other || TagText.isValue(value) else {
                return nil
            }
            tags.append(ReportTag(name: name, value: value.isEmpty ? nil : value))
        }
        return tags
    }

    static let parameter = QueryParameter(
        "tag", .string(.tagFilter),
        "With these tags: name=value, several with commas; name= stands for what has no such tag.")

    /// What is true of wanted rows, as a condition on `tag_set_id` of a table.
    func condition(_ statement: inout SQLStatement, on table: SQL, organization: OrganizationID?) -> SQL {
        let column = table + ".tag_set_id"
        let own: SQL = organization.map { "organization_id = " + statement.bind($0) + " and " } ?? ""
        guard let value else {
            let name = statement.bind(self.name)
            return column + " not in (select id from usage_tag_set where " + own + "(tags ->> " + name
                + "::text is not null or tags ->> '(other)' is not null))"
        }
        var wanted = "tags @> " + statement.bind(SQLJSON(JSONValue([self.name: value]).text))
        if value == TagText.other {
            let others = JSONValue([TagText.other: TagText.other]).text
            wanted = "(" + wanted + " or tags @> " + statement.bind(SQLJSON(others)) + ")"
        }
        return column + " in (select id from usage_tag_set where " + own + wanted + ")"
    }
}

/// Grouping by the value of single tags: `group_by=tag:team`.
enum ReportTagGroups {
    /// Tags that one report is grouped by at most.
    static let limit = 4
    static let prefix = "tag:"

    /// The name of a tag's column in a statement.
    static func column(_ index: Int) -> SQL { SQL(identifier: "tag_\(index + 1)") }

    /// The value of each tag, empty for none, of rows `t` of `usage_tag_set` or null.
    static func expressions(_ statement: inout SQLStatement, _ names: [String]) -> [SQL] {
        var expressions: [SQL] = []
        for (index, name) in names.enumerated() {
            let value = "coalesce(t.tags ->> " + statement.bind(name) + "::text, t.tags ->> '(other)', '')"
            expressions.append(value + " as " + Self.column(index))
        }
        return expressions
    }
}
