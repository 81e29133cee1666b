import Postgres
package import Shared

/// Reads the audit logs.
package struct AuditEvents: Sendable {
    private let reads: Reads

    package struct Log: Sendable {
        package let id: AuditLogID
        /// Nil for the system's log.
        package let organization: OrganizationID?
        package let lane: AuditLane
        package let size: Int64
    }

    package struct Leaf: Sendable {
        package let log: AuditLogID
        package let index: Int64
        package let bytes: [UInt8]
        package let hash: [UInt8]
        package let appendedAt: Timestamp
        /// What the bytes say.
        package let event: JSONValue
        /// Subjects whose sealed data in it can never be read again.
        package var forgotten: [String] = []

        /// Whose sealed data is in it.
        fileprivate var subjects: [Target] {
            (self.event["personal"]?.array ?? []).compactMap { $0["subject"]?.string.flatMap { Target($0) } }
        }
    }

    package init(reads: Reads) { self.reads = reads }

    package func logs(_ page: PageRequest, as context: OperationContext) async throws -> Page<Log> {
        let found = try await self.reads.perform(.auditRead, as: context) { tx, sight in
            try tx.query(
                """
                select id, organization_id, lane, size from audit_log where ($1::uuid is null or id > $1)
                    and
                """ + Sight.condition("organization_id", 3) + """
                     order by id limit $2
                    """, page.afterID, page.fetchLimit, sight.roots, sight.denied, sight.within
            ).map { row in
                Log(
                    id: try row.get("id"), organization: try row.optional("organization_id"),
                    lane: AuditLane(rawValue: try row.get("lane")) ?? .changes, size: try row.get("size")
                )
            }
        }
        return Page(found, page, position: \.id.bytes)
    }

    /// The leaves of an organization's log, or of the system's, newest first.
    package func leaves(
        organization: OrganizationID?, lane: AuditLane, _ page: PageRequest, as context: OperationContext
    ) async throws -> Page<Leaf> {
        let before = page.after.map { Int64(bitPattern: $0.bigEndianUInt64(at: 0)) }
        let found = try await self.reads.perform(.auditRead, as: context) { tx, sight -> [Leaf] in
            // The system's log is the instance's; of an organization that is not seen there is none.
            guard try sight.sees(AccessPartition(organization).scope, &tx) else {
                guard organization != nil else { throw Access.denied(.auditRead) }
                return []
            }
            let leaves = try tx.query(
                """
                select l.log_id, l.index, l.leaf, l.hash, l.appended_at from audit_leaf l
                where l.log_id = (
                        select g.id from audit_log g where g.lane = $4
                            and (g.organization_id = $1::uuid or ($1::uuid is null and g.organization_id is null)))
                    and ($2::bigint is null or l.index < $2)
                order by l.index desc limit $3
                """, organization, before, page.fetchLimit, lane.rawValue
            ).map { row in
                let bytes: [UInt8] = try row.get("leaf")
                return Leaf(
                    log: try row.get("log_id"), index: try row.get("index"), bytes: bytes, hash: try row.get("hash"),
                    appendedAt: try row.get("appended_at"), event: (try? JSONParser.parse(bytes)) ?? [:])
            }
            return try Self.marked(leaves, &tx)
        }
        return Page(found, page) { leaf in
            var bytes: [UInt8] = []
            bytes.appendBigEndian(UInt64(bitPattern: leaf.index))
            return bytes
        }
    }

    /// The leaves with those who were forgotten.
    private static func marked(_ leaves: [Leaf], _ tx: inout Transaction) throws -> [Leaf] {
        let gone = try SubjectKeys.destroyed(among: Set(leaves.flatMap { $0.subjects.map(\.id) }), &tx)
        guard !gone.isEmpty else { return leaves }
        return leaves.map { leaf in
            var leaf = leaf
            leaf.forgotten = leaf.subjects.filter { gone.contains($0.id) }.map(\.text)
            return leaf
        }
    }
}

extension AuditEvents.Log {
    static let schema = Schema.named(
        "AuditLog",
        .object([
            .required("id", .id(AuditLogKind.self)), .required("organization", Schema.id(OrganizationKind.self).orNull),
            .required("lane", .string(.oneOf(AuditLane.allCases.map(\.rawValue)))), .required("size", .count),
        ])
    )

    var json: JSONValue {
        [
            "id": JSONValue(self.id), "organization": JSONValue(self.organization),
            "lane": .string(self.lane.rawValue), "size": .integer(self.size),
        ]
    }
}

extension AuditEvents.Leaf {
    static let schema = Schema.named(
        "AuditEvent",
        .object([
            .required("log", .id(AuditLogKind.self)), .required("index", .count),
            .required("event", Schema.anyObject.described("What the leaf says.")),
            .required(
                "leaf", Schema.string(.length(0...61_440)).described("The exact text whose hash is in the tree.")),
            .required(
                "leaf_sha256", Schema.string(.length(64...64)).described("RFC 6962: SHA-256 of 0x00 and the leaf.")),
            .required("appended_at", .timestamp),
            .required(
                "forgotten",
                Schema.list(of: .string(.length(1...64))).described(
                    "Whose sealed data in it can never be read again: those who were forgotten.")),
        ])
    )

    var json: JSONValue {
        [
            "log": JSONValue(self.log), "index": .integer(self.index),
            "event": self.event, "forgotten": JSONValue(self.forgotten),
            "leaf": .string(String(decoding: self.bytes, as: UTF8.self)),
            "leaf_sha256": .string(Hex.encode(self.hash)), "appended_at": JSONValue(self.appendedAt),
        ]
    }
}

/// The endpoints of the audit logs.
package enum AuditRoutes {
    package static func endpoints(_ events: AuditEvents) -> [Endpoint] {
        [
            Endpoint(
                .get, "/v1/audit-events", "audit_events.list",
                "List the audit events of an organization, or of the system, newest first", auth: .bearer(.auditRead),
                query: [
                    QueryParameter("organization", .id(OrganizationKind.self), "Whose log; the system's when absent."),
                    QueryParameter(
                        "lane", .string(.oneOf(AuditLane.allCases.map(\.rawValue))),
                        "changes (when absent) or denials: who was refused what."
                    ),
                ]
                    + PageRequest.parameters, success: .json(.page(of: AuditEvents.Leaf.schema))
            ) { call in
                let lane = call.query["lane"]?.string.flatMap { AuditLane(rawValue: $0) } ?? .changes
                return try await events.leaves(
                    organization: call.filter("organization"), lane: lane, try PageRequest(call, size: 8),
                    as: call.context
                ).answer(\.json)
            },
            Endpoint(
                .get, "/v1/audit-logs", "audit_logs.list", "List the audit logs and their sizes",
                auth: .bearer(.auditRead), query: PageRequest.parameters,
                success: .json(.page(of: AuditEvents.Log.schema))
            ) { call in
                try await events.logs(try PageRequest(call), as: call.context).answer(\.json)
            },
        ]
    }
}
