import Postgres
import Shared

/// The sets of tags that requests of organizations had, each stored once for an organization.
enum UsageTagSets {
    /// Sets of one organization; requests with another one are counted under `(other)`.
    static let limit: Int64 = 100_000

    /// The set that stands for those beyond the limit, as its text and as its object.
    static let other = TagText.other
    private static let otherObject = JSONValue.object([TagText.other: .string(TagText.other)])

    fileprivate struct Key: Hashable {
        let organization: OrganizationID
        let text: String
    }

    /// The stored sets of a batch's records.
    struct Stored {
        fileprivate var ids: [Key: Int64] = [:]
        fileprivate var others: Set<Key> = []
        fileprivate var texts: [String] = []

        /// The set of a record, 0 for none.
        func id(of record: UsageRecord, _ organization: OrganizationID) -> Int64 {
            self.key(record, organization).flatMap { self.ids[$0] } ?? 0
        }

        /// Whether the record's own set was one too many.
        func isOther(_ record: UsageRecord, _ organization: OrganizationID) -> Bool {
            self.key(record, organization).map { self.others.contains($0) } ?? false
        }

        private func key(_ record: UsageRecord, _ organization: OrganizationID) -> Key? {
            guard record.tags >= 1, record.tags <= self.texts.count else { return nil }
            return Key(organization: organization, text: self.texts[record.tags - 1])
        }
    }

    /// Finds the sets of a batch's records, and stores those that are new.
    ///
    /// - Parameter organizations: of the records' projects; the sets of others are not looked at.
    static func store(
        _ tx: inout Transaction, _ batch: UsageBatch, _ organizations: [NodeID: OrganizationID], limit: Int64
    ) throws -> Stored {
        guard !batch.tagSets.isEmpty else { return Stored() }
        var stored = Stored(texts: batch.tagSets.map(\.text))
        var wanted: Set<Key> = []
        for record in batch.records where record.tags > 0 {
            guard let organization = organizations[record.project] else { continue }
            wanted.insert(Key(organization: organization, text: stored.texts[record.tags - 1]))
        }
        guard !wanted.isEmpty else { return stored }
        stored.ids = try Self.find(&tx, Array(wanted))
        let missing = Dictionary(grouping: wanted.filter { stored.ids[$0] == nil }, by: \.organization)
        // In one order: two batches must not wait for each other.
        for (organization, keys) in missing.sorted(by: { $0.key.bytes.lexicographicallyPrecedes($1.key.bytes) }) {
            try Self.add(&tx, keys, to: organization, limit, &stored)
        }
        return stored
    }

    private static func find(_ tx: inout Transaction, _ keys: [Key]) throws -> [Key: Int64] {
        let organizations = keys.map { SQLUUID(high: $0.organization.value.high, low: $0.organization.value.low) }
        let rows = try tx.query(
            """
            select t.organization_id, t.text, t.id
            from unnest($1::uuid[], $2::text[]) w (organization_id, text)
            join usage_tag_set t on t.organization_id = w.organization_id and t.text = w.text
            """, organizations, keys.map(\.text)
        )
        var found: [Key: Int64] = [:]
        for row in rows {
            found[Key(organization: try row.get("organization_id"), text: try row.get("text"))] = try row.get("id")
        }
        return found
    }

    /// Adds sets that were not there a moment ago, as far as there is room.
    private static func add(
        _ tx: inout Transaction, _ keys: [Key], to organization: OrganizationID, _ limit: Int64,
        _ stored: inout Stored
    ) throws {
        // Held until the batch is stored: who adds sets to the same organization waits, and then finds these.
        let held = try tx.queryOne(
            """
            insert into usage_tag_count as c (organization_id) values ($1)
            on conflict (organization_id) do update set sets = c.sets returning sets
            """, organization
        )
        let count: Int64 = try held?.get("sets") ?? 0
        let found = try Self.find(&tx, keys)
        stored.ids.merge(found) { $1 }
        let new = keys.filter { found[$0] == nil }.map(\.text).sorted()
        let room = new.prefix(Int(max(0, limit - count)))
        for (text, id) in try Self.insert(&tx, Array(room), to: organization) {
            stored.ids[Key(organization: organization, text: text)] = id
        }
        if !room.isEmpty {
            _ = try tx.execute(
                "update usage_tag_count set sets = sets + $2 where organization_id = $1", organization,
                Int64(room.count))
        }
        guard new.count > room.count else { return }
        let other = Key(organization: organization, text: Self.other)
        var id = try Self.find(&tx, [other])[other]
        if id == nil { id = try Self.insert(&tx, [Self.other], to: organization).first?.id }
        for text in new.dropFirst(room.count) {
            stored.ids[Key(organization: organization, text: text)] = id
            stored.others.insert(Key(organization: organization, text: text))
        }
    }

    private static func insert(
        _ tx: inout Transaction, _ texts: [String], to organization: OrganizationID
    ) throws -> [(text: String, id: Int64)] {
        guard !texts.isEmpty else { return [] }
        return try tx.query(
            """
            insert into usage_tag_set (organization_id, text, tags)
            select $1, n.text, n.tags::jsonb from unnest($2::text[], $3::text[]) n (text, tags) returning text, id
            """, organization, texts, texts.map { Self.object($0).text }
        ).map { (try $0.get("text"), try $0.get("id")) }
    }

    /// A stored set as the API shows it; of nil, no tags.
    static func object(_ text: String?) -> JSONValue {
        guard let text else { return .object([:]) }
        return TagSet(utf8: Array(text.utf8)).map { JSONValue($0.tags) } ?? Self.otherObject
    }

    /// The texts of sets by their numbers.
    static func texts(_ tx: inout Transaction, _ ids: Set<Int64>) throws -> [Int64: String] {
        let ids = ids.filter { $0 != 0 }.sorted()
        guard !ids.isEmpty else { return [:] }
        var texts: [Int64: String] = [:]
        for row in try tx.query("select id, text from usage_tag_set where id = any ($1)", ids) {
            texts[try row.get("id")] = try row.get("text")
        }
        return texts
    }
}
