import Crypto
import DataPlane
import Shared
import TestKit
import Testing

/// One key cannot starve its siblings of a limit that they share.
@Suite struct FairUseTests {
    private struct World {
        let policy: PolicyIndex
        let leases = LeaseTable()
        var book: RateLimitBook
        var granted = false

        init(_ meter: RateLimitMeter, _ rate: BucketRate?) throws {
            let time = TimeSource.system
            var document = SnapshotDocument()
            let (organization, project): (NodeID, NodeID) = (time.newID(), time.newID())
            document.nodes = [
                NodeRow(id: organization, kind: .organization, parent: nil, status: .active),
                NodeRow(id: project, kind: .project, parent: organization, status: .active),
            ]
            document.keys = (0..<3).map { index in
                // Their cells differ.
                let key = VirtualKeyID(UUIDValue(high: 1 << 60, low: 1 << 63 | UInt64(index)))
                return KeyRow(
                    digest: Array(repeating: UInt8(index), count: 32), key: key, project: project, owner: nil,
                    policy: nil, expires: nil, status: .active)
            }
            document.rateLimits = [
                RateLimitRow(
                    id: time.newID(), number: 1, subject: .node(project), meter: meter, rate: rate ?? .least)
            ]
            let manifest = Manifest(
                deployment: time.newID(), group: time.newID(), version: SnapshotVersion(epoch: 1, version: 1),
                created: time.now(), previous: [], keyringEpoch: 1, limits: .init(), chunks: [])
            self.policy = try PolicyCompiler.compile(
                document, manifest: manifest, manifestSHA256: [1], keyEncryptionKey: SymmetricKey(size: .bits256),
                leases: self.leases)
            self.book = RateLimitBook(table: self.leases.rates)
        }

        /// Has the process hold the whole limit.
        mutating func grantAll(_ rate: BucketRate, uptime: UInt64) {
            self.book.collect(uptime: uptime)
            let asks = self.book.asks(uptime: uptime)
            var grant = ShareGrant(limit: 1)
            grant.generation = 1
            grant.share = rate.period == nil ? 0 : BucketRate.parts
            grant.granted = rate.capacity
            self.book.apply([grant], to: asks, sentAt: uptime, uptime: uptime)
        }

        func request(_ key: Handle, uptime: UInt64, _ reservation: inout RateReservation) -> Bool {
            let verdict = RateLimiting.reserve(
                RateDemand(inputBound: 1, usualInput: 1, outputBound: 1),
                of: RateLimitPath(self.policy, key: key, model: -1),
                in: self.leases.rates, uptime: uptime, away: false, &reservation)
            if case .admitted = verdict { return true }
            return false
        }

        /// A request that is over at once.
        func serve(_ key: Handle, uptime: UInt64) -> Bool {
            var reservation = RateReservation()
            let isServed = self.request(key, uptime: uptime, &reservation)
            reservation.settle(RateUse(requests: 1), in: self.leases.rates)
            return isServed
        }
    }

    @Test func `a greedy key leaves half of the bucket to others, and takes what they do not want`() throws {
        let rate = try #require(BucketRate(amount: 600, per: .minute, burst: 100))
        var world = try World(.requests, rate)
        let start: UInt64 = 1_000_000_000_000
        _ = world.serve(0, uptime: start)
        world.grantAll(rate, uptime: start)
        // Alone it gets everything that there is.
        var greedy = 0
        while world.serve(0, uptime: start) { greedy += 1 }
        #expect(greedy == 100)
        // Ten seconds later the bucket is full again. A second key shows up; from then on the first has at most half.
        let later = start + 10_000_000_000
        #expect(world.serve(1, uptime: later))
        greedy = 0
        while greedy < 1000, world.serve(0, uptime: later) { greedy += 1 }
        #expect(greedy == 49 || greedy == 50, "\(greedy)")
        // Over the next minutes the greedy one asks all the time, the other now and then: the other is always served.
        var served = 0
        var refused = 0
        greedy = 0
        for step in 1...12_000 {
            let now = later + UInt64(step) * 10_000_000
            for _ in 0..<3 where world.serve(0, uptime: now) { greedy += 1 }
            if step % 50 == 0 { if world.serve(1, uptime: now) { served += 1 } else { refused += 1 } }
        }
        #expect(refused == 0 && served == 240)
        // 120 seconds of ten a second: nothing that the other left was lost.
        #expect(greedy >= 1200 - served - 60, "\(greedy)")
    }

    @Test func `places at the same time are shared too`() throws {
        let rate = try #require(BucketRate(amount: 10, per: nil, burst: 1))
        var world = try World(.concurrentRequests, rate)
        _ = world.serve(0, uptime: 1_000_000_000)
        world.grantAll(rate, uptime: 1_000_000_000)
        let held = Held(world.leases.rates)
        defer { held.endAll() }
        // Another key has one place: the greedy one gets its half, and the other the rest.
        #expect(held.take(world, 1))
        var greedy = 0
        while greedy < 20, held.take(world, 0) { greedy += 1 }
        #expect(greedy == 5)
        for _ in 0..<4 { #expect(held.take(world, 1)) }
        #expect(!held.take(world, 1) && !held.take(world, 2))
        held.endAll()
        // Those that left have no part any more.
        greedy = 0
        while greedy < 20, held.take(world, 0) { greedy += 1 }
        #expect(greedy == 10)
    }

    /// Reservations that are open.
    private final class Held {
        private final class Open {
            var reservation = RateReservation()
        }
        private var open: [Open] = []
        private let table: RateLimitTable

        init(_ table: RateLimitTable) { self.table = table }

        func take(_ world: World, _ key: Handle) -> Bool {
            let one = Open()
            guard world.request(key, uptime: 2_000_000_000, &one.reservation) else { return false }
            self.open.append(one)
            return true
        }

        func endAll() {
            for one in self.open { one.reservation.settle(.none, in: self.table) }
            self.open = []
        }
    }
}
