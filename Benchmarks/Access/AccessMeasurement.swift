import ControlPlane
import Shared

/// What a policy takes for each of its answers.
struct AccessMeasurement {
    private var policy: AccessPolicy
    private var world: AccessBenchmarkWorld
    private let paths: [AccessPath]

    init(policy: AccessPolicy, world: AccessBenchmarkWorld) {
        self.policy = policy
        self.world = world
        self.paths = world.nodes.compactMap { policy.path(to: $0) }
    }

    // MARK: Decisions

    mutating func decisions(_ count: Int) {
        let actors = self.world.users + self.world.serviceAccounts
        self.measure("`allows`, any user or service account, anywhere", count) {
            actors[$0.number(below: actors.count)]
        }
        let large = Array(self.world.users.prefix(20_000))
        self.measure("`allows`, members of the largest group", count / 4) { large[$0.number(below: large.count)] }
        let heavy = self.heaviest()
        self.measure("`allows`, the 100 users with most groups", count / 4) { heavy[$0.number(below: heavy.count)] }
        let group = AccessSubject(self.world.groups[0])
        self.measure("`allows`, the group with 2000 bindings", count / 4) { _ in group }
    }

    /// Those whose decision to refuse takes most, by how many groups they come to.
    private mutating func heaviest() -> [AccessSubject] {
        let path = self.paths[self.paths.count - 1]
        var times: [(AccessSubject, Int64)] = []
        for user in self.world.users {
            let time = AccessBenchmark.nanoseconds {
                for _ in 0..<5 {
                    _ = self.policy.allows(user, .trustRootRotate, along: path, at: AccessBenchmarkWorld.now)
                }
            }
            times.append((user, time))
        }
        return times.sorted { $0.1 > $1.1 }.prefix(100).map(\.0)
    }

    private mutating func measure(
        _ what: String, _ count: Int, _ subject: (inout AccessBenchmarkWorld) -> AccessSubject
    ) {
        let permissions = Permission.allCases
        var cases: [(AccessSubject, Permission, Int)] = []
        cases.reserveCapacity(count)
        for _ in 0..<count {
            cases.append(
                (
                    subject(&self.world), permissions[self.world.number(below: permissions.count)],
                    self.world.number(below: self.paths.count)
                ))
        }
        var times: [UInt32] = []
        times.reserveCapacity(count)
        var allowed = 0
        for (subject, permission, path) in cases {
            var isAllowed = false
            let time = AccessBenchmark.nanoseconds {
                isAllowed = self.policy.allows(
                    subject, permission, along: self.paths[path], at: AccessBenchmarkWorld.now)
            }
            times.append(UInt32(clamping: time))
            if isAllowed { allowed += 1 }
        }
        times.sort()
        func at(_ perMille: Int) -> String {
            AccessBenchmark.text(Double(times[min(times.count - 1, times.count * perMille / 1000)]) / 1000)
        }
        AccessBenchmark.row(
            "\(what) (\(count), \(allowed * 100 / max(1, count)) % allowed), p50 / p99 / p99.9",
            "\(at(500)) / \(at(990)) / \(at(999)) us")
    }

    // MARK: Lists

    mutating func lists() {
        var times: [Double] = []
        var most = 0
        for position in 0..<10 {
            let path =
                position == 0
                ? .instance : position < 3 ? self.paths[0] : self.paths[self.world.number(below: self.paths.count)]
            let permission = Permission.allCases[position * 7]
            times.append(
                AccessBenchmark.milliseconds {
                    most = max(
                        most, self.policy.holders(of: permission, along: path, at: AccessBenchmarkWorld.now).count)
                })
        }
        Self.row("`holders`, ten permissions and scopes, up to \(most) holders", times)

        let users = (0..<1000).map { _ in self.world.users[self.world.number(below: self.world.users.count)] }
        Self.row(
            "`reach`, 1000 users",
            users.map { user in
                AccessBenchmark.milliseconds {
                    _ = self.policy.reach(of: user, .usageRead, at: AccessBenchmarkWorld.now)
                }
            })
        Self.row(
            "`decide`, 1000 users",
            users.map { user in
                let path = self.paths[self.world.number(below: self.paths.count)]
                return AccessBenchmark.milliseconds {
                    _ = self.policy.decide(user, .usageRead, along: path, at: AccessBenchmarkWorld.now)
                }
            })
        Self.row(
            "`permissions`, 1000 users",
            users.map { user in
                let path = self.paths[self.world.number(below: self.paths.count)]
                return AccessBenchmark.milliseconds {
                    _ = self.policy.permissions(of: user, along: path, at: AccessBenchmarkWorld.now)
                }
            })
    }

    /// Milliseconds, or microseconds where they are few.
    private static func row(_ what: String, _ times: [Double]) {
        let times = times.sorted()
        let isShort = times[times.count / 2] < 0.5
        let points = [times[0], times[times.count / 2], times[times.count * 99 / 100], times[times.count - 1]]
        AccessBenchmark.row(
            "\(what), min / median / p99 / max",
            points.map { AccessBenchmark.text(isShort ? $0 * 1000 : $0) }.joined(separator: " / ")
                + (isShort ? " us" : " ms"))
    }

    // MARK: What facts change and cost

    mutating func effects() {
        let bindings = self.world.largeGroupBindings
        let atOrganization = bindings.first { $0.scope == .node(self.world.nodes[0]) }
        for (what, binding) in [("the organization", atOrganization), ("a project", bindings.last)] {
            guard let binding else { continue }
            var count = 0
            let time = AccessBenchmark.milliseconds {
                count = self.policy.effect(of: [.removedBinding(binding.id)], at: AccessBenchmarkWorld.now).count
            }
            AccessBenchmark.row(
                "`effect` of removing a binding of the largest group at \(what), \(count) concerned",
                "\(AccessBenchmark.text(time)) ms")
        }
        var count = 0
        let time = AccessBenchmark.milliseconds {
            let denial = AccessDenial(
                id: DenyRuleID(self.world.id()), subject: nil, permissions: PermissionSet([.usageRead]),
                scope: .node(self.world.nodes[0]), expiresAt: nil)
            count = self.policy.effect(of: [.denial(denial)], at: AccessBenchmarkWorld.now).count
        }
        AccessBenchmark.row(
            "`effect` of denying everybody something at the organization, \(count) concerned",
            "\(AccessBenchmark.text(time)) ms")
    }

    mutating func facts() {
        let group = AccessSubject(self.world.groups[0])
        var facts: [AccessFact] = []
        for _ in 0..<200 {
            let user = self.world.users[self.world.number(below: self.world.users.count)]
            let binding = AccessBinding(
                id: BindingID(self.world.id()), subject: group, role: RoleID(self.world.id()),
                scope: .node(self.world.nodes[0]), expiresAt: nil)
            facts += [
                .member(user, of: self.world.groups[0], false), .member(user, of: self.world.groups[0], true),
                .binding(binding), .removedBinding(binding.id), .subject(user, isActive: false),
                .subject(user, isActive: true),
            ]
        }
        // Whoever made the policy may hold it still: what is written to here is ours alone from then on.
        self.policy.apply(facts)
        Self.row(
            "`apply` of one fact, 1200 of the largest group",
            facts.map { fact in
                AccessBenchmark.milliseconds { self.policy.apply(fact) }
            })
        Self.row(
            "`apply` of one fact after a copy was made",
            facts.prefix(30).map { fact in
                let copy = self.policy
                return withExtendedLifetime(copy) { AccessBenchmark.milliseconds { self.policy.apply(fact) } }
            })
        Self.row(
            "`apply` of 1200 facts after a copy was made",
            (0..<3).map { _ in
                let copy = self.policy
                return withExtendedLifetime(copy) { AccessBenchmark.milliseconds { self.policy.apply(facts) } }
            })
    }
}
