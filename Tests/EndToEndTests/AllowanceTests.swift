import TestKit
import Testing

/// What a gateway spends of a budget while nobody can be asked, where the budget allows some.
@Suite(.serialized, .timeLimit(.minutes(10))) struct AllowanceTests {
    private static let members = ",\"max_tokens\":40"

    /// Sends until something else than an answer comes.
    private func spend(_ stack: Stack, _ place: Stack.GatewayPlace, _ key: String) async throws -> (
        answered: Int, refusal: Stack.Reply
    ) {
        for answered in 0..<5000 {
            let reply = try await stack.chat(place, key, members: Self.members)
            guard reply.status == 200 else { return (answered, reply) }
        }
        throw TestKitError("nothing was refused")
    }

    @Test func `an allowance is spent once while the control plane is away, and made up for`() async throws {
        try await Stack.with { stack in
            let control = try await stack.startControl()
            let tenant = try await stack.makeTenant()
            // Requests cost 10,000 and are bound by 250,000.
            let (amount, allowance): (Int64, Int64) = (2_000_000, 1_000_000)
            let budget = try await stack.create(
                "/v1/budgets",
                [
                    "scope": tenant.project, "name": "small", "amount_nano_usd": "\(amount)", "period": "total",
                    "away": "allowance", "away_allowance_nano_usd": "\(allowance)",
                ])
            let place = try stack.place("gateway")
            var gateway = try await stack.startGateway(place, joinToken: try await stack.joinToken(tenant))
            try await eventually("the key works") {
                try await stack.chat(place, tenant.key, members: Self.members).status == 200
            }
            try await stack.synced()
            _ = try await control.kill()
            // Until it has noticed that nobody answers it waits for money, and refuses for the lack of it.
            var answered = 0
            var last: Stack.Reply?
            try await eventually("the allowance is spent") {
                let spent = try await self.spend(stack, place, tenant.key)
                answered += spent.answered
                last = spent.refusal
                return answered > 250
            }
            for _ in 0..<20 { answered += try await self.spend(stack, place, tenant.key).answered }
            #expect(last?.status == 402 || last?.status == 503, "\(last?.body ?? "")")
            // Killed and started anew it has none: nobody ever answered that process.
            _ = try await gateway.kill()
            gateway = try await stack.startGateway(place)
            let refused = try await stack.chat(place, tenant.key, members: Self.members)
            #expect(refused.status == 503 && refused.body.contains("budget_unavailable"), "\(refused.body)")
            let again = try await stack.startControl()
            var spent: Int64 = 0
            let all = answered
            try await eventually("all usage has arrived") {
                guard try await Ledger.read(stack).events > all else { return false }
                let status = try await stack.api("GET", "/v1/budgets/\(budget)/status")
                spent = (status.member("spent_nano_usd") as? String).flatMap { Int64($0) } ?? 0
                return spent > 0
            }
            print("\(answered) answered, \(spent) spent of \(amount) and \(allowance)")
            #expect(spent > amount && spent <= amount + allowance)
            try await eventually("what is spent is refused as that") {
                try await stack.chat(place, tenant.key, members: Self.members).status == 402
            }
            #expect(try await gateway.terminate() == .code(0))
            #expect(try await again.terminate() == .code(0))
        }
    }
}
