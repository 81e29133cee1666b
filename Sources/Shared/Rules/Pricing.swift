/// Which of a provider's price lists a request was served under.
///
/// Numbers are part of the wire format: append only.
package enum ServiceTier: UInt8, Sendable, CaseIterable {
    case standard = 0
    case flex = 1
    case priority = 2
    case batch = 3

    package var name: String {
        switch self {
        case .standard: "standard"
        case .flex: "flex"
        case .priority: "priority"
        case .batch: "batch"
        }
    }

    package init?(name: String) {
        guard let tier = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = tier
    }
}

/// The price of one line item.
package struct PriceItem: Hashable, Sendable {
    package let meter: Meter
    /// Nano-USD for a million units; never negative.
    package let nanoUSDPerMillion: Int64
    /// The item applies to requests whose prompt is longer than this many tokens; 0 for the base price.
    ///
    /// All-or-nothing: one tier prices every unit of the request.
    package let abovePromptTokens: Int64
    package let tier: ServiceTier

    package init(meter: Meter, nanoUSDPerMillion: Int64, abovePromptTokens: Int64 = 0, tier: ServiceTier = .standard) {
        self.meter = meter
        self.nanoUSDPerMillion = nanoUSDPerMillion
        self.abovePromptTokens = abovePromptTokens
        self.tier = tier
    }
}

/// The one rule that turns units into money, on the gateway and at ingest.
package enum Pricing {
    /// The cost of `usage`: for each meter, units times price, rounded up to the nano-dollar; summed.
    ///
    /// A service tier without an item of its own is charged at the standard price, a meter without one at that of its
    /// `fallback`. Negative units count as none. Saturates at the largest amount.
    package static func cost(of usage: UsageCounters, items: [PriceItem], tier: ServiceTier) -> NanoUSD {
        let prompt = usage.promptTokens
        var total = NanoUSD.zero
        for number in Meter.numbers {
            guard let meter = Meter(rawValue: number) else { continue }
            let units = usage[meter]
            guard units > 0, let price = Self.price(of: meter, prompt: prompt, items: items, tier: tier) else {
                continue
            }
            total = total.addingSaturating(Self.charge(units: units, nanoUSDPerMillion: price))
        }
        return total
    }

    /// `ceil(units * price / 1,000,000)`, with a 128-bit product.
    package static func charge(units: Int64, nanoUSDPerMillion: Int64) -> NanoUSD {
        guard units > 0, nanoUSDPerMillion > 0 else { return .zero }
        let product = UInt64(units).multipliedFullWidth(by: UInt64(nanoUSDPerMillion))
        guard product.high < 1_000_000 else { return .max }
        let (quotient, remainder) = UInt64(1_000_000).dividingFullWidth(product)
        guard quotient < UInt64(Int64.max) else { return .max }
        return NanoUSD(Int64(quotient) + (remainder > 0 ? 1 : 0))
    }

    private static func price(
        of meter: Meter, prompt: Int64, items: [PriceItem], tier: ServiceTier
    ) -> Int64? {
        var best: PriceItem?
        for item in items where item.meter == meter && (item.abovePromptTokens == 0 || prompt > item.abovePromptTokens)
        {
            guard item.tier == tier || item.tier == .standard else { continue }
            guard let current = best else {
                best = item
                continue
            }
            // The request's own service tier first, then the highest prompt tier.
            let moreSpecific = item.tier == tier && current.tier != tier
            let higher = item.tier == current.tier && item.abovePromptTokens > current.abovePromptTokens
            if moreSpecific || higher { best = item }
        }
        if let best { return best.nanoUSDPerMillion }
        guard let fallback = meter.fallback else { return nil }
        return Self.price(of: fallback, prompt: prompt, items: items, tier: tier)
    }
}
