/// What a request can cost at most, before anybody has counted its tokens.
package struct CostBound: Sendable {
    /// Units of everything that a prompt can be counted as: a token is at least one byte of the body.
    package var prompt: Int64
    /// Tokens that can be answered with, over all choices.
    package var output: Int64
    package var images: Int64 = 0
    package var characters: Int64 = 0
    /// Nothing bounds the searches that the provider charges for.
    package var searches = false

    /// Tokens of an answer that is still of use: no request is lowered to less, for each choice.
    package static let leastOutput: Int64 = 256

    package init(prompt: Int64, output: Int64) {
        self.prompt = prompt
        self.output = output
    }

    /// Of a body: a provider refuses what is more than the model's context.
    ///
    /// - Parameter contextWindow: tokens; 0 for not known.
    package static func prompt(bytes: Int64, contextWindow: Int) -> Int64 {
        contextWindow > 0 ? min(bytes, Int64(contextWindow)) : bytes
    }

    /// Of all choices together; `.max` where nothing bounds them.
    ///
    /// - Parameters:
    ///   - bound: what the client allows for each.
    ///   - contextWindow: the model's, in tokens; 0 for not known, like `maxOutput`.
    package static func output(bound: Int64?, choices: Int64, contextWindow: Int, maxOutput: Int) -> Int64 {
        let cap = Int64(maxOutput > 0 ? maxOutput : contextWindow)
        var bound = bound ?? .max
        if cap > 0 { bound = min(bound, cap) }
        let (total, overflow) = bound.multipliedReportingOverflow(by: max(1, choices))
        return overflow ? .max : total
    }

    /// The cost at the dearest reading of a price: every unit of the prompt at the dearest rate that one can have, under
    /// whichever tier, window and service tier; nil when a rate applies to something that has no bound.
    ///
    /// Never less than `Pricing.cost` of counters within the bounds.
    package func cost(
        items: [PriceItem], uplift: PriceFactor, adjustment: PriceFactor
    ) -> NanoUSD? {
        var promptRate: Int64 = 0
        var outputRate: Int64 = 0
        var requestRate: Int64 = 0
        var imageRate: Int64 = 0
        var characterRate: Int64 = 0
        for item in items where item.abovePromptTokens == 0 || self.prompt > item.abovePromptTokens {
            let rate = item.nanoUSDPerMillion
            switch item.meter {
            case .input, .cachedInput, .cacheWrite5m, .cacheWrite1h, .audioInput, .imageInput:
                promptRate = max(promptRate, rate)
            case .output, .reasoning, .audioOutput, .imageOutput: outputRate = max(outputRate, rate)
            case .request: requestRate = max(requestRate, rate)
            case .image: imageRate = max(imageRate, rate)
            case .character: characterRate = max(characterRate, rate)
            case .search: if rate > 0 && self.searches { return nil }
            // Lengths and pages: nothing that is served is counted in them.
            case .inputMilliseconds, .outputMilliseconds, .page: break
            }
        }
        if outputRate > 0 && self.output == .max { return nil }
        if promptRate > 0 && self.prompt == .max { return nil }
        // Each meter is rounded up on its own.
        let total = NanoUSD(Int64(Meter.allCases.count))
            .addingSaturating(Pricing.charge(units: self.prompt, nanoUSDPerMillion: promptRate))
            .addingSaturating(Pricing.charge(units: self.output, nanoUSDPerMillion: outputRate))
            .addingSaturating(Pricing.charge(units: 1, nanoUSDPerMillion: requestRate))
            .addingSaturating(Pricing.charge(units: self.images, nanoUSDPerMillion: imageRate))
            .addingSaturating(Pricing.charge(units: self.characters, nanoUSDPerMillion: characterRate))
        return Pricing.multiply(total, uplift, adjustment)
    }
}
