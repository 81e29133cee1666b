import Postgres
import Shared

/// The SQL of separations of duties.
enum DutySeparationStore {
    private static let columns: SQL = """
        select id, organization_id, name, first, second, reason, revision, created_at, updated_at from duty_separation
        """

    static func fetch(
        _ id: DutySeparationID, _ tx: inout Transaction, forUpdate: Bool = false
    ) throws -> DutySeparation {
        let locking: SQL = forUpdate ? " for update" : ""
        let row = try tx.queryOne(self.columns + " where id = $1 and deleted_at is null" + locking, id)
        guard let row else { throw ControlError.notFound("separation of duties") }
        return try self.read(row)
    }

    static func list(
        organization: OrganizationID?, _ page: PageRequest, _ sight: Sight, _ tx: inout Transaction
    ) throws -> [DutySeparation] {
        try tx.query(
            self.columns + """
                 where deleted_at is null and ($1::uuid is null or organization_id = $1)
                and ($2::uuid is null or id > $2) and
                """ + Sight.condition("organization_id", 4) + """
                     order by id limit $3
                    """, organization, page.afterID, page.fetchLimit, sight.roots, sight.denied, sight.within
        ).map(self.read)
    }

    static func insert(_ separation: DutySeparation, _ tx: inout Transaction, _: borrowing Permit) throws {
        _ = try tx.execute(
            """
            insert into duty_separation (id, organization_id, name, first, second, reason, revision, created_at, updated_at)
            values ($1, $2::uuid, $3, $4, $5, $6, $7, $8, $8)
            """, separation.id, separation.organization, separation.name, separation.first.names,
            separation.second.names, separation.reason, separation.stamps.revision, separation.stamps.createdAt)
    }

    static func save(_ separation: DutySeparation, _ tx: inout Transaction, _: borrowing Permit) throws {
        _ = try tx.execute(
            """
            update duty_separation set name = $2, first = $3, second = $4, reason = $5, revision = $6, updated_at = $7
            where id = $1
            """, separation.id, separation.name, separation.first.names, separation.second.names, separation.reason,
            separation.stamps.revision, separation.stamps.updatedAt)
    }

    static func remove(
        _ id: DutySeparationID, at time: Timestamp, _ tx: inout Transaction, _: borrowing Permit
    ) throws {
        _ = try tx.execute(
            "update duty_separation set deleted_at = $2, updated_at = $2, revision = revision + 1 where id = $1", id,
            time)
    }

    @Sendable private static func read(_ row: Row) throws -> DutySeparation {
        DutySeparation(
            id: try row.get("id"), organization: try row.optional("organization_id"), name: try row.get("name"),
            first: try AccessStore.permissions(row, "first"), second: try AccessStore.permissions(row, "second"),
            reason: try row.get("reason"), stamps: try Stamps(row))
    }
}
