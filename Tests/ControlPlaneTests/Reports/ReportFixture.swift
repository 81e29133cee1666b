import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

/// A fleet with units, two projects and what they used, folded.
struct ReportFixture: Sendable {
    let fleet: TestFleet
    /// Under the organization, and under that one.
    let department: String
    let team: String
    /// One in the team, one under the organization itself.
    let projects: [ProjectID]
    let keys: [VirtualKeyID]
    let model: ModelID
    let provider: ProviderID

    static func with(_ body: (ReportFixture) async throws -> Void) async throws {
        try await TestFleet.with { fleet in
            let plane = fleet.plane
            let department = try await plane.make(
                "/v1/units", ["name": "=cmd|' /C calc'!A0", "parent": .string(fleet.organization)]
            ).id
            let team = try await plane.make("/v1/units", ["name": "Team, \"A\"", "parent": .string(department)]).id
            let inTeam = try await plane.make("/v1/projects", ["name": "-2+3", "parent": .string(team)]).id
            var keys: [VirtualKeyID] = []
            for project in [inTeam, fleet.project] {
                let key = try await plane.make("/v1/virtual-keys", ["project": .string(project), "name": "@key"]).id
                keys.append(try #require(VirtualKeyID(key)))
            }
            let provider = try await plane.make("/v1/providers", ["name": "mocked", "kind": "mock"]).id
            let model = try await plane.make("/v1/models", ["provider": .string(provider), "name": "m-1"]).id
            try await body(
                ReportFixture(
                    fleet: fleet, department: department, team: team,
                    projects: try [inTeam, fleet.project].map { try #require(ProjectID($0)) }, keys: keys,
                    model: try #require(ModelID(model)), provider: try #require(ProviderID(provider))))
        }
    }

    /// Stores records as gateways deliver them, and folds them.
    func store(_ records: [UsageRecord], tagSets: [TagSet] = []) async throws {
        let gateway = try await self.fleet.enrol()
        let stream: UsageStreamID = TimeSource.system.newID()
        var from = 1
        for start in stride(from: 0, to: records.count, by: 500) {
            let part = Array(records[start..<min(start + 500, records.count)])
            let batch = UsageBatch(
                gateway: gateway.gateway, stream: stream, from: from, records: part, tagSets: tagSets)
            from += part.count
            #expect(try await self.fleet.deliver(gateway, batch) == (200, from - 1))
        }
        try await Rollups(database: self.fleet.plane.services.database, logger: TestPostgres.logger).foldAll()
    }

    func record(_ which: Int, at started: Timestamp, cost: Int64 = 1000) -> UsageRecord {
        var record = UsageRecord(
            request: TimeSource.system.newID(), key: self.keys[which], project: self.projects[which].node)
        (record.model, record.provider) = (self.model, self.provider)
        (record.started, record.cost, record.status) = (started, NanoUSD(cost), 200)
        (record.counters.input, record.counters.output, record.counters.requests) = (100, 20, 1)
        return record
    }

    /// Records of all kinds that began from the one to the other instant.
    func random(_ count: Int, _ range: Range<Int64>, _ random: inout SeededRandom) -> [UsageRecord] {
        (0..<count).map { _ in
            var record = self.record(
                Int.random(in: 0...1, using: &random),
                at: Timestamp(microseconds: Int64.random(in: range, using: &random) * 1_000_000),
                cost: Int64.random(in: 0..<1_000_000, using: &random))
            if Int.random(in: 0..<4, using: &random) == 0 {
                (record.model, record.provider) = (nil, nil)
                (record.outcome, record.status, record.code) = (.refused, 429, "rate_limited")
                record.cost = .zero
            }
            if Bool.random(using: &random) { record.owner = UUIDValue(high: 5, low: 5) }
            record.isEstimate = Int.random(in: 0..<5, using: &random) == 0
            for meter in Meter.allCases { record.counters[meter] = Int64.random(in: 0..<100, using: &random) }
            return record
        }
    }

    func get(_ query: String) async throws -> TestControlPlane.Reply {
        try await self.fleet.plane.send("GET", "/v1/usage?\(query)")
    }

    /// The items of all pages.
    func all(_ query: String) async throws -> [JSONValue] {
        var items: [JSONValue] = []
        var cursor = ""
        while true {
            let page = try await self.get(query + cursor)
            try #require(page.status == 200, "\(query): \(page.json.text)")
            items += page["items"]?.array ?? []
            guard let next = page["next_cursor"]?.string else { return items }
            cursor = "&cursor=\(next)"
        }
    }
}
