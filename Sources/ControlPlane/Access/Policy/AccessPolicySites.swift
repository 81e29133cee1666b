import Shared

/// One subject before and after facts: nil where it may do nothing.
struct AccessView {
    let old: AccessWho?
    let new: AccessWho?
    let oldGroups: AccessGroups
    let newGroups: AccessGroups
}

/// The scopes that are there before and after facts, and what one subject after the other may do at them.
///
/// What holds at a scope is worked out once for each subject, from what holds at the scope above.
struct AccessSites {
    struct Change: Equatable {
        let gained: PermissionSet
        let lost: PermissionSet
    }

    private struct Site {
        let scope: AccessScope
        /// Where it is before; the instance's where nothing is said of it and there are no nodes.
        let old: Int32
        let new: Int32
        /// Its distance from the instance, afterwards.
        let depth: Int
        let isTouched: Bool
        let isUnderTouched: Bool
        /// The last collection that it was marked for.
        var mark = 0
    }

    private static let unknown: Int32 = -1
    private static let missing: Int32 = -2

    private var old: AccessTrack
    private var new: AccessTrack
    private let hasTree: Bool
    private let touched: Set<AccessScope>
    private var sites: [Site] = []
    private var marks = 0
    private var byScope: [AccessScope: Int] = [:]
    /// By handle: a site, or that it is not known or that there is none.
    private var byOld: [Int32]
    private var byNew: [Int32]

    init(before: AccessPolicy, after: AccessPolicy, touched: Set<AccessScope>, now: Int64) {
        self.old = AccessTrack(before, now)
        self.new = AccessTrack(after, now)
        self.hasTree = before.nodeCount > 0 || after.nodeCount > 0
        self.touched = touched
        self.byOld = [Int32](repeating: Self.unknown, count: before.places.records.count)
        self.byNew = [Int32](repeating: Self.unknown, count: after.places.records.count)
    }

    // MARK: Sites

    mutating func site(before handle: Int32) -> Int? {
        if self.byOld[Int(handle)] == Self.unknown {
            let site = self.site(of: self.old.policy.places[handle].scope)
            self.byOld[Int(handle)] = site.map { Int32($0) } ?? Self.missing
        }
        let site = self.byOld[Int(handle)]
        return site == Self.missing ? nil : Int(site)
    }

    mutating func site(after handle: Int32) -> Int? {
        if self.byNew[Int(handle)] == Self.unknown {
            let site = self.site(of: self.new.policy.places[handle].scope)
            self.byNew[Int(handle)] = site.map { Int32($0) } ?? Self.missing
        }
        let site = self.byNew[Int(handle)]
        return site == Self.missing ? nil : Int(site)
    }

    /// Nil where the scope is not there before, or not after.
    mutating func site(of scope: AccessScope) -> Int? {
        if let site = self.byScope[scope] { return site }
        guard let site = self.make(scope) else { return nil }
        self.sites.append(site)
        self.byScope[scope] = self.sites.count - 1
        return self.sites.count - 1
    }

    private func make(_ scope: AccessScope) -> Site? {
        let old = self.old.policy.places.handle(of: scope)
        let new = self.new.policy.places.handle(of: scope)
        var paths: (old: AccessPath, new: AccessPath) = (.instance, .instance)
        if case .node(let node) = scope {
            if self.hasTree {
                guard let old, let new, let oldPath = self.old.policy.path(toPlace: old),
                    let newPath = self.new.policy.path(toPlace: new)
                else { return nil }
                paths = (oldPath, newPath)
            } else {
                guard let path = AccessPath(CollectionOfOne(node)) else { return nil }
                paths = (path, path)
            }
        }
        return Site(
            scope: scope, old: old ?? AccessPolicy.instance, new: new ?? AccessPolicy.instance, depth: paths.new.count,
            isTouched: self.touched.contains(scope),
            isUnderTouched: paths.old.scopes.contains(where: self.touched.contains)
                || paths.new.scopes.contains(where: self.touched.contains))
    }

    func scope(_ site: Int) -> AccessScope { self.sites[site].scope }
    func depth(_ site: Int) -> Int { self.sites[site].depth }
    func isTouched(_ site: Int) -> Bool { self.sites[site].isTouched }
    func isUnderTouched(_ site: Int) -> Bool { self.sites[site].isUnderTouched }

    /// The scope above, afterwards; nil for the instance, and where that was not there before.
    mutating func above(_ site: Int) -> Int? {
        guard self.sites[site].scope != .instance else { return nil }
        guard self.sites[site].new != AccessPolicy.instance else { return self.site(of: .instance) }
        return self.site(after: self.new.policy.places[self.sites[site].new].parent)
    }

    /// Begins to collect sites anew.
    mutating func beginMarks() { self.marks += 1 }

    /// False when it is collected already.
    mutating func mark(_ site: Int) -> Bool {
        guard self.sites[site].mark != self.marks else { return false }
        self.sites[site].mark = self.marks
        return true
    }

    // MARK: What one subject may do

    /// Goes on to another subject.
    mutating func begin() {
        self.old.begin()
        self.new.begin()
    }

    mutating func change(at site: Int, for view: AccessView) -> Change {
        let had = self.old.permissions(of: view.old, view.oldGroups, at: self.sites[site].old)
        let has = self.new.permissions(of: view.new, view.newGroups, at: self.sites[site].new)
        return Change(gained: has.subtracting(had), lost: had.subtracting(has))
    }
}

/// What one subject after the other holds at the places of a policy.
private struct AccessTrack {
    private struct Held {
        /// The number of the subject that it is worked out for.
        var subject = 0
        var granted = PermissionSet()
        var denied = PermissionSet()
    }

    let policy: AccessPolicy
    private let now: Int64
    private var subject = 0
    private var held: [Held]

    init(_ policy: AccessPolicy, _ now: Int64) {
        self.policy = policy
        self.now = now
        self.held = [Held](repeating: Held(), count: policy.places.records.count)
    }

    mutating func begin() { self.subject += 1 }

    mutating func permissions(of who: AccessWho?, _ groups: AccessGroups, at place: Int32) -> PermissionSet {
        guard let who else { return PermissionSet() }
        let held = self.held(by: who, groups, at: place, AccessPath.capacity)
        return held.granted.subtracting(held.denied)
    }

    /// - Parameter levels: how many nodes may be above each other.
    private mutating func held(by who: AccessWho, _ groups: AccessGroups, at place: Int32, _ levels: Int) -> Held {
        if self.held[Int(place)].subject == self.subject { return self.held[Int(place)] }
        var held = Held(subject: self.subject)
        if place != AccessPolicy.instance, levels > 0 {
            held = self.held(by: who, groups, at: self.policy.places.records[Int(place)].parent, levels - 1)
        }
        self.policy.places.records[Int(place)].grants.each(who, in: groups) { entry in
            if self.now < entry.expires {
                held.granted = held.granted.union(self.policy.roles.records[Int(entry.what)].permissions)
            }
            return true
        }
        self.policy.places.records[Int(place)].denials.each(who, in: groups) { entry in
            if self.now < entry.expires {
                held.denied = held.denied.union(self.policy.denials.records[Int(entry.what)].permissions)
            }
            return true
        }
        self.held[Int(place)] = held
        return held
    }
}
