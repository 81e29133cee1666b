import Postgres
import Shared

/// What somebody may put into a token, or get out of one: nothing that he does not have.
enum TokenBounds {
    /// Refuses a token that may be used for more, or from more places, than the one that the caller shows.
    ///
    /// - Parameter context: the caller's, with what decides on all that he may do.
    static func check(_ token: APIToken, as context: OperationContext, _ tx: inout Transaction) throws {
        guard case .bindings(_, _, let own) = context.authority else { return }
        if let allowed = own.permissions {
            guard let asked = token.boundary.permissions else {
                throw Self.tooWide("The token in use is for some permissions only; name those of it.", "/permissions")
            }
            if let beyond = asked.subtracting(allowed).permissions.first {
                throw Self.tooWide("The token in use is not for \(beyond.rawValue).", "/permissions")
            }
        }
        if let within = own.scope {
            guard let asked = token.boundary.scope, try Self.isBelow(asked, within, &tx) else {
                throw Self.tooWide("The token in use is for one scope only; name it or one below it.", "/scope")
            }
        }
        try self.checkNetworks(token.allowedNetworks, as: context, &tx)
    }

    private static func isBelow(_ node: NodeID, _ ancestor: NodeID, _ tx: inout Transaction) throws -> Bool {
        try tx.queryOne(
            "select true as found from scope_closure where ancestor_id = $1 and descendant_id = $2", ancestor, node
        ) != nil
    }

    static func checkNetworks(
        _ networks: [String], as context: OperationContext, _ tx: inout Transaction
    ) throws {
        guard let shown = try context.token.flatMap({ try APITokenStore.find($0, &tx) }) else { return }
        let allowed = shown.allowedNetworks.compactMap { NetworkRange($0) }
        guard !allowed.isEmpty else { return }
        let isWithin = networks.allSatisfy { text in
            guard let asked = NetworkRange(text) else { return false }
            return allowed.contains { $0.prefix <= asked.prefix && $0.contains(asked.address) }
        }
        guard isWithin, !networks.isEmpty else {
            throw Self.tooWide(
                "The token in use is for some networks only; name those or parts of them.", "/allowed_networks")
        }
    }

    private static func tooWide(_ detail: String, _ pointer: String) -> ControlError {
        ControlError(.notAllowed, "boundary_too_wide", detail, pointer: pointer).because("boundary_too_wide")
    }

    /// Refuses a token of a service account that may do what the caller may not: whoever has its text has what it has.
    ///
    /// What he may bind he could give himself, and so may have.
    static func checkEscalation(
        by token: APIToken, _ gate: Gate, _ authorizer: Authorizer, _ tx: inout Transaction
    ) throws {
        let context = gate.access.context
        guard case .bindings(let caller, let partition, _) = context.authority else { return }
        let bearer = OperationContext(
            actor: Actor(kind: .serviceAccount, id: token.subject.id),
            authority: .bindings(token.subject, of: AccessPartition(token.organization), within: token.boundary),
            request: context.request, time: context.time)
        let theirs = try authorizer.access(of: bearer, &tx)
        var scopes = Set(try APITokenStore.scopes(of: token.subject, for: caller, in: partition, &tx))
        if let within = token.boundary.scope { scopes.insert(.node(within)) }
        for scope in scopes where try !gate.access.allows(.rolesBind, at: scope, &tx) {
            let excess = try theirs.permissions(at: scope, &tx).subtracting(gate.access.permissions(at: scope, &tx))
            guard let permission = excess.permissions.first else { continue }
            throw ControlError(
                .notAllowed, "escalation",
                "The token would hold \(permission.rawValue) where you do not; give it fewer permissions."
            ).because("escalation")
        }
    }
}
