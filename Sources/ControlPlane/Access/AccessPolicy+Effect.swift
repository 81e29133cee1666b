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
        var comparison = AccessComparison(before: self, after: after, facts: facts, now: time.microseconds)
        return comparison.effect(limit: min(max(limit, 1), 1000))
    }
}

/// A policy before and after facts: whom they can concern, and where.
private struct AccessComparison {
    /// A scope that is there before and after.
    private struct Site {
        let before: AccessPlaces
        let after: AccessPlaces
        /// The scope above it, afterwards; nil for the instance.
        let above: AccessScope?
        /// Its distance from the instance, afterwards.
        let depth: Int
        /// Whether it is one of the touched scopes or under one.
        let isUnderTouched: Bool
    }

    private let before: AccessPolicy
    private let after: AccessPolicy
    private let now: Int64
    private let touched: AccessTouched
    private let hasTree: Bool
    /// What was looked up of scopes; nil for one that is not there before, or not after.
    private var sites: [AccessScope: Site?] = [:]

    init(before: AccessPolicy, after: AccessPolicy, facts: [AccessFact], now: Int64) {
        self.before = before
        self.after = after
        self.now = now
        self.hasTree = before.nodeCount > 0 || after.nodeCount > 0
        self.touched = AccessTouched(before: before, after: after, facts: facts)
    }

    mutating func effect(limit: Int) -> AccessEffect {
        var subjects: [AccessSubjectEffect] = []
        var gaining = 0
        var losing = 0
        var count = 0
        for key in self.touched.actors {
            let isNamed = subjects.count < limit
            let changes = self.changes(of: key.subject, isNamed: isNamed)
            if changes.isEmpty { continue }
            count += 1
            if changes.contains(where: { !$0.gained.isEmpty }) { gaining += 1 }
            if changes.contains(where: { !$0.lost.isEmpty }) { losing += 1 }
            if isNamed { subjects.append(AccessSubjectEffect(subject: key.subject, changes: AccessList(changes))) }
        }
        return AccessEffect(subjects: subjects, gaining: gaining, losing: losing, count: count)
    }

    /// The scopes at which something changes, outermost first.
    ///
    /// For a subject that is named these are all at which another change holds than at the scope above. For the others they
    /// are enough to know whether it gains and whether it loses: without deny rules a change that is nowhere at a touched
    /// scope is nowhere under it either.
    private mutating func changes(of subject: AccessSubject, isNamed: Bool) -> [AccessChange] {
        let (before, after) = (self.before, self.after)
        let who = (before: before.active(subject), after: after.active(subject))
        return before.withGroups(of: who.before) { beforeGroups in
            after.withGroups(of: who.after) { afterGroups in
                let view = AccessView(
                    before: (who.before, beforeGroups), after: (who.after, afterGroups), now: self.now)
                var changes: [(change: AccessChange, depth: Int)] = []
                for scope in self.scopes(for: view, isNamed: isNamed) {
                    guard let site = self.site(scope) else { continue }
                    let change = self.change(for: view, at: scope, site)
                    if change.gained.isEmpty, change.lost.isEmpty { continue }
                    if isNamed, let above = site.above, let siteAbove = self.site(above) {
                        let outer = self.change(for: view, at: above, siteAbove)
                        if outer.gained == change.gained, outer.lost == change.lost { continue }
                    }
                    changes.append((change, site.depth))
                }
                return changes.sorted { left, right in
                    if left.depth != right.depth { return left.depth < right.depth }
                    guard case .node(let first) = left.change.scope, case .node(let second) = right.change.scope
                    else { return false }
                    return first < second
                }.map(\.change)
            }
        }
    }

    private func change(for view: AccessView, at scope: AccessScope, _ site: Site) -> AccessChange {
        let before = view.before.who.map {
            self.before.permissions($0, view.before.groups, site.before, view.now)
        }
        let after = view.after.who.map { self.after.permissions($0, view.after.groups, site.after, view.now) }
        let (had, has) = (before ?? PermissionSet(), after ?? PermissionSet())
        return AccessChange(scope: scope, gained: has.subtracting(had), lost: had.subtracting(has))
    }

    /// Where a change can begin for a subject.
    private mutating func scopes(for view: AccessView, isNamed: Bool) -> Set<AccessScope> {
        if !isNamed, !self.touched.hasDenials, self.touched.scopes.count <= 16 { return self.touched.scopes }
        var spoken: Set<AccessScope> = []
        self.before.note(view.before.who, view.before.groups, into: &spoken)
        self.after.note(view.after.who, view.after.groups, into: &spoken)
        if !isNamed, !self.touched.hasDenials {
            return spoken.intersection(self.touched.scopes).union(self.touched.moved)
        }
        var scopes = self.touched.moved
        for scope in spoken where self.site(scope)?.isUnderTouched == true { scopes.insert(scope) }
        for scope in self.touched.everybodysScopes where self.site(scope)?.isUnderTouched == true {
            scopes.insert(scope)
        }
        return scopes
    }

    private mutating func site(_ scope: AccessScope) -> Site? {
        if let site = self.sites[scope] { return site }
        let site = self.makeSite(scope)
        self.sites[scope] = .some(site)
        return site
    }

    private func makeSite(_ scope: AccessScope) -> Site? {
        var paths: (before: AccessPath, after: AccessPath) = (.instance, .instance)
        if case .node(let node) = scope {
            if self.hasTree {
                guard let before = self.before.path(to: node), let after = self.after.path(to: node) else { return nil }
                paths = (before, after)
            } else {
                guard let path = AccessPath(CollectionOfOne(node)) else { return nil }
                paths = (path, path)
            }
        }
        let above = paths.after.scopes.dropFirst().first
        let isUnderTouched =
            paths.before.scopes.contains(where: self.touched.scopes.contains)
            || paths.after.scopes.contains(where: self.touched.scopes.contains)
        return Site(
            before: self.before.places(along: paths.before), after: self.after.places(along: paths.after), above: above,
            depth: paths.after.count, isUnderTouched: isUnderTouched)
    }
}

/// One subject before and after: nil where it may do nothing, with the groups whose bindings are its own.
private struct AccessView {
    let before: (who: AccessWho?, groups: AccessGroups)
    let after: (who: AccessWho?, groups: AccessGroups)
    let now: Int64
}

extension AccessPolicy {
    /// Adds the scopes at which something is said of a subject or of one of its groups.
    fileprivate func note(_ who: AccessWho?, _ groups: AccessGroups, into scopes: inout Set<AccessScope>) {
        guard let who else { return }
        if !who.isGroup { self.note(self.actors[who.handle], into: &scopes) }
        groups.each { group in
            self.note(self.groups[group], into: &scopes)
            return true
        }
    }

    private func note(_ party: AccessParty, into scopes: inout Set<AccessScope>) {
        for handle in party.bindings { scopes.insert(self.places[self.bindings[handle].place].scope) }
        for handle in party.denials { scopes.insert(self.places[self.denials[handle].place].scope) }
    }
}
