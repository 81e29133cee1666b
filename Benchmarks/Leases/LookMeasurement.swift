import DataPlane
import Shared

/// What a look at what is due takes in a process that holds many accounts, and what a request takes that reserves.
enum LookMeasurement {
    static func table(held counts: [Int]) -> String {
        var lines = [
            "| accounts held | look, nothing due | look, one account short | reserve and settle, 4 budgets |",
            "|--:|--:|--:|--:|",
        ]
        for count in counts {
            do {
                lines.append(try Self.row(count))
            } catch {
                lines.append("| \(count) | \(error) | | |")
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func row(_ count: Int) throws -> String {
        let table = LeaseTable()
        let policy = try LeaseGateway.compile(Array(0..<count), [:], table)
        let now = TimeSource.system.now()
        var book = LeaseBook(table: table, gateway: TimeSource.system.newID())
        var uptime: UInt64 = 1
        func spend(_ key: Int, _ amount: Int64) -> Bool {
            var reservation = Reservation()
            let verdict = Admission.reserve(
                CostEstimate(bound: NanoUSD(amount)), of: BudgetPath(policy, key: Handle(key), model: 0), in: table,
                now: now,
                uptime: uptime, away: false, &reservation)
            guard case .admitted = verdict else { return false }
            reservation.settle(NanoUSD(1), in: table)
            return true
        }
        /// Everything that is asked for is granted, and far more.
        func renew(_ grant: Int64) {
            book.collect(uptime: uptime)
            while let request = book.request(uptime: uptime) {
                var reply = LeaseReply(request: [], grants: [])
                for ask in request.asks {
                    var answer = LeaseGrant(account: ask.account)
                    answer.granted = ask.granted + grant
                    reply.grants.append(answer)
                }
                book.apply(reply, to: request, sentAt: uptime, uptime: uptime)
                if request.asks.isEmpty { break }
            }
        }
        for key in 0..<count {
            _ = spend(key, 1)
            if key % 1000 == 999 { renew(1_000_000_000_000) }
        }
        renew(1_000_000_000_000)
        uptime += 1_000_000
        let looks = max(20, 20_000_000 / max(1, count))
        let idle = ContinuousClock().measure {
            for _ in 0..<min(looks, 2000) {
                book.collect(uptime: uptime)
                _ = book.ending(now: now)
                _ = book.request(uptime: uptime)
            }
        }
        var requests = 0
        let short = ContinuousClock().measure {
            for round in 0..<min(looks, 2000) {
                _ = spend(round % count, 900_000_000_000_000)
                book.collect(uptime: uptime)
                _ = book.ending(now: now)
                requests += book.request(uptime: uptime) == nil ? 0 : 1
            }
        }
        let spending = ContinuousClock().measure {
            for round in 0..<2_000_000 { _ = spend(round &* 7919 % min(count, 1000), 1) }
        }
        func each(_ time: Duration, _ count: Int) -> String {
            let nanoseconds = time.seconds * 1e9 / Double(count)
            return nanoseconds < 10_000
                ? "\(Int(nanoseconds)) ns" : LeaseMeasurement.tenths(nanoseconds / 1000) + " us"
        }
        return "| \(count) | \(each(idle, min(looks, 2000))) | \(each(short, min(looks, 2000))) | "
            + "\(each(spending, 2_000_000)) |"
    }
}
