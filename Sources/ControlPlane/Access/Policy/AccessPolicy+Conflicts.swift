package import Shared

extension AccessPolicy {
    /// The separations of duties that a subject's bindings are against, by their ids, each with one pair of bindings.
    ///
    /// Deny rules are not looked at, nor bindings that have expired. Where this policy knows no nodes (the instance's), only
    /// the same node is the same scope, and the instance is above them all.
    package func conflicts(of subject: AccessSubject, at time: Timestamp) -> [AccessConflict] {
        guard !self.separations.isEmpty, let who = self.active(subject) else { return [] }
        let now = time.microseconds
        let held = self.held(by: who) { now < $0.expires }.sorted { $0.id < $1.id }
        if held.isEmpty { return [] }
        var chains: AccessChains?
        return self.separations.values.sorted { $0.id < $1.id }.compactMap { separation in
            guard let (first, second) = self.conflict(among: held, separation) else { return nil }
            let ways = chains ?? AccessChains(self, of: who)
            chains = ways
            return AccessConflict(
                separation: separation.id, first: self.grant(first, of: who, ways),
                second: self.grant(second, of: who, ways))
        }
    }

    private func conflict(
        among held: [AccessBindingRecord], _ separation: AccessSeparation
    ) -> (AccessBindingRecord, AccessBindingRecord)? {
        let firsts = self.byPlace(held, separation.first)
        let seconds = self.byPlace(held, separation.second)
        for second in held where seconds[second.place]?.id == second.id {
            if let first = self.above(second.place, in: firsts) { return (first, second) }
        }
        for first in held where firsts[first.place]?.id == first.id {
            if let second = self.above(first.place, in: seconds) { return (first, second) }
        }
        return nil
    }

    /// At each place, the first of the bindings that allow something of these permissions.
    private func byPlace(
        _ bindings: [AccessBindingRecord], _ permissions: PermissionSet
    ) -> [Int32: AccessBindingRecord] {
        var result: [Int32: AccessBindingRecord] = [:]
        for binding in bindings where result[binding.place] == nil {
            guard !self.roles[binding.role].permissions.intersection(permissions).isEmpty else { continue }
            result[binding.place] = binding
        }
        return result
    }

    /// What is there at a place or at the next above it.
    private func above(_ place: Int32, in bindings: [Int32: AccessBindingRecord]) -> AccessBindingRecord? {
        if bindings.isEmpty { return nil }
        var handle = place
        for _ in 0..<AccessPath.capacity where handle != Self.instance {
            if let found = bindings[handle] { return found }
            handle = self.places[handle].parent
        }
        return bindings[Self.instance]
    }
}
