import ControlPlane
import Shared

/// Whether an effect is the difference of two full evaluations, before and after.
struct AccessEffectCheck {
    private let actors: [AccessSubject]
    private let before: AccessEvaluation
    private let after: AccessEvaluation

    init(_ actors: [AccessSubject], _ before: AccessEvaluation, _ after: AccessEvaluation) {
        self.actors = actors.sorted { $0.id != $1.id ? $0.id < $1.id : $0.kind == .user && $1.kind != .user }
        self.before = before
        self.after = after
    }

    func check(_ effect: AccessEffect, limit: Int) throws(AccessMismatch) {
        var named: [AccessSubjectEffect] = []
        var gaining = 0, losing = 0, count = 0
        for actor in self.actors {
            guard let subject = self.before.subjects.firstIndex(of: actor) else { continue }
            var changes: [AccessChange] = []
            var hasGained = false, hasLost = false
            for place in self.after.places {
                guard let scope = place.scope, let change = self.change(subject, scope) else { continue }
                if change.gained == 0, change.lost == 0 { continue }
                if change.gained != 0 { hasGained = true }
                if change.lost != 0 { hasLost = true }
                let above = place.scopes.count > 1 ? self.change(subject, place.scopes[1]) : nil
                if let above, above == change { continue }
                changes.append(
                    AccessChange(
                        scope: scope, gained: AccessEvaluation.set(change.gained),
                        lost: AccessEvaluation.set(change.lost)))
            }
            if hasGained { gaining += 1 }
            if hasLost { losing += 1 }
            guard hasGained || hasLost else { continue }
            count += 1
            guard count <= limit else { continue }
            guard let found = effect.subjects.first(where: { $0.subject == actor }) else {
                throw AccessMismatch("effect on \(actor) is missing: \(changes)")
            }
            try expectAccess(
                found.changes.count == changes.count && Set(found.changes.items) == Set(changes),
                "effect on \(actor): \(found.changes.items), not \(changes)")
            try self.checkOrder(found)
            named.append(found)
        }
        try expectAccess(effect.subjects == named, "subjects of \(effect), not \(named)")
        try expectAccess(
            effect.gaining == gaining && effect.losing == losing && effect.count == count,
            "\(effect.gaining) gain, \(effect.losing) lose of \(effect.count), not \(gaining), \(losing), \(count)")
    }

    /// Nil where the scope is not there before or not there after.
    private func change(_ subject: Int, _ scope: AccessScope) -> (gained: UInt64, lost: UInt64)? {
        guard let had = self.before.allowed(subject, at: scope), let has = self.after.allowed(subject, at: scope)
        else { return nil }
        return (has & ~had, had & ~has)
    }

    private func checkOrder(_ effect: AccessSubjectEffect) throws(AccessMismatch) {
        let depths = effect.changes.items.map { change in
            self.after.places.first { $0.scope == change.scope }?.scopes.count ?? 0
        }
        try expectAccess(depths == depths.sorted(), "order of \(effect)")
    }
}
