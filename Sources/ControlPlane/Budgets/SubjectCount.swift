import Postgres
import Shared

/// How many budgets, or how many rate limits, a request would count for.
struct SubjectCount {
    /// Those of the very subject.
    let own: Int
    /// Of nodes and of tags, on the fullest of the lines that go through the subject's node.
    let line: Int
    /// Those of tags among them: of each node and each name, those of the value that has most.
    let tagged: Int

    /// Handles of one request that come from its project's line and from its tags there, at most.
    static let lineLimit = 8

    /// - Parameter table: `budget` or `rate_limit`.
    static func read(_ table: SQL, of subject: BudgetSubject, _ tx: inout Transaction) throws -> SubjectCount {
        let (node, key, owner) = subject.columns
        let name: SQL = " " + table
        // The ends of the lines through the node; what is on these lines; and how full each of them is.
        var query: SQL = """
            with ends as (
                select $1::uuid as node_id
                union
                select c.descendant_id from scope_closure c
                where c.ancestor_id = $1::uuid and exists (select from
            """
        query += name
        query += """
                 t where t.node_id = c.descendant_id and t.node_id is not null and t.deleted_at is null)),
            counted as (
                select t.node_id, t.tag_name, count(*) as n
                from (select distinct u.ancestor_id as node_id from ends e
                      join scope_closure u on u.descendant_id = e.node_id) p
                join
            """
        query += name
        query += """
                 t on t.node_id = p.node_id and t.node_id is not null and t.deleted_at is null
                group by t.node_id, t.tag_name, t.tag_value),
            most as (select node_id, tag_name, max(n) as n from counted group by node_id, tag_name),
            lines as (
                select sum(m.n) as line, sum(m.n) filter (where m.tag_name is not null) as tagged
                from ends e join scope_closure u on u.descendant_id = e.node_id join most m on m.node_id = u.ancestor_id
                group by e.node_id),
            own as (
                select count(*) as n from
            """
        query += name
        query += """
                 t
                where t.deleted_at is null and (t.node_id = $1::uuid or t.key_id = $2::uuid or t.owner_id = $3::uuid)
                    and t.tag_name is not distinct from $4::text and t.tag_value is not distinct from $5::text)
            select (select n from own) as own, coalesce(max(line), 0)::bigint as line,
                coalesce(max(tagged), 0)::bigint as tagged
            from lines
            """
        let row = try tx.queryOne(query, node, key, owner, subject.tag?.name, subject.tag?.value)
        return SubjectCount(
            own: Int(try row?.get("own", as: Int64.self) ?? 0), line: Int(try row?.get("line", as: Int64.self) ?? 0),
            tagged: Int(try row?.get("tagged", as: Int64.self) ?? 0))
    }

    /// Refuses more than there may be; asked when what is new is there.
    ///
    /// - Parameters:
    ///   - limit: of one subject.
    ///   - noun: of several of them, as `budgets`.
    static func check(
        _ table: SQL, of subject: BudgetSubject, limit: Int, _ noun: String, _ tx: inout Transaction
    ) throws {
        let count = try Self.read(table, of: subject, &tx)
        func refusal(_ detail: String, _ pointer: String) -> ControlError {
            ControlError(
                .conflict, "too_many_\(noun.replacing(" ", with: "_"))", detail, pointer: pointer)
        }
        guard count.own <= limit else { throw refusal("It has \(limit) \(noun) already.", "/scope") }
        guard count.tagged <= SubjectTag.limitOfRequest else {
            throw refusal(
                "A request below would count for more than \(SubjectTag.limitOfRequest) \(noun) of tags.", "/tag")
        }
        guard count.line <= Self.lineLimit else {
            throw refusal(
                "A request below would count for more than \(Self.lineLimit) \(noun) of nodes and tags.", "/scope")
        }
    }
}
