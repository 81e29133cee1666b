/// The level of the scope tree that a budget, a rate limit or a refusal is of.
///
/// Numbers are part of the wire format: append only.
package enum BudgetLevel: UInt8, Sendable, CaseIterable {
    case organization = 1
    case unit = 2
    case project = 3
    case owner = 4
    case key = 5
    case tag = 6

    package var name: StaticString {
        switch self {
        case .organization: "organization"
        case .unit: "unit"
        case .project: "project"
        case .owner: "user"
        case .key: "key"
        case .tag: "tag"
        }
    }
}
