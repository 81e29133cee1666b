import Postgres
import Shared

extension ReportFilter {
    /// What is true of the rows that are wanted, as conditions on a table with the columns of a series.
    func conditions(_ statement: inout SQLStatement, on table: SQL) -> [SQL] {
        var conditions: [SQL] = []
        func add(_ column: SQL, _ value: (any SQLEncodable)?) {
            guard let value else { return }
            conditions.append(table + "." + column + " = " + statement.bind(value))
        }
        add("organization_id", self.organization)
        add("project_id", self.project)
        add("key_id", self.key)
        add("owner_id", self.user)
        add("model_id", self.model)
        add("provider_id", self.provider)
        add("gateway_id", self.gateway)
        add("status", self.status)
        add("outcome", self.outcome.map { Int32($0.rawValue) })
        for tag in self.tags {
            conditions.append(tag.condition(&statement, on: table, organization: self.organization))
        }
        func under(_ nodes: SQL) -> SQL {
            table + ".project_id in (select descendant_id from scope_closure where ancestor_id = " + nodes + ")"
        }
        if let unit { conditions.append(under(statement.bind(unit))) }
        if let roots = self.sight?.roots { conditions.append(under("any (" + statement.bind(roots) + ")")) }
        if let denied = self.sight?.denied, !denied.isEmpty {
            conditions.append("not " + under("any (" + statement.bind(denied) + ")"))
        }
        if let within = self.sight?.within { conditions.append(under(statement.bind(within))) }
        return conditions
    }
}
