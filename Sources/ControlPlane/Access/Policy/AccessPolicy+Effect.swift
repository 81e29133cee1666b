package import Shared

extension AccessPolicy {
    /// Who would gain and who would lose what, and where, by these facts.
    ///
    /// Only nodes that are there before and after are looked at: what is made or goes is no gain or loss. Where the policy
    /// knows no nodes (the instance's), each node that is spoken of is taken for an organization. Separations change nothing.
    ///
    /// - Parameter limit: most subjects that are named, 1 to 1000; all are counted.
    package func effect(of facts: [AccessFact], at time: Timestamp, limit: Int = 100) -> AccessEffect {
        var after = self
        after.apply(facts)
        let touched = AccessTouched(before: self, after: after, facts: facts, now: time.microseconds)
        var comparison = AccessComparison(before: self, after: after, touched, now: time.microseconds)
        return comparison.effect(limit: min(max(limit, 1), 1000))
    }
}

/// A policy before and after facts, subject by subject.
private struct AccessComparison {
    private let before: AccessPolicy
    private let after: AccessPolicy
    private let touched: AccessTouched
    private var sites: AccessSites
    private let touchedSites: [Int]
    private let movedSites: [Int]
    private let everybodysSites: [Int]

    init(before: AccessPolicy, after: AccessPolicy, _ touched: AccessTouched, now: Int64) {
        self.before = before
        self.after = after
        self.touched = touched
        var sites = AccessSites(before: before, after: after, touched: touched.scopes, now: now)
        self.touchedSites = touched.scopes.compactMap { sites.site(of: $0) }
        self.movedSites = touched.moved.compactMap { sites.site(of: $0) }
        self.everybodysSites = touched.everybodysScopes.compactMap { sites.site(of: $0) }
            .filter { sites.isUnderTouched($0) }
        self.sites = sites
    }

    mutating func effect(limit: Int) -> AccessEffect {
        var subjects: [AccessSubjectEffect] = []
        var gaining = 0
        var losing = 0
        var count = 0
        for key in self.touched.actors {
            let (found, changes) = self.compare(key.subject, isNamed: subjects.count < limit)
            guard found.gains || found.loses else { continue }
            count += 1
            if found.gains { gaining += 1 }
            if found.loses { losing += 1 }
            if let changes { subjects.append(AccessSubjectEffect(subject: key.subject, changes: AccessList(changes))) }
        }
        return AccessEffect(subjects: subjects, gaining: gaining, losing: losing, count: count)
    }

    /// Whether a subject gains and whether it loses anything; with the changes when it is to be named and there are any.
    private mutating func compare(
        _ subject: AccessSubject, isNamed: Bool
    ) -> (found: AccessDirection, changes: [AccessChange]?) {
        let (before, after) = (self.before, self.after)
        let (old, new) = (before.active(subject), after.active(subject))
        return before.withGroups(of: old) { oldGroups in
            after.withGroups(of: new) { newGroups in
                let view = AccessView(old: old, new: new, oldGroups: oldGroups, newGroups: newGroups)
                self.sites.begin()
                let found = self.direction(for: view)
                guard isNamed, found.gains || found.loses else { return (found, nil) }
                return (found, self.changes(for: view))
            }
        }
    }

    /// Without deny rules that come or go, a change that is at no touched scope is nowhere under them either, and under one
    /// it goes the same way.
    private mutating func direction(for view: AccessView) -> AccessDirection {
        var found = AccessDirection()
        for site in self.firstSites(for: view) where self.look(at: site, for: view, &found) { return found }
        guard self.touched.hasDenials else { return found }
        for site in self.ownSites(for: view) where self.look(at: site, for: view, &found) { return found }
        return found
    }

    /// True when nothing more can be found.
    private mutating func look(at site: Int, for view: AccessView, _ found: inout AccessDirection) -> Bool {
        let change = self.sites.change(at: site, for: view)
        if !change.gained.isEmpty { found.gains = true }
        if !change.lost.isEmpty { found.loses = true }
        return (found.gains || !self.touched.direction.gains) && (found.loses || !self.touched.direction.loses)
    }

    /// The touched scopes that can be the subject's.
    private mutating func firstSites(for view: AccessView) -> [Int] {
        if self.touchedSites.count <= 4 { return self.touchedSites }
        return self.ownSites(for: view).filter { self.sites.isTouched($0) }
    }

    /// The scopes at which another change can hold than above: those where something that matters is said of the subject, of
    /// its groups or of everybody, and nodes that move.
    private mutating func ownSites(for view: AccessView) -> [Int] {
        var handles: [Int32] = []
        var own: [Int] = []
        self.sites.beginMarks()
        self.before.places(view.old, view.oldGroups, self.touched.permissions, into: &handles)
        for handle in handles {
            if let site = self.sites.site(before: handle), self.sites.isUnderTouched(site), self.sites.mark(site) {
                own.append(site)
            }
        }
        handles.removeAll(keepingCapacity: true)
        self.after.places(view.new, view.newGroups, self.touched.permissions, into: &handles)
        for handle in handles {
            if let site = self.sites.site(after: handle), self.sites.isUnderTouched(site), self.sites.mark(site) {
                own.append(site)
            }
        }
        // Last: those of bindings are likelier to show a change.
        for site in self.movedSites where self.sites.mark(site) { own.append(site) }
        for site in self.everybodysSites where self.sites.mark(site) { own.append(site) }
        return own
    }

    /// The scopes at which another change holds than above, outermost first.
    private mutating func changes(for view: AccessView) -> [AccessChange] {
        var changes: [(change: AccessChange, depth: Int)] = []
        for site in self.ownSites(for: view) {
            let change = self.sites.change(at: site, for: view)
            if change.gained.isEmpty, change.lost.isEmpty { continue }
            if let above = self.sites.above(site), self.sites.change(at: above, for: view) == change { continue }
            changes.append(
                (
                    AccessChange(scope: self.sites.scope(site), gained: change.gained, lost: change.lost),
                    self.sites.depth(site)
                ))
        }
        return changes.sorted { left, right in
            if left.depth != right.depth { return left.depth < right.depth }
            guard case .node(let first) = left.change.scope, case .node(let second) = right.change.scope else {
                return false
            }
            return first < second
        }.map(\.change)
    }
}

/// Which ways something changes.
struct AccessDirection {
    var gains = false
    var loses = false
}

extension AccessPolicy {
    /// The places at which a binding or deny rule, of these permissions, is a subject's or one of its groups'.
    fileprivate func places(
        _ who: AccessWho?, _ groups: AccessGroups, _ permissions: PermissionSet, into places: inout [Int32]
    ) {
        guard let who else { return }
        if !who.isGroup {
            self.actors.records.withUnsafeBufferPointer {
                self.note($0[Int(who.handle)].bindings, $0[Int(who.handle)].denials, permissions, into: &places)
            }
        }
        self.groups.records.withUnsafeBufferPointer { records in
            groups.each { group in
                self.note(records[Int(group)].bindings, records[Int(group)].denials, permissions, into: &places)
                return true
            }
        }
    }

    private func note(
        _ bindings: [Int32], _ denials: [Int32], _ permissions: PermissionSet, into places: inout [Int32]
    ) {
        for handle in bindings {
            let role = self.bindings.records[Int(handle)].role
            if self.roles.records[Int(role)].permissions.intersection(permissions).isEmpty { continue }
            places.append(self.bindings.records[Int(handle)].place)
        }
        for handle in denials where !self.denials[handle].permissions.intersection(permissions).isEmpty {
            places.append(self.denials[handle].place)
        }
    }
}
