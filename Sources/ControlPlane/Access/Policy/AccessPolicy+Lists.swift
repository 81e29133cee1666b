package import Shared

extension AccessPolicy {
    /// Where a subject may do something, at an instant: what a list of things at nodes is filtered by.
    package func reach(of subject: AccessSubject, _ permission: Permission, at time: Timestamp) -> AccessReach {
        guard let who = self.active(subject) else { return .nowhere }
        let bit = permission.index
        let now = time.microseconds
        let granted = Set(
            self.held(by: who) { now < $0.expires && self.roles[$0.role].permissions.contains(index: bit) }
                .map(\.place))
        if granted.isEmpty { return .nowhere }
        let denied = self.denied(to: who, bit, now)
        if denied.contains(Self.instance) { return .nowhere }
        return AccessReach(
            everywhere: granted.contains(Self.instance), nodes: granted.compactMap(self.node),
            except: denied.compactMap(self.node))
    }

    /// The places at which a subject is denied something.
    private func denied(to who: AccessWho, _ bit: Int, _ now: Int64) -> Set<Int32> {
        var places: Set<Int32> = []
        if self.denials.count == 0 { return places }
        self.withGroups(of: who) { groups in
            for handle in self.denials.all {
                let denial = self.denials[handle]
                guard now < denial.expires, denial.permissions.contains(index: bit) else { continue }
                let isMeant =
                    denial.who.isGroup ? groups.contains(denial.who) : denial.who.isEverybody || denial.who == who
                if isMeant { places.insert(denial.place) }
            }
        }
        return places
    }

    private func node(_ place: Int32) -> NodeID? {
        guard case .node(let node) = self.places[place].scope else { return nil }
        return node
    }

    /// Every active user and service account that may do something somewhere, with one reason each.
    ///
    /// - Parameters:
    ///   - cursor: the last that was seen; `next` of the page before.
    ///   - limit: most that are named, 1 to 1000.
    package func holders(
        of permission: Permission, along path: AccessPath, at time: Timestamp, after cursor: AccessSubject? = nil,
        limit: Int = 100
    ) -> AccessHolders {
        let bit = permission.index
        let now = time.microseconds
        let places = self.places(along: path)
        let holding = self.holding(bit, at: places, now)
        let start = cursor.flatMap { AccessActorKey($0) }
        var keys: [(key: AccessActorKey, who: AccessWho)] = []
        holding.each { handle in
            guard let key = AccessActorKey(self.actors.records[Int(handle)].subject) else { return }
            if let start, key <= start { return }
            keys.append((key, AccessWho(actor: handle)))
        }
        keys.sort { $0.key < $1.key }
        let page = keys.prefix(min(max(limit, 1), 1000))
        let holders = page.compactMap { item -> AccessHolder? in
            let bindings = self.held(by: item.who) { binding in
                now < binding.expires && self.roles[binding.role].permissions.contains(index: bit)
                    && path.contains(self.places[binding.place].scope)
            }
            let grants = self.explain(bindings, of: item.who, AccessChains(self, of: item.who), along: path)
            return grants.first.map { AccessHolder(subject: item.key.subject, grant: $0) }
        }
        return AccessHolders(
            holders: holders, count: holding.count, next: page.count < keys.count ? page.last?.key.subject : nil)
    }

    private func holding(_ bit: Int, at places: AccessPlaces, _ now: Int64) -> AccessActors {
        var granted = AccessActors(self)
        var denied = AccessActors(self)
        for position in 0..<places.count {
            let place = self.places[places[position]]
            for entry in place.grants.all
            where now < entry.expires && self.roles.records[Int(entry.what)].permissions.contains(index: bit) {
                granted.insert(entry.who, of: self)
            }
            for entry in place.denials.all
            where now < entry.expires && self.denials.records[Int(entry.what)].permissions.contains(index: bit) {
                if entry.who.isEverybody { return AccessActors(self) }
                denied.insert(entry.who, of: self)
            }
        }
        granted.descend(self)
        denied.descend(self)
        granted.subtract(denied)
        return granted
    }
}

/// Active users and service accounts: themselves, or as members of groups.
struct AccessActors {
    private var actors: AccessBits
    private var groups: AccessBits
    private var queue: [Int32] = []

    init(_ policy: AccessPolicy) {
        self.actors = AccessBits(policy.actors.records.count)
        self.groups = AccessBits(policy.groups.records.count)
    }

    var count: Int { self.actors.count }

    func each(_ body: (Int32) -> Void) { self.actors.each(body) }

    /// One that is active; the members of a group come with `descend`.
    mutating func insert(_ who: AccessWho, of policy: AccessPolicy) {
        guard policy.table(of: who)[Int(who.handle)].isActive else { return }
        if !who.isGroup {
            self.actors.insert(who.handle)
        } else if self.groups.insert(who.handle) {
            self.queue.append(who.handle)
        }
    }

    /// Takes in the members of the groups, through groups that are active.
    mutating func descend(_ policy: AccessPolicy) {
        while let group = self.queue.popLast() {
            for member in policy.groups.records[Int(group)].members { self.insert(member, of: policy) }
        }
    }

    mutating func subtract(_ others: AccessActors) { self.actors.subtract(others.actors) }
}

/// Handles, as bits.
struct AccessBits {
    private var words: [UInt64]

    init(_ count: Int) { self.words = [UInt64](repeating: 0, count: (count + 63) / 64) }

    var count: Int { self.words.reduce(0) { $0 + $1.nonzeroBitCount } }

    func contains(_ handle: Int32) -> Bool { self.words[Int(handle >> 6)] & (1 << UInt64(handle & 63)) != 0 }

    /// False when it is there already.
    @discardableResult
    mutating func insert(_ handle: Int32) -> Bool {
        let bit: UInt64 = 1 << UInt64(handle & 63)
        guard self.words[Int(handle >> 6)] & bit == 0 else { return false }
        self.words[Int(handle >> 6)] |= bit
        return true
    }

    mutating func subtract(_ others: AccessBits) {
        for word in self.words.indices { self.words[word] &= ~others.words[word] }
    }

    func each(_ body: (Int32) -> Void) {
        for word in self.words.indices {
            var bits = self.words[word]
            while bits != 0 {
                body(Int32(truncatingIfNeeded: word * 64 + bits.trailingZeroBitCount))
                bits &= bits - 1
            }
        }
    }
}
