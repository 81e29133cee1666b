import Postgres
import Shared

/// What lists of users, groups, service accounts and tokens have in common.
struct SubjectList: Sendable {
    /// Nil for all that are seen.
    var organization: OrganizationID?
    var status: ActiveStatus?
    let page: PageRequest

    init(organization: OrganizationID?, status: ActiveStatus? = nil, _ page: PageRequest) {
        self.organization = organization
        self.status = status
        self.page = page
    }

    init(_ call: Call) throws {
        self.init(
            organization: call.filter("organization"), status: ActiveStatus(call.query["status"]), try PageRequest(call)
        )
    }

    static let organizationFilter = QueryParameter(
        "organization", .id(OrganizationKind.self), "Those of one organization.")
    static let statusFilter = QueryParameter("status", .activeStatus, "Those that are active, or disabled.")

    /// The statement that finds a page; nil where nothing is seen.
    ///
    /// - Parameters:
    ///   - columns: `select … from …`.
    ///   - alias: the table with `id` and `organization_id`.
    ///   - place: an expression for the node where a row is; null is the instance.
    ///   - narrow: adds conditions, each beginning with `and`.
    func statement(
        _ columns: SQL, _ alias: SQL, at place: SQL, _ sight: Sight, _ tx: inout Transaction,
        _ narrow: (inout SQLStatement) -> Void = { _ in }
    ) throws -> SQLStatement? {
        guard sight.roots?.isEmpty != true else { return nil }
        var statement = SQLStatement()
        statement += columns + " where true"
        if let organization = try self.organization ?? sight.organization(&tx) {
            let parameter = statement.bind(organization)
            statement += " and access_partition(" + alias + ".organization_id) = access_partition(" + parameter + ")"
        }
        if let status {
            let parameter = statement.bind(status.rawValue)
            statement += " and " + alias + ".status = " + parameter
        }
        if let after = self.page.afterID {
            let parameter = statement.bind(after)
            statement += " and " + alias + ".id > " + parameter
        }
        narrow(&statement)
        statement.show(place, sight)
        let limit = statement.bind(self.page.fetchLimit)
        statement += " order by " + alias + ".id limit " + limit
        return statement
    }
}

extension SQLStatement {
    /// Leaves out what is at nodes that are not seen.
    ///
    /// Like `Sight.condition`, with what is needed of it only. The limits keep it a look-up for each row, as far as the
    /// page reaches, where a join would read everything.
    fileprivate mutating func show(_ place: SQL, _ sight: Sight) {
        if let roots = sight.roots { self.look(place, under: self.bind(roots), " is true") }
        if !sight.denied.isEmpty { self.look(place, under: self.bind(sight.denied), " is null") }
        if let within = sight.within { self.look(place, under: self.bind([SQLUUID(within)]), " is true") }
    }

    private mutating func look(_ place: SQL, under nodes: SQL, _ outcome: SQL) {
        self += " and (select true from scope_closure c where c.descendant_id = " + place
        self += " and c.ancestor_id = any (" + nodes + ") limit 1)" + outcome
    }
}

extension Sight {
    /// The one organization that everything is in that is seen; nil when there may be several.
    ///
    /// Who sees a small part of a large table then does not look through all of it.
    fileprivate func organization(_ tx: inout Transaction) throws -> OrganizationID? {
        guard let roots else { return nil }
        let rows = try tx.query(
            "select distinct organization_id from scope_node where id = any($1) limit 2", roots)
        return rows.count == 1 ? try rows[0].get("organization_id") : nil
    }
}
