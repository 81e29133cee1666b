package import Shared

/// What gateways do with requests that a hard budget bounds while they have no money of it and cannot ask for any.
package enum BudgetAway: Sendable, Hashable {
    /// They are refused.
    case deny
    /// They are served as long as a process spends at most this much more than it was granted of a window.
    case allowance(NanoUSD)
    /// They are served and charged, without a bound.
    case open

    package static let names = ["deny", "allowance", "open"]

    package var name: String {
        switch self {
        case .deny: "deny"
        case .allowance: "allowance"
        case .open: "open"
        }
    }

    package var allowance: NanoUSD? {
        if case .allowance(let amount) = self { amount } else { nil }
    }

    /// What a body says, put over what was there before.
    package init(_ body: JSONValue, over before: BudgetAway = .deny) throws(ControlError) {
        let given = try Budget.amount(
            body, dollars: "away_allowance_usd", nano: "away_allowance_nano_usd")
        let name = body["away"]?.string ?? before.name
        guard name == "allowance" else {
            guard given == nil else {
                throw .invalid("It is of a budget whose 'away' is 'allowance'.", at: "/away_allowance_usd")
            }
            self = name == "open" ? .open : .deny
            return
        }
        guard let amount = given ?? before.allowance else {
            throw .invalid("Say how much: 'away' is 'allowance'.", at: "/away_allowance_usd")
        }
        self = .allowance(amount)
    }

    /// As a database has it; nil for one of a newer release.
    init?(name: String, allowance: NanoUSD?) {
        switch (name, allowance) {
        case ("deny", nil): self = .deny
        case ("open", nil): self = .open
        case ("allowance", let amount?): self = .allowance(amount)
        default: return nil
        }
    }
}
