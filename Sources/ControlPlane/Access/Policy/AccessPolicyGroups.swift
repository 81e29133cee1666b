import Shared

/// The groups whose bindings and deny rules are a subject's: a bit for each group of the policy.
///
/// It looks into memory that is there for the length of a call: `AccessPolicy.withGroups`.
struct AccessGroups {
    fileprivate let words: UnsafeMutableBufferPointer<UInt64>
    /// How many there are.
    fileprivate(set) var count = 0

    func contains(_ group: AccessWho) -> Bool {
        let word = Int(group.raw >> 6)
        return word < self.words.count && self.words[word] & (1 << UInt64(group.raw & 63)) != 0
    }

    /// Each group's handle, until `body` says that it has seen enough.
    @inline(__always)
    func each(_ body: (Int32) -> Bool) {
        for word in 0..<self.words.count {
            var bits = self.words[word]
            while bits != 0 {
                guard body(Int32(truncatingIfNeeded: word * 64 + bits.trailingZeroBitCount)) else { return }
                bits &= bits - 1
            }
        }
    }

    /// False when it is there already.
    fileprivate mutating func insert(_ group: Int32) -> Bool {
        let word = Int(group >> 6)
        let bit: UInt64 = 1 << UInt64(group & 63)
        guard self.words[word] & bit == 0 else { return false }
        self.words[word] |= bit
        self.count += 1
        return true
    }
}

extension AccessPolicy {
    /// The handle of a subject that may act, or that passes on: one that is there and active.
    func active(_ subject: AccessSubject) -> AccessWho? {
        guard let who = self.who(subject), self.table(of: who)[Int(who.handle)].isActive else { return nil }
        return who
    }

    func who(_ subject: AccessSubject) -> AccessWho? {
        guard let key = AccessActorKey(subject) else {
            return self.groups.handle(of: subject.id).map { AccessWho(group: $0) }
        }
        return self.actors.handle(of: key).map { AccessWho(actor: $0) }
    }

    /// The records that a subject's handle leads into.
    func table(of who: AccessWho) -> ContiguousArray<AccessParty> {
        who.isGroup ? self.groups.records : self.actors.records
    }

    func subject(_ who: AccessWho) -> AccessSubject { self.table(of: who)[Int(who.handle)].subject }

    /// Calls `body` with the active groups that an active subject is in, however deep; with a group itself.
    ///
    /// Nothing is allocated while there are at most 8192 groups.
    @inline(__always)
    func withGroups<Result>(of who: AccessWho, _ body: (AccessGroups) -> Result) -> Result {
        let words = (self.groups.records.count + 63) / 64
        return withUnsafeTemporaryAllocation(of: UInt64.self, capacity: words) { seen in
            seen.initialize(repeating: 0)
            var groups = AccessGroups(words: seen)
            self.collect(into: &groups, of: who)
            return body(groups)
        }
    }

    /// The same for a subject that may not be there: without groups.
    func withGroups<Result>(of who: AccessWho?, _ body: (AccessGroups) -> Result) -> Result {
        guard let who else { return body(AccessGroups(words: UnsafeMutableBufferPointer(start: nil, count: 0))) }
        return self.withGroups(of: who, body)
    }

    /// Goes up from group to group; each is looked at once, so circles end.
    private func collect(into seen: inout AccessGroups, of who: AccessWho) {
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: seen.words.count) { pending in
            pending.initialize(repeating: 0)
            self.groups.records.withUnsafeBufferPointer { records in
                if who.isGroup {
                    if seen.insert(who.handle) { pending[Int(who.handle >> 6)] |= 1 << UInt64(who.handle & 63) }
                } else {
                    for group in self.actors[who.handle].groups
                    where records[Int(group)].isActive && seen.insert(group) {
                        pending[Int(group >> 6)] |= 1 << UInt64(group & 63)
                    }
                }
                var isGrowing = seen.count > 0
                while isGrowing {
                    isGrowing = false
                    for word in 0..<pending.count {
                        while pending[word] != 0 {
                            let bits = pending[word]
                            pending[word] = bits & (bits - 1)
                            for group in records[word * 64 + bits.trailingZeroBitCount].groups
                            where records[Int(group)].isActive && seen.insert(group) {
                                pending[Int(group >> 6)] |= 1 << UInt64(group & 63)
                                isGrowing = true
                            }
                        }
                    }
                }
            }
        }
    }
}
