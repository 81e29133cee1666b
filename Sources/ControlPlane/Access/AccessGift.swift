import Postgres
import Shared

/// Permissions that somebody comes to hold at a scope and below it; or that are taken away there.
///
/// However they are given (by a binding, a membership, a role, the end of a deny rule, the text of a token), one question
/// decides: does the giver hold them himself, at each of these places, within what his token is for, and for as long?
struct AccessGift {
    let permissions: PermissionSet
    let scope: AccessScope
    /// What lets one give them without holding them.
    var waiver = Permission.rolesBind
    /// Who comes to hold them, when that is one: what he is denied further down he does not get there.
    var recipient: AccessSubject?
    /// They are held before this instant; nil for good.
    var until: Timestamp?
    /// They are taken away instead.
    var isTaken = false
    /// They are in a role that nobody has yet: whoever binds it gives them.
    var isUnbound = false

    /// Just before an instant, or before the end of time.
    static func moment(before instant: Timestamp?) -> Timestamp {
        (instant ?? Timestamp(microseconds: Int64.max)).adding(microseconds: -1)
    }
}

/// Says who may give what, in one transaction.
struct AccessGiving {
    private let access: Access
    /// Of those who are given something, as it will be.
    private let policy: AccessPolicy
    /// What the caller is denied, and where.
    ///
    /// Of rules for everybody only those of another partition count: whom he gives something is under those of his own as
    /// he is.
    private let denials: [(permissions: PermissionSet, scope: AccessScope)]
    private var paths: [AccessScope: AccessPath?] = [:]

    init(_ access: Access, to policy: AccessPolicy, of partition: AccessPartition) {
        self.access = access
        self.policy = policy
        guard case .bindings(let caller, let callers, _) = access.context.authority, let own = access.policy else {
            self.denials = []
            return
        }
        self.denials = own.denials(of: caller, withEverybodys: callers != partition, at: access.context.time)
    }

    /// Throws `notAllowed` (`escalation`) unless the caller holds what he gives, wherever it will be held and for as long.
    mutating func require(_ gift: AccessGift, _ tx: inout Transaction) throws {
        try self.require(gift, at: gift.scope, gift.permissions, &tx)
        guard !gift.isTaken, !gift.isUnbound else { return }
        for (scope, permissions) in try self.narrower(gift, &tx) { try self.require(gift, at: scope, permissions, &tx) }
    }

    /// What the bearer of a token comes to hold: what is bound to its subject, within what it is for, while it is good.
    mutating func gifts(of token: APIToken, at time: Timestamp, _ tx: inout Transaction) throws -> [AccessGift] {
        try self.policy.grants(of: token.subject, at: time).compactMap { grant in
            guard let scope = try self.narrower(grant.scope, token.boundary.scope, &tx) else { return nil }
            var permissions = self.policy.permissions(of: grant.role)
            if let allowed = token.boundary.permissions { permissions = permissions.intersection(allowed) }
            let until = [grant.expiresAt, token.expiresAt].compactMap { $0 }.min()
            let gift = AccessGift(permissions: permissions, scope: scope, recipient: token.subject, until: until)
            return AccessGift(
                permissions: try self.withoutDenied(gift, at: scope, &tx), scope: scope, recipient: token.subject,
                until: until)
        }
    }

    /// The lower of a grant's scope and a token's, of which one is above the other; nil when none is.
    private mutating func narrower(
        _ scope: AccessScope, _ within: NodeID?, _ tx: inout Transaction
    ) throws -> AccessScope? {
        guard let within else { return scope }
        if try self.path(to: .node(within), &tx)?.contains(scope) == true { return .node(within) }
        return try self.path(to: scope, &tx)?.contains(.node(within)) == true ? scope : nil
    }

    /// Where, under the gift's scope, the caller is denied some of it, and how much of it is held there.
    private mutating func narrower(
        _ gift: AccessGift, _ tx: inout Transaction
    ) throws -> [(scope: AccessScope, permissions: PermissionSet)] {
        let scopes = Set(
            self.denials.filter { !$0.permissions.intersection(gift.permissions).isEmpty && $0.scope != gift.scope }
                .map(\.scope))
        return try scopes.compactMap { scope in
            guard try self.path(to: scope, &tx)?.contains(gift.scope) == true else { return nil }
            return (scope, try self.withoutDenied(gift, at: scope, &tx))
        }
    }

    /// The gift without what its recipient is denied at a scope for all of its time.
    private mutating func withoutDenied(
        _ gift: AccessGift, at scope: AccessScope, _ tx: inout Transaction
    ) throws -> PermissionSet {
        guard let recipient = gift.recipient, let path = try self.path(to: scope, &tx) else { return gift.permissions }
        return gift.permissions.subtracting(
            self.policy.denied(to: recipient, along: path, at: AccessGift.moment(before: gift.until)))
    }

    private mutating func path(to scope: AccessScope, _ tx: inout Transaction) throws -> AccessPath? {
        if let known = self.paths[scope] { return known }
        let path = try AccessStore.path(to: scope, &tx)
        self.paths[scope] = .some(path)
        return path
    }

    private mutating func require(
        _ gift: AccessGift, at scope: AccessScope, _ permissions: PermissionSet, _ tx: inout Transaction
    ) throws {
        let path = try self.path(to: scope, &tx)
        let time = self.access.context.time
        var held = path.map { self.access.permissions(along: $0, at: time) } ?? PermissionSet()
        var isTooLong = false
        if !gift.isTaken, let path {
            // What one holds until tomorrow is not given, nor prolonged, beyond.
            isTooLong = permissions.isSubset(of: held)
            held = held.intersection(
                self.access.permissions(along: path, at: AccessGift.moment(before: gift.until)))
        }
        let missing = permissions.subtracting(held).permissions
        guard !missing.isEmpty, !held.contains(gift.waiver) else { return }
        let place = try Self.name(scope, &tx)
        let names = missing.prefix(3).map(\.rawValue).joined(separator: ", ")
        let lack = isTooLong ? "which you do not hold there for so long" : "which you do not hold there"
        let more = missing.count > 3 ? " and \(missing.count - 3) more" : ""
        throw ControlError(
            .notAllowed, "escalation",
            "This would \(gift.isTaken ? "deny" : "give") \(names)\(more) at \(place), \(lack); "
                + "\(gift.waiver.rawValue) would allow it."
        ).because("escalation")
    }

    private static func name(_ scope: AccessScope, _ tx: inout Transaction) throws -> String {
        guard case .node(let node) = scope else { return "the instance" }
        return try ScopeNodeStore.find(node, &tx)?.reference.description ?? "a place that is gone"
    }
}
