import Shared

/// Which targets of a route were tried, and which is next.
package struct TargetCursor {
    /// One bit for each target: a route has at most 32.
    private var tried: UInt32 = 0
    package private(set) var current = -1

    package init() {}

    /// The next target: of the lowest order with one untried, chosen by weight; nil when none is left.
    ///
    /// - Parameter random: decides among targets of the same order.
    package mutating func next(of route: borrowing RouteEntry, random: UInt64) -> TargetEntry? {
        var order = Int.max
        var total = 0
        for index in route.targets.indices where self.tried >> UInt32(index) & 1 == 0 {
            let target = route.targets[index]
            if target.order < order {
                order = target.order
                total = 0
            }
            if target.order == order { total += target.weight }
        }
        guard order < .max else { return nil }
        var pick = total > 0 ? Int(random % UInt64(total)) : 0
        for index in route.targets.indices where self.tried >> UInt32(index) & 1 == 0 {
            let target = route.targets[index]
            guard target.order == order else { continue }
            if total == 0 || pick < target.weight {
                self.tried |= 1 << UInt32(index)
                self.current = index
                return target
            }
            pick -= target.weight
        }
        return nil
    }
}
