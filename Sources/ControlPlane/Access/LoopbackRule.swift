import Postgres
import Shared

extension Gate {
    /// Refuses a URL of the machine that gateways or the control plane run on to whoever holds the permission for a part of
    /// the instance only: what listens there is its operator's.
    ///
    /// Nothing is said of a text that is no URL.
    func requireInstance(forLoopback url: String, at pointer: String, _ tx: inout Transaction) throws {
        guard let parsed = try? UpstreamURL(url), WebhookNetworks.isLoopback(parsed.host),
            try !self.access.allows(self.permission, at: .instance, &tx)
        else { return }
        throw ControlError(
            .notAllowed, "loopback_not_allowed",
            "Addresses of the machine itself are for those who hold \(self.permission.rawValue) for the instance.",
            pointer: pointer)
    }
}
