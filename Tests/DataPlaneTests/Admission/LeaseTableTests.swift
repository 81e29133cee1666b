import DataPlane
import Foundation
import Shared
import Synchronization
import TestKit
import Testing

/// One slot, from many threads at once: what is reserved and posted never exceeds what was granted.
@Suite(.timeLimit(.minutes(5))) struct LeaseTableTests {
    private func path(_ table: LeaseTable, _ budgets: [TestPolicy.Budget]) throws -> BudgetPath {
        var policy = TestPolicy(targets: [.init(url: "http://127.0.0.1:1/v1")])
        policy.budgets = budgets
        policy.leases = table
        return BudgetPath(try policy.compile(), key: 0, model: 0)
    }

    private func ask(_ book: inout LeaseBook, at uptime: UInt64, grant: (LeaseAsk) -> Int64) {
        book.collect(uptime: uptime)
        guard let request = book.request(uptime: uptime) else { return }
        var reply = LeaseReply(request: [], grants: [])
        for ask in request.asks {
            var answer = LeaseGrant(account: ask.account)
            answer.granted = grant(ask)
            reply.grants.append(answer)
        }
        book.apply(reply, to: request, sentAt: uptime, uptime: uptime)
    }

    @Test func `while nobody answers a process spends its allowance beyond what it was granted, once it was answered`()
        throws
    {
        let table = LeaseTable()
        let path = try self.path(table, [.init(amount: 1_000_000, awayAllowance: 300)])
        let now = TimeSource.system.now()
        func spend(_ amount: Int64, away: Bool, at uptime: UInt64) -> Bool {
            var reservation = Reservation()
            let verdict = Admission.reserve(
                CostEstimate(bound: NanoUSD(amount)), of: path, in: table, now: now, uptime: uptime, away: away,
                &reservation)
            reservation.settle(NanoUSD(amount), in: table)
            if case .admitted = verdict { return true }
            return false
        }
        var book = LeaseBook(table: table, gateway: TimeSource.system.newID())
        // A restart brings nothing: else a gateway that is restarted often would have no bound.
        #expect(!spend(100, away: true, at: 1))
        self.ask(&book, at: 2) { _ in 1000 }
        #expect(spend(900, away: false, at: 3))
        #expect(!spend(200, away: false, at: 4), "while it can ask it asks")
        #expect(spend(200, away: true, at: 5))
        #expect(!spend(201, away: true, at: 6) && spend(200, away: true, at: 7))
        #expect(!spend(1, away: true, at: 8) && !spend(1, away: false, at: 8))
        // What it spent is counted: what comes now makes up for it first.
        self.ask(&book, at: 30_000_000_000) { _ in 1350 }
        #expect(!spend(51, away: false, at: 30_000_000_001) && spend(50, away: false, at: 30_000_000_002))
        // Long after the last word the allowance is all there is.
        #expect(spend(300, away: true, at: LeaseBook.hardTime * 2) && !spend(1, away: true, at: LeaseBook.hardTime * 2))
    }

    @Test func `threads that reserve and settle at once keep within what was granted`() throws {
        let table = LeaseTable()
        let path = try self.path(table, [.init(amount: 1_000_000), .init(level: .key, amount: 1_000_000)])
        let now = TimeSource.system.now()
        let spent = Atomic<Int64>(0)
        let limit = Atomic<Int64>(0)
        let isOver = Atomic<Bool>(false)
        let threads = (0..<4).map { number in
            Thread {
                var random = SeededRandom(seed: UInt64(number))
                while !isOver.load(ordering: .relaxed) {
                    var reservation = Reservation()
                    let amount = Int64.random(in: 1...900, using: &random)
                    let verdict = Admission.reserve(
                        CostEstimate(bound: NanoUSD(amount)), of: path, in: table, now: now, uptime: 10, away: false,
                        &reservation)
                    guard case .admitted = verdict else { continue }
                    let cost = Int64.random(in: 0...amount, using: &random)
                    // Counted before it is posted: what is free again was spent before.
                    spent.wrappingAdd(cost, ordering: .sequentiallyConsistent)
                    reservation.settle(NanoUSD(cost), in: table)
                }
            }
        }
        for thread in threads { thread.start() }
        var book = LeaseBook(table: table, gateway: TimeSource.system.newID())
        var random = SeededRandom("lease threads")
        for round in 0..<2000 {
            self.ask(&book, at: UInt64(round + 1) * 30_000_000_000) { ask in
                // Given back is gone; some more is granted.
                let granted = ask.granted + Int64.random(in: 0...2000, using: &random)
                if ask.account.budget == 1 { limit.store(granted, ordering: .sequentiallyConsistent) }
                return granted
            }
            #expect(spent.load(ordering: .sequentiallyConsistent) <= limit.load(ordering: .sequentiallyConsistent))
            if round % 64 == 0 { Thread.sleep(forTimeInterval: 0.001) }
        }
        isOver.store(true, ordering: .relaxed)
        while threads.contains(where: { !$0.isFinished }) { Thread.sleep(forTimeInterval: 0.001) }
        #expect(spent.load(ordering: .relaxed) <= limit.load(ordering: .relaxed))
        #expect(spent.load(ordering: .relaxed) > 0)
    }

    @Test func `all accounts of a path are reserved, or none`() throws {
        let table = LeaseTable()
        let path = try self.path(
            table, [.init(level: .organization, amount: 1), .init(amount: 1), .init(level: .key, amount: 1)])
        var book = LeaseBook(table: table, gateway: TimeSource.system.newID())
        var reservation = Reservation()
        let now = TimeSource.system.now()
        guard
            case .wait = Admission.reserve(
                CostEstimate(bound: NanoUSD(500)), of: path, in: table, now: now, uptime: 1, away: false, &reservation)
        else {
            Issue.record("nothing was granted yet")
            return
        }
        let isEmpty = reservation.isEmpty
        #expect(isEmpty)
        // The middle one gets too little: nothing of the others stays reserved.
        self.ask(&book, at: 2) { $0.account.budget == 2 ? 400 : 1000 }
        var asked: [LeaseAsk] = []
        for _ in 0..<3 {
            let verdict = Admission.reserve(
                CostEstimate(bound: NanoUSD(500)), of: path, in: table, now: now, uptime: 3, away: false, &reservation)
            guard case .refused(let error) = verdict else {
                Issue.record("\(verdict)")
                return
            }
            #expect(error.code == .budgetExceeded)
        }
        self.ask(&book, at: 30_000_000_000) {
            asked.append($0)
            return $0.account.budget == 2 ? 600 : 1000
        }
        #expect(asked.count == 3 && asked.allSatisfy { $0.reserved == 0 && $0.posted == 0 })
        guard
            case .admitted = Admission.reserve(
                CostEstimate(bound: NanoUSD(500)), of: path, in: table, now: now, uptime: 30_000_000_001, away: false,
                &reservation)
        else {
            Issue.record("there is enough of all")
            return
        }
        let count = reservation.count
        #expect(count == 3)
        reservation.settle(NanoUSD(123), in: table)
        asked = []
        self.ask(&book, at: 60_000_000_000) {
            asked.append($0)
            return $0.granted
        }
        #expect(asked.allSatisfy { $0.reserved == 0 && $0.posted == 123 })
    }

    @Test func `money is not spent after half an hour without a word`() throws {
        let table = LeaseTable()
        let path = try self.path(table, [.init(amount: 1)])
        var book = LeaseBook(table: table, gateway: TimeSource.system.newID())
        let now = TimeSource.system.now()
        func isAdmitted(at uptime: UInt64) -> Bool {
            var reservation = Reservation()
            let verdict = Admission.reserve(
                CostEstimate(bound: NanoUSD(10)), of: path, in: table, now: now, uptime: uptime, away: false,
                &reservation)
            guard case .admitted = verdict else { return false }
            reservation.settle(.zero, in: table)
            return true
        }
        #expect(!isAdmitted(at: 1))
        self.ask(&book, at: 5) { _ in 1000 }
        #expect(isAdmitted(at: 6))
        #expect(isAdmitted(at: 4 + LeaseBook.hardTime))
        #expect(!isAdmitted(at: 5 + LeaseBook.hardTime))
        self.ask(&book, at: 6 + LeaseBook.hardTime) { $0.granted }
        #expect(isAdmitted(at: 7 + LeaseBook.hardTime))
    }

    @Test func `a window that is over is closed, and its slot used again`() throws {
        let table = LeaseTable()
        let path = try self.path(table, [.init(amount: 1, period: .minute)])
        var book = LeaseBook(table: table, gateway: TimeSource.system.newID())
        var now = Timestamp(microseconds: 1_800_000_000_000_000)
        var uptime: UInt64 = 1
        var accounts: Set<Charge> = []
        for window in 0..<3000 {
            var reservation = Reservation()
            var verdict = Admission.reserve(
                CostEstimate(bound: NanoUSD(10)), of: path, in: table, now: now, uptime: uptime, away: false,
                &reservation)
            self.ask(&book, at: uptime) { $0.granted + 100 }
            verdict = Admission.reserve(
                CostEstimate(bound: NanoUSD(10)), of: path, in: table, now: now, uptime: uptime, away: false,
                &reservation)
            guard case .admitted = verdict else {
                Issue.record("window \(window): \(verdict)")
                return
            }
            accounts.insert(Charge(value: reservation.charges[0]) ?? Charge(budget: 0, startMinute: 0))
            now = now.adding(seconds: 60)
            uptime += 60_000_000_000
            // Not before the request is over.
            book.end(book.ending(now: now))
            self.ask(&book, at: uptime) { $0.granted }
            #expect(book.count == 1)
            reservation.settle(NanoUSD(5), in: table)
            self.ask(&book, at: uptime + 1) { $0.granted }
            #expect(book.count == 0)
        }
        // Far more windows than slots that there is memory of.
        #expect(accounts.count == 3000)
    }

    @Test func `a clock that is put back does not open a window again`() throws {
        let table = LeaseTable()
        let path = try self.path(table, [.init(amount: 1, period: .minute)])
        var book = LeaseBook(table: table, gateway: TimeSource.system.newID())
        let start = Timestamp(microseconds: 1_800_000_000_000_000)
        var uptime: UInt64 = 1
        /// The account that ten are charged to; nil when there is none.
        func charge(at now: Timestamp) -> Charge? {
            var reservation = Reservation()
            for _ in 0..<2 {
                uptime += 1_000_000_000
                let verdict = Admission.reserve(
                    CostEstimate(bound: NanoUSD(10)), of: path, in: table, now: now, uptime: uptime, away: false,
                    &reservation)
                if case .admitted = verdict {
                    let account = Charge(value: reservation.charges[0])
                    reservation.settle(NanoUSD(10), in: table)
                    return account
                }
                self.ask(&book, at: uptime) { $0.granted + 100 }
            }
            return nil
        }
        let first = charge(at: start)
        #expect(first != nil)
        // Behind the end, and the window is closed.
        let after = start.adding(seconds: 61)
        book.end(book.ending(now: after))
        uptime += 60_000_000_000
        self.ask(&book, at: uptime) { $0.granted }
        #expect(book.count == 0)
        // A moment back: the window that is over has no money any more.
        #expect(charge(at: start.adding(seconds: 59)) == nil)
        let second = charge(at: after)
        #expect(second != nil && second != first)
        // Back again: the newer window pays.
        #expect(charge(at: start) == second)
    }
}
