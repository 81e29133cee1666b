import Postgres
package import Shared

extension Identity {
    /// Forgets a person: deletes the user, erases what is said of him, and destroys the key that his data in the audit log
    /// is under.
    ///
    /// The leaves of the log stay as they are, and so do identifiers. Done again, it erases again: what a restored backup
    /// brought back.
    ///
    /// - Parameter reason: kept in the audit log.
    package func forgetUser(
        _ id: UserID, reason: String, as context: OperationContext
    ) async throws -> Resolved<ForgottenUser> {
        let outcome = try await self.changes.perform(.usersForget, on: Target(id), as: context) { tx, gate in
            guard let found = try ForgettingStore.find(id, held: true, &tx) else {
                throw ControlError.notFound("user")
            }
            let permit = try gate.permit(at: found.place, &tx)
            var ended: SubjectEnd.Ended?
            if let user = try UserStore.find(id, &tx) {
                try Self.checkRemoval(AccessSubject(id), in: user.partition, gate, &tx)
                try ForgettingStore.eraseReasons(of: id, &tx, permit)
                ended = try UserStore.remove(user, at: context.time, &tx, permit)
            }
            try ForgettingStore.erase(id, at: context.time, &tx, permit)
            try SubjectKeys.destroy(id.value, at: context.time, &tx, permit)
            let forgotten = ForgottenUser(
                id: id, organization: found.organization, forgottenAt: found.forgottenAt ?? context.time)
            return Change(
                forgotten, in: found.organization,
                after: Forgetting(user: forgotten, ended: ended, reason: reason))
        }
        return try await outcome.resolved { _ in try await self.forgottenUser(id, as: context) }
    }

    private func forgottenUser(_ id: UserID, as context: OperationContext) async throws -> ForgottenUser {
        try await self.reads.perform(.usersForget, as: context) { tx, sight in
            guard let found = try ForgettingStore.find(id, held: false, &tx), let at = found.forgottenAt else {
                throw ControlError.notFound("user")
            }
            try sight.require(found.place, "user", &tx)
            return ForgottenUser(id: id, organization: found.organization, forgottenAt: at)
        }
    }
}
