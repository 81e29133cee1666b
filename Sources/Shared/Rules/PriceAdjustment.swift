/// A discount or margin that an organization is charged with, from a moment on.
///
/// Never changed: a later one for the same narrowing replaces it, and one with the factor 1 ends it.
///
/// Of the adjustments of the request's organization that are effective when the request begins and whose narrowing fits
/// the provider and model that answered, exactly one counts, the nearest: one for the model before one for the provider
/// before one for all; among those of the same narrowing the one that became effective last. They are not combined.
package struct PriceAdjustment: Hashable, Sendable {
    package let id: AdjustmentID
    package let organization: NodeID
    /// Narrows it to a provider; nil together with a nil `model` for all.
    package let provider: ProviderID?
    /// Narrows it to a model; then there is no `provider`.
    package let model: ModelID?
    package let factor: PriceFactor
    package let effective: Timestamp

    package init(
        id: AdjustmentID, organization: NodeID, provider: ProviderID?, model: ModelID?, factor: PriceFactor,
        effective: Timestamp
    ) {
        self.id = id
        self.organization = organization
        self.provider = provider
        self.model = model
        self.factor = factor
        self.effective = effective
    }

    /// Whether it may count for a request that began at `instant` and was answered by `model` of `provider`.
    package func fits(provider: ProviderID, model: ModelID, at instant: Timestamp) -> Bool {
        guard self.effective <= instant else { return false }
        if let own = self.model { return own == model }
        if let own = self.provider { return own == provider }
        return true
    }

    /// 2 for a model, 1 for a provider, 0 for all.
    private var nearness: Int { self.model != nil ? 2 : self.provider != nil ? 1 : 0 }

    /// The order in which `nearest` wants them: the nearest first, of those the latest.
    package func precedes(_ other: PriceAdjustment) -> Bool {
        if self.nearness != other.nearness { return self.nearness > other.nearness }
        if self.effective != other.effective { return self.effective > other.effective }
        return self.id > other.id
    }

    /// The position of the one that counts among `adjustments[range]`, which are of one organization and in the order
    /// of `precedes`; nil when none fits.
    package static func nearest(
        in adjustments: [PriceAdjustment], _ range: Range<Int>, provider: ProviderID, model: ModelID,
        at instant: Timestamp
    ) -> Int? {
        for index in range where adjustments[index].fits(provider: provider, model: model, at: instant) { return index }
        return nil
    }
}
