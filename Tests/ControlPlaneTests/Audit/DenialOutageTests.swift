import ControlPlane
import Glibc
import Postgres
import Shared
import Synchronization
import TestKit
import Testing

/// The database goes away, or does not say whether it committed: what was denied is recorded once.
@Suite(.serialized, .timeLimit(.minutes(10))) struct DenialOutageTests {
    private struct Site {
        let server: TestPostgres
        let database: Database
        let denials: Denials

        func events() async throws -> [JSONValue] {
            try await self.database.transaction(.readOnly) { tx in
                try tx.query(
                    """
                    select l.leaf from audit_leaf l join audit_log g on g.id = l.log_id where g.lane = 'denials'
                    order by l.index
                    """
                ).map { try JSONParser.parse(try $0.get("leaf")) }
            }
        }
    }

    /// A server of the test's own, migrated.
    private func withSite(_ limits: Denials.Limits, _ body: (Site) async throws -> Void) async throws {
        let server = try await TestPostgres.dedicated()
        let migrator = try Migrator(
            directory: RepositoryPaths.migrations, remedy: "the migrations", logger: TestPostgres.logger)
        _ = try await migrator.apply(to: server.config())
        let file = "/tmp/gatehouse-kek-\(getpid())-\(UInt64.random(in: 0 ... .max))"
        try KeyEncryptionKeys.create(file: file, id: "test")
        let keys = try KeyEncryptionKeys(file: file)
        Files.remove(file)
        var config = server.config()
        config.setRole = "gatehouse_app"
        config.acquireTimeout = .milliseconds(300)
        let served = Database(config: config, logger: TestPostgres.logger)
        let denials = Denials(
            database: served, keys: keys, time: .system, logger: TestPostgres.logger, limits: limits)
        let database = Database(config: server.config(), logger: TestPostgres.logger)
        let result: Result<Void, any Error>
        do {
            result = .success(try await body(Site(server: server, database: database, denials: denials)))
        } catch {
            result = .failure(error)
        }
        await served.shutdown()
        await database.shutdown()
        try await server.stop()
        try result.get()
    }

    private func total(_ events: [JSONValue]) -> Int64 { events.reduce(0) { $0 + ($1["count"]?.integer ?? 0) } }

    @Test func `while the database is away the lane keeps what it can, and says afterwards what it could not`()
        async throws
    {
        var limits = Denials.Limits()
        limits.unknown = 50
        try await self.withSite(limits) { site in
            site.denials.record(DenialLaneTests.denial(.address("192.0.2.1")))
            await site.denials.flush()
            try await site.server.kill9()
            for number in 0..<40 { site.denials.record(DenialLaneTests.denial(.address("198.51.100.\(number)"))) }
            await site.denials.flush()
            #expect(site.denials.figures.failures == 1)
            for number in 0..<40 { site.denials.record(DenialLaneTests.denial(.address("203.0.113.\(number)"))) }
            await site.denials.flush()
            #expect(site.denials.figures.waiting == 51)
            #expect(site.denials.figures.dropped == 30)
            try await site.server.restart()
            await site.denials.flush()
            let events = try await site.events()
            #expect(site.denials.figures.waiting == 0)
            #expect(events.count == 52)
            #expect(self.total(events) == 81)
            #expect(events.filter { $0["actor"]?["kind"] == "several" }.map { $0["count"] } == [30])
        }
    }

    @Test func `a batch whose commit was rolled back unseen is written again`() async throws {
        try await self.withSite(Denials.Limits()) { site in
            try await Connection.withSession(site.server.config()) { connection in
                try connection.runScript(
                    """
                    create function leave() returns trigger language plpgsql security definer as
                        'begin perform pg_terminate_backend(pg_backend_pid()); return null; end';
                    create constraint trigger leave after insert on audit_leaf deferrable initially deferred
                        for each row execute function leave();
                    """
                )
            }
            for number in 0..<3 { site.denials.record(DenialLaneTests.denial(.address("192.0.2.\(number)"))) }
            await site.denials.flush()
            await site.denials.flush()
            #expect(site.denials.figures.failures == 2)
            #expect(site.denials.figures.waiting == 3)
            try await site.server.administer("drop trigger leave on audit_leaf")
            await site.denials.flush()
            #expect(self.total(try await site.events()) == 3)
        }
    }

    /// The server commits and waits for a standby that there is none of; its session is ended meanwhile.
    @Test func `a batch that was committed unseen is not written again`() async throws {
        try await self.withSite(Denials.Limits()) { site in
            site.denials.record(DenialLaneTests.denial(.address("192.0.2.200")))
            await site.denials.flush()
            try await site.server.administer("alter system set synchronous_standby_names = 'nobody'")
            try await site.server.administer("select pg_reload_conf()")
            try await eventually("commits wait for a standby") { try await self.endWaitingProbe(site) }
            for number in 0..<3 { site.denials.record(DenialLaneTests.denial(.address("192.0.2.\(number)"))) }
            let writing = Task { await site.denials.flush() }
            try await eventually("it waits for a standby") { try await self.endWaiting(site) }
            await writing.value
            #expect(site.denials.figures.failures == 1)
            try await site.server.administer("alter system reset synchronous_standby_names")
            try await site.server.administer("select pg_reload_conf()")
            site.denials.record(DenialLaneTests.denial(.address("192.0.2.100")))
            await site.denials.flush()
            let events = try await site.events()
            #expect(events.count == 5)
            #expect(self.total(events) == 5)
            #expect(site.denials.figures.waiting == 0)
        }
    }

    /// Whether a commit waits; its session is ended then.
    ///
    /// Waiting is in force once the checkpointer has read the settings, which shows in nothing else.
    private func endWaitingProbe(_ site: Site) async throws -> Bool {
        let isDone = Atomic(false)
        let probe = Task {
            defer { isDone.store(true, ordering: .releasing) }
            try await site.server.administer("create table probe(); drop table probe")
        }
        var isEnded = false
        while !isEnded, !isDone.load(ordering: .acquiring) {
            isEnded = try await self.endWaiting(site)
            try await Task.sleep(for: .milliseconds(5))
        }
        _ = await probe.result
        return isEnded
    }

    private func endWaiting(_ site: Site) async throws -> Bool {
        try await site.database.transaction(.readOnly) { tx in
            try tx.query(
                "select pg_terminate_backend(pid) as ended from pg_stat_activity where wait_event = 'SyncRep'"
            ).first?.get("ended", as: Bool.self) ?? false
        }
    }
}
