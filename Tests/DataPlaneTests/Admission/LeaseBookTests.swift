import Crypto
import DataPlane
import Foundation
import Shared
import Synchronization
import TestKit
import Testing

/// What a look at the accounts costs grows with what is due, and nothing that is due is overlooked.
@Suite(.timeLimit(.minutes(5))) struct LeaseBookTests {
    private static let second: UInt64 = 1_000_000_000

    /// A process with keys that have a budget each, and a control plane that grants what the test says.
    private struct Process {
        let table = LeaseTable()
        let policy: PolicyIndex
        var book: LeaseBook
        let now = Timestamp(microseconds: 1_800_000_000_000_000)
        var uptime: UInt64 = 1
        /// What each ask is granted on top.
        var grant: Int64 = 1_000_000_000
        var isDirect = false
        /// What the budgets have left: as long as they are not known to be spent.
        var left = Int64.max

        init(keys: Int, period: BudgetPeriod = .total) throws {
            var document = SnapshotDocument()
            let time = TimeSource.system
            let organization: NodeID = time.newID()
            let project: NodeID = time.newID()
            document.nodes = [
                NodeRow(id: organization, kind: .organization, parent: nil, status: .active),
                NodeRow(id: project, kind: .project, parent: organization, status: .active),
            ]
            for number in 0..<keys {
                let key: VirtualKeyID = time.newID()
                // Spread as hashes are, and in the order of the keys.
                let spread = UInt64(number) * (.max / UInt64(keys)) + 0x1234_5678
                var digest: [UInt8] = []
                for _ in 0..<4 { withUnsafeBytes(of: spread.bigEndian) { digest += $0 } }
                document.keys.append(
                    KeyRow(
                        digest: digest, key: key, project: project, owner: nil, policy: nil, expires: nil,
                        status: .active))
                document.budgets.append(
                    BudgetRow(
                        id: time.newID(), number: UInt32(number + 1), subject: .key(key), period: period,
                        amount: NanoUSD(1_000_000_000)))
            }
            let manifest = Manifest(
                deployment: time.newID(), group: time.newID(), version: SnapshotVersion(epoch: 1, version: 1),
                created: Timestamp(microseconds: 0), previous: [], keyringEpoch: 1, limits: .init(), chunks: [])
            self.policy = try PolicyCompiler.compile(
                document, manifest: manifest, manifestSHA256: [1],
                keyEncryptionKey: SymmetricKey(size: .bits256), leases: self.table)
            self.book = LeaseBook(table: self.table, gateway: time.newID())
        }

        /// Whether a request is admitted; it costs as much as it reserves.
        func spend(_ amount: Int64, key: Int) -> Bool {
            var reservation = Reservation()
            guard self.reserve(amount, key: key, &reservation) else { return false }
            reservation.settle(NanoUSD(amount), in: self.table)
            return true
        }

        func reserve(_ amount: Int64, key: Int, _ reservation: inout Reservation) -> Bool {
            let verdict = Admission.reserve(
                CostEstimate(bound: NanoUSD(amount)), of: BudgetPath(self.policy, key: Handle(key), model: 0),
                in: self.table, now: self.now,
                uptime: self.uptime, away: false, &reservation)
            if case .admitted = verdict { return true }
            return false
        }

        /// One look after some time, and the answer to what it asked: by the numbers of budgets.
        mutating func look(after nanoseconds: UInt64 = 50_000_000) -> [UInt32: LeaseAsk] {
            self.uptime += nanoseconds
            self.book.collect(uptime: self.uptime)
            guard let request = self.book.request(uptime: self.uptime) else { return [:] }
            var reply = LeaseReply(request: [], grants: [])
            for ask in request.asks {
                var answer = LeaseGrant(account: ask.account)
                answer.granted = ask.granted + self.grant
                answer.isDirect = self.isDirect
                answer.left = self.left
                reply.grants.append(answer)
            }
            self.book.apply(reply, to: request, sentAt: self.uptime, uptime: self.uptime)
            return Dictionary(uniqueKeysWithValues: request.asks.map { ($0.account.budget, $0) })
        }

        /// Opens the accounts of all keys; returns how many requests that took.
        mutating func open(_ keys: Int) -> Int {
            var looks = 0
            for key in 0..<keys {
                _ = self.spend(10, key: key)
                // Slots are made ahead by looks.
                if key % 1000 == 999 || key == keys - 1 {
                    while !self.look(after: 1).isEmpty { looks += 1 }
                }
            }
            return looks
        }
    }

    @Test(arguments: [10, 1000, 5000]) func `a look visits what is due, however many accounts are held`(
        held: Int
    ) throws {
        var process = try Process(keys: held)
        _ = process.open(held)
        #expect(process.book.count == held)
        var before = process.book.visits
        for _ in 0..<20 { #expect(process.look().isEmpty) }
        #expect(process.book.visits == before, "nothing is due, and nobody is looked at")
        // One waits: that one is asked for, and nobody else is looked at.
        #expect(!process.spend(5_000_000_000, key: held / 2))
        process.grant = 100_000_000_000
        #expect(process.look().keys.sorted() == [UInt32(held / 2 + 1)])
        #expect(process.book.visits - before <= 2)
        #expect(process.spend(5_000_000_000, key: held / 2))
        // What is used and has enough is not looked at either.
        before = process.book.visits
        for key in 0..<min(held, 500) { #expect(process.spend(1, key: key)) }
        for _ in 0..<5 { #expect(process.look().isEmpty) }
        #expect(process.book.visits == before)
        // After its time each is renewed once, in as few requests as hold them.
        var renewed: Set<UInt32> = []
        var requests = 0
        process.uptime += LeaseBook.renewal
        while true {
            let asks = process.look(after: 1)
            if asks.isEmpty { break }
            requests += 1
            #expect(renewed.isDisjoint(with: asks.keys))
            renewed.formUnion(asks.keys)
        }
        #expect(renewed.count == held)
        #expect(requests == (held + 511) / 512)
        #expect(process.book.visits - before <= held + 2)
    }

    @Test func `a hundred thousand accounts are opened, renewed and closed`() throws {
        let held = 100_000
        var process = try Process(keys: held, period: .hour)
        _ = process.open(held)
        #expect(process.book.count == held)
        let before = process.book.visits
        for _ in 0..<400 { #expect(process.look(after: 1).isEmpty) }
        #expect(process.book.visits == before)
        process.uptime += LeaseBook.renewal
        var renewed = 0
        while true {
            let asks = process.look(after: 1)
            if asks.isEmpty { break }
            renewed += asks.count
        }
        #expect(renewed == held)
        #expect(process.book.visits - before <= held)
        // The window ends for all of them at once, each is told once, and nothing is kept.
        let after = process.now.adding(seconds: 3601)
        let ending = process.book.ending(now: after)
        #expect(ending.count == held)
        #expect(process.book.ending(now: after).isEmpty)
        process.book.end(ending)
        var finals = 0
        while true {
            let asks = process.look(after: 1)
            if asks.isEmpty { break }
            #expect(asks.values.allSatisfy { $0.isFinal })
            finals += asks.count
        }
        #expect(finals == held)
        #expect(process.book.count == 0)
    }

    @Test func `accounts that were opened one after the other are renewed together`() throws {
        var process = try Process(keys: 200)
        // One each tenth of a second.
        for key in 0..<200 {
            _ = process.spend(10, key: key)
            #expect(process.look(after: Self.second / 10)[UInt32(key + 1)] != nil)
        }
        var requests = 0
        for _ in 0..<1000 where !process.look(after: Self.second / 10).isEmpty { requests += 1 }
        // A hundred seconds: a renewal or two of each, in requests that hold what is due within four seconds.
        #expect(requests <= 35, "\(requests)")
    }

    @Test(arguments: [(Int64.max, 3...4), (50_000_000_000, 9...9), (0, 9...9)])
    func `what has plenty left is renewed each minute, what has not each twenty seconds`(
        left: Int64, renewals: ClosedRange<Int>
    ) throws {
        var process = try Process(keys: 1)
        process.left = left
        #expect(!process.spend(10, key: 0))
        #expect(process.look().count == 1)
        process.grant = 0
        var asks = 0
        for _ in 0..<190 { asks += process.look(after: Self.second).count }
        #expect(renewals.contains(asks), "\(asks)")
    }

    @Test func `a hundred seconds of spending are asked for where there is plenty, within few renewals`() throws {
        var process = try Process(keys: 1)
        _ = process.spend(10, key: 0)
        process.grant = 10_000_000
        _ = process.look()
        process.grant = 0
        var asks = 0
        var most: Int64 = 0
        var waited = 0
        // A cent a second, in tenths; what is asked for is granted.
        for step in 0..<3000 {
            if !process.spend(1_000_000, key: 0) { waited += 1 }
            process.uptime += Self.second / 10
            process.book.collect(uptime: process.uptime)
            guard let request = process.book.request(uptime: process.uptime) else { continue }
            var reply = LeaseReply(request: [], grants: [])
            for ask in request.asks {
                if step > 1000 { asks += 1 }
                let free = ask.granted - ask.returned - ask.posted - ask.reserved
                most = max(most, ask.want)
                var answer = LeaseGrant(account: ask.account)
                answer.granted = ask.granted + max(0, ask.want - free)
                answer.left = 1_000_000_000_000_000
                reply.grants.append(answer)
            }
            process.book.apply(reply, to: request, sentAt: process.uptime, uptime: process.uptime)
        }
        #expect((900_000_000...1_200_000_000).contains(most), "\(most)")
        #expect(asks <= 5, "200 seconds, one each minute: \(asks)")
        #expect(waited <= 20, "\(waited)")
    }

    @Test func `where less is left, no more than what is spent twice is asked for ahead`() throws {
        var process = try Process(keys: 1)
        process.left = 1_000_000_000
        process.grant = 1_000_000_000
        _ = process.spend(10, key: 0)
        _ = process.look()
        process.grant = 0
        for _ in 0..<400 { #expect(process.spend(1_000_000, key: 0)) }
        let asks = process.look(after: 19 * Self.second)
        #expect(asks.isEmpty)
        for _ in 0..<250 { #expect(process.spend(1_000_000, key: 0)) }
        let ask = try #require(process.look(after: Self.second)[1])
        #expect(ask.want == 1_300_000_000)
        // Enough is free: that is said all the same, so that what is asked for is always what is wished for.
        #expect(process.look(after: 21 * Self.second)[1]?.want == 10_000_000)
        // Where there is plenty, nothing is asked for then.
        process.left = .max
        _ = process.look(after: 21 * Self.second)
        #expect(process.look(after: 61 * Self.second)[1]?.want == 0)
    }

    @Test func `money that becomes short is asked for before a request waits`() throws {
        var process = try Process(keys: 3)
        process.grant = 10_000_000
        _ = process.open(3)
        process.grant = 0
        #expect(process.look(after: Self.second / 2).isEmpty)
        // Below a third of what was wished for, but asked for just now.
        for _ in 0..<8 { #expect(process.spend(1_000_000, key: 1)) }
        #expect(process.look(after: Self.second / 10).isEmpty)
        let asks = process.look(after: Self.second / 2)
        #expect(asks.keys.sorted() == [2])
        #expect(asks[2]?.need == 0 && (asks[2]?.want ?? 0) >= 10_000_000)
        // Nothing came of it: asked again only when requests come.
        var again = 0
        for _ in 0..<100 where !process.look(after: Self.second / 10).isEmpty { again += 1 }
        #expect(again == 0)
        #expect(process.spend(1_000_000, key: 1))
        #expect(process.look(after: Self.second / 10).keys.sorted() == [2])
    }

    @Test func `what is not needed where money is short goes back as soon as it is free`() throws {
        var process = try Process(keys: 100)
        process.isDirect = true
        process.grant = 0
        _ = process.open(100)
        #expect(!process.spend(1000, key: 7))
        process.grant = 1000
        #expect(process.look().keys.sorted() == [8])
        process.grant = 0
        var reservation = Reservation()
        let isAdmitted = process.reserve(1000, key: 7, &reservation)
        #expect(isAdmitted)
        let before = process.book.visits
        for _ in 0..<5 { #expect(process.look().isEmpty) }
        #expect(process.book.visits - before == 5, "only the one that has something under way")
        reservation.settle(NanoUSD(400), in: process.table)
        let asks = process.look()
        #expect(asks[8]?.returned == 600 && asks[8]?.posted == 400 && asks.count == 1, "\(asks)")
        let after = process.book.visits
        for _ in 0..<5 { #expect(process.look().isEmpty) }
        #expect(process.book.visits - after <= 1)
    }

    @Test func `no request that waits is overlooked, whoever flags what at the same moment`() throws {
        let keys = 32
        var process = try Process(keys: keys)
        process.grant = 0
        let (table, policy, now) = (process.table, process.policy, process.now)
        let waited = Atomic<Int64>(0)
        let threads = (0..<3).map { number in
            Thread {
                var random = SeededRandom(seed: UInt64(number + 1))
                for _ in 0..<20_000 {
                    var reservation = Reservation()
                    let amount = Int64.random(in: 1...9, using: &random)
                    let verdict = Admission.reserve(
                        CostEstimate(bound: NanoUSD(amount)),
                        of: BudgetPath(policy, key: Handle.random(in: 0..<Handle(keys), using: &random), model: 0),
                        in: table, now: now, uptime: 1, away: false, &reservation)
                    if case .wait(asks: true) = verdict { waited.wrappingAdd(amount, ordering: .relaxed) }
                }
            }
        }
        for thread in threads { thread.start() }
        var needed: Int64 = 0
        func look() {
            for ask in process.look(after: Self.second).values { needed += ask.need }
        }
        while threads.contains(where: { !$0.isFinished }) { look() }
        // Whatever was flagged is in one more look, or two where it was looked at just before.
        look()
        look()
        #expect(needed == waited.load(ordering: .relaxed))
        #expect(needed > 0)
    }
}
