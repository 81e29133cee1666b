package import Shared

/// The places of a path that something is said at, innermost first, with the instance.
struct AccessPlaces {
    private var handles = InlineArray<13, Int32>(repeating: 0)
    private(set) var count = 0
    fileprivate(set) var hasGrants = false
    fileprivate(set) var hasDenials = false

    fileprivate mutating func append(_ handle: Int32) {
        self.handles[self.count] = handle
        self.count += 1
    }

    subscript(position: Int) -> Int32 { self.handles[position] }
}

extension AccessPolicy {
    /// Whether a subject may do something somewhere, at an instant.
    ///
    /// - Parameter path: where; it may be another policy's.
    package func allows(
        _ subject: AccessSubject, _ permission: Permission, along path: AccessPath, at time: Timestamp
    ) -> Bool {
        let places = self.places(along: path)
        guard places.hasGrants, let who = self.active(subject) else { return false }
        let bit = permission.index
        let now = time.microseconds
        return self.withGroups(of: who) { groups in
            if places.hasDenials {
                for position in 0..<places.count
                where self.denies(who, groups, bit, at: places[position], now) { return false }
            }
            for position in 0..<places.count where self.grants(who, groups, bit, at: places[position], now) {
                return true
            }
            return false
        }
    }

    /// Everything that a subject may do somewhere, at an instant.
    package func permissions(
        of subject: AccessSubject, along path: AccessPath, at time: Timestamp
    ) -> PermissionSet {
        guard let who = self.active(subject) else { return PermissionSet() }
        return self.withGroups(of: who) { self.permissions(who, $0, self.places(along: path), time.microseconds) }
    }

    /// What deny rules take away from an active subject somewhere, at an instant.
    func denied(to subject: AccessSubject, along path: AccessPath, at time: Timestamp) -> PermissionSet {
        guard let who = self.active(subject) else { return PermissionSet() }
        let places = self.places(along: path)
        return self.withGroups(of: who) { groups in
            var denied = PermissionSet()
            for position in 0..<places.count {
                self.places.records[Int(places[position])].denials.each(who, in: groups) { entry in
                    if time.microseconds < entry.expires {
                        denied = denied.union(self.denials[entry.what].permissions)
                    }
                    return true
                }
            }
            return denied
        }
    }

    func permissions(_ who: AccessWho, _ groups: AccessGroups, _ places: AccessPlaces, _ now: Int64) -> PermissionSet {
        guard places.hasGrants else { return PermissionSet() }
        var granted = PermissionSet()
        var denied = PermissionSet()
        for position in 0..<places.count {
            let place = places[position]
            self.places.records[Int(place)].grants.each(who, in: groups) { entry in
                if now < entry.expires { granted = granted.union(self.roles[entry.what].permissions) }
                return true
            }
            self.places.records[Int(place)].denials.each(who, in: groups) { entry in
                if now < entry.expires { denied = denied.union(self.denials[entry.what].permissions) }
                return true
            }
        }
        return granted.subtracting(denied)
    }

    /// What a path is in this policy.
    func places(along path: AccessPath) -> AccessPlaces {
        var places = AccessPlaces()
        for position in 0..<path.count {
            if let handle = self.places.handle(of: .node(path[position])) { self.add(handle, to: &places) }
        }
        self.add(Self.instance, to: &places)
        return places
    }

    private func add(_ handle: Int32, to places: inout AccessPlaces) {
        let hasGrants = !self.places.records[Int(handle)].grants.isEmpty
        let hasDenials = !self.places.records[Int(handle)].denials.isEmpty
        guard hasGrants || hasDenials else { return }
        places.append(handle)
        if hasGrants { places.hasGrants = true }
        if hasDenials { places.hasDenials = true }
    }

    private func grants(_ who: AccessWho, _ groups: AccessGroups, _ bit: Int, at place: Int32, _ now: Int64) -> Bool {
        var isGranted = false
        self.places.records[Int(place)].grants.each(who, in: groups) { entry in
            isGranted = now < entry.expires && self.roles.records[Int(entry.what)].permissions.contains(index: bit)
            return !isGranted
        }
        return isGranted
    }

    private func denies(_ who: AccessWho, _ groups: AccessGroups, _ bit: Int, at place: Int32, _ now: Int64) -> Bool {
        var isDenied = false
        self.places.records[Int(place)].denials.each(who, in: groups) { entry in
            isDenied = now < entry.expires && self.denials.records[Int(entry.what)].permissions.contains(index: bit)
            return !isDenied
        }
        return isDenied
    }
}
