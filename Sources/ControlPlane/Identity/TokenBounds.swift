import Postgres
import Shared

/// What somebody may put into a token, or get out of one: nothing that the one he shows is not for.
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
}
