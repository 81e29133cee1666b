/// The price of a model from a moment on.
package struct PriceRow: SnapshotRow, Hashable {
    package static let type = ChunkType.prices
    package var id: PriceID
    /// Nil for the fallback, which is the price of models that have none.
    package var model: ModelID?
    package var effective: Timestamp
    package var items: [PriceItem]
    /// What the whole price is multiplied by where the provider's account is.
    package var uplift: PriceFactor
    package static let itemsLimit = 100

    package init(
        id: PriceID, model: ModelID?, effective: Timestamp, items: [PriceItem], uplift: PriceFactor = .one
    ) {
        self.id = id
        self.model = model
        self.effective = effective
        self.items = items
        self.uplift = uplift
    }

    package var sortKey: [UInt8] { self.id.bytes }

    package init(from reader: inout WireReader) throws(WireError) {
        var id: PriceID?
        self.model = nil
        self.effective = Timestamp(microseconds: 0)
        self.items = []
        self.uplift = .one
        while let field = try reader.next() {
            switch field {
            case 1: id = try reader.identifier("price.id")
            case 2: self.model = try reader.identifier("price.model")
            case 3: self.effective = Timestamp(microseconds: try reader.int64())
            case 4:
                guard self.items.count < Self.itemsLimit else { throw .invalid("price.items") }
                self.items.append(try reader.value())
            case 5: self.uplift = try reader.factor("price.uplift_ppm")
            default: try reader.skip()
            }
        }
        guard let id else { throw .missing("price.id") }
        self.id = id
    }

    package func write(to writer: inout WireWriter) {
        writer.identifier(1, self.id)
        writer.identifier(2, self.model)
        writer.int64(3, self.effective.microseconds)
        for item in self.items { writer.message(4, item) }
        if self.uplift != .one { writer.optional(5, self.uplift.partsPerMillion) }
    }
}

extension PriceItem: WireMessage {
    package init(from reader: inout WireReader) throws(WireError) {
        var meter: Meter?
        var price: Int64 = 0
        var above: Int64 = 0
        var tier = ServiceTier.standard
        var window: PriceWindow?
        while let field = try reader.next() {
            switch field {
            case 1: meter = try reader.enumeration("price.meter")
            case 2: price = try reader.int64()
            case 3: above = try reader.int64()
            case 4: tier = try reader.enumeration("price.tier")
            case 5: window = try reader.value()
            default: try reader.skip()
            }
        }
        guard let meter else { throw .missing("price.meter") }
        guard price >= 0 else { throw .invalid("price.amount") }
        guard above >= 0 else { throw .invalid("price.above") }
        self.init(meter: meter, nanoUSDPerMillion: price, abovePromptTokens: above, tier: tier, window: window)
    }

    package func write(to writer: inout WireWriter) {
        writer.enumeration(1, self.meter)
        writer.int64(2, self.nanoUSDPerMillion)
        writer.int64(3, self.abovePromptTokens)
        writer.enumeration(4, self.tier)
        if let window { writer.message(5, window) }
    }
}

extension PriceWindow: WireMessage {
    package init(from reader: inout WireReader) throws(WireError) {
        var start = 0
        var end = 0
        var weekdays = 0
        while let field = try reader.next() {
            switch field {
            case 1: start = try reader.integer(in: 0...1439, "window.start")
            case 2: end = try reader.integer(in: 1...1440, "window.end")
            case 3: weekdays = try reader.integer(in: 1...Int(Self.everyDay), "window.weekdays")
            default: try reader.skip()
            }
        }
        guard end > 0 else { throw .missing("window.end") }
        guard weekdays > 0, let weekdays = UInt8(exactly: weekdays) else { throw .missing("window.weekdays") }
        guard let window = PriceWindow(start: start, end: end, weekdays: weekdays) else {
            throw .invalid("window.start")
        }
        self = window
    }

    package func write(to writer: inout WireWriter) {
        writer.integer(1, Int(self.start))
        writer.integer(2, Int(self.end))
        writer.integer(3, Int(self.weekdays))
    }
}

extension PriceAdjustment: SnapshotRow {
    package static let type = ChunkType.adjustments

    package var sortKey: [UInt8] { self.id.bytes }

    package init(from reader: inout WireReader) throws(WireError) {
        var id: AdjustmentID?, organization: NodeID?, provider: ProviderID?, model: ModelID?, factor: PriceFactor?
        var effective: Int64 = 0
        while let field = try reader.next() {
            switch field {
            case 1: id = try reader.identifier("adjustment.id")
            case 2: organization = try reader.identifier("adjustment.organization")
            case 3: provider = try reader.identifier("adjustment.provider")
            case 4: model = try reader.identifier("adjustment.model")
            case 5: effective = try reader.int64()
            case 6: factor = try reader.factor("adjustment.factor_ppm")
            default: try reader.skip()
            }
        }
        guard let id else { throw .missing("adjustment.id") }
        guard let organization else { throw .missing("adjustment.organization") }
        guard let factor else { throw .missing("adjustment.factor_ppm") }
        guard provider == nil || model == nil else { throw .invalid("adjustment.provider") }
        self.init(
            id: id, organization: organization, provider: provider, model: model, factor: factor,
            effective: Timestamp(microseconds: effective)
        )
    }

    package func write(to writer: inout WireWriter) {
        writer.identifier(1, self.id)
        writer.identifier(2, self.organization)
        writer.identifier(3, self.provider)
        writer.identifier(4, self.model)
        writer.int64(5, self.effective.microseconds)
        writer.optional(6, self.factor.partsPerMillion)
    }
}

extension WireReader {
    @_lifetime(self: copy self)
    fileprivate mutating func factor(_ name: StaticString) throws(WireError) -> PriceFactor {
        guard let factor = PriceFactor(partsPerMillion: try self.int64()) else { throw .invalid(name) }
        return factor
    }
}
