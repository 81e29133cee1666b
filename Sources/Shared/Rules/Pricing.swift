/// The one rule that turns units into money, on the gateway and at ingest.
package enum Pricing {
    /// The cost of `usage`: for each meter, units times price, rounded up to the nano-dollar; summed; the sum multiplied
    /// by both factors and rounded up once more.
    ///
    /// Of a meter's items that apply, one counts, for every unit of it: one whose window is open before one without;
    /// among those one of the request's own service tier before a standard one; among those the one of the highest
    /// prompt tier; among those the dearest, so that the order of items never matters. A meter without an item that
    /// applies is charged at the price of its `fallback`. Negative units count as none. A sum that saturates at the
    /// largest amount stays there.
    ///
    /// - Parameters:
    ///   - items: a price's items, in any order.
    ///   - tier: what the provider served the request under.
    ///   - instant: when the request began, which decides about windows.
    ///   - uplift: the price's own factor, for a region.
    ///   - adjustment: what the organization's discount or margin makes of it.
    package static func cost(
        of usage: borrowing UsageCounters, items: [PriceItem], tier: ServiceTier, at instant: Timestamp,
        uplift: PriceFactor, adjustment: PriceFactor
    ) -> NanoUSD {
        let prompt = usage.promptTokens
        let minute = WeekMinute(instant)
        var total = NanoUSD.zero
        for number in Meter.numbers {
            guard let meter = Meter(rawValue: number) else { continue }
            let units = usage[meter]
            guard units > 0,
                let price = Self.price(of: meter, prompt: prompt, items: items, tier: tier, minute: minute)
            else { continue }
            total = total.addingSaturating(Self.charge(units: units, nanoUSDPerMillion: price))
        }
        return Self.multiply(total, uplift, adjustment)
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

    /// `ceil(amount * a * b / 10^12)`, with a product of at most 117 bits.
    package static func multiply(_ amount: NanoUSD, _ a: PriceFactor, _ b: PriceFactor) -> NanoUSD {
        guard amount > .zero, amount != .max else { return amount }
        if a == .one && b == .one { return amount }
        let factors = UInt128(UInt64(a.partsPerMillion * b.partsPerMillion))
        let (quotient, remainder) = (UInt128(UInt64(amount.amount)) * factors)
            .quotientAndRemainder(dividingBy: 1_000_000_000_000)
        guard quotient < UInt128(Int64.max) else { return .max }
        return NanoUSD(Int64(quotient) + (remainder > 0 ? 1 : 0))
    }

    private static func price(
        of meter: Meter, prompt: Int64, items: [PriceItem], tier: ServiceTier, minute: WeekMinute
    ) -> Int64? {
        var wanted = meter
        while true {
            var best: PriceItem?
            for item in items where item.meter == wanted {
                guard item.abovePromptTokens == 0 || prompt > item.abovePromptTokens,
                    item.tier == tier || item.tier == .standard, item.window?.isOpen(at: minute) ?? true
                else { continue }
                if best.map({ Self.counts(item, before: $0, tier: tier) }) ?? true { best = item }
            }
            if let best { return best.nanoUSDPerMillion }
            guard let fallback = wanted.fallback else { return nil }
            wanted = fallback
        }
    }

    /// Whether an item counts before another one; both apply.
    private static func counts(_ item: PriceItem, before other: PriceItem, tier: ServiceTier) -> Bool {
        if (item.window != nil) != (other.window != nil) { return item.window != nil }
        if item.tier != other.tier { return item.tier == tier }
        if item.abovePromptTokens != other.abovePromptTokens {
            return item.abovePromptTokens > other.abovePromptTokens
        }
        return item.nanoUSDPerMillion > other.nanoUSDPerMillion
    }
}
