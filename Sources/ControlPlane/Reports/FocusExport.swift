import Shared

/// A report with the columns of FOCUS, the FinOps Open Cost and Usage Specification, version 1.2.
///
/// Every column that 1.2 calls mandatory, and those of the conditional ones that apply. Gatehouse sends no invoices:
/// the four costs are all what the price book makes of the usage, and the issuer is the provider. One row has the
/// tokens of all kinds together, because it has the cost of all of them; what it is of each kind is in columns of our
/// own, which begin with `x_` as the specification wants. Tags are those of the requests: a row for each set. What reached no model cost nothing and is not in it.
package enum FocusExport {
    /// What a row is of in any case.
    package static let groups: [ReportDimension] = [.organization, .project, .model, .provider, .tags]

    private static let columns = [
        "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd",
        "BillingPeriodStart", "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargeFrequency",
        "ChargePeriodEnd", "ChargePeriodStart", "ConsumedQuantity", "ConsumedUnit", "ContractedCost", "EffectiveCost",
        "InvoiceIssuerName", "ListCost", "PricingCategory", "PricingQuantity", "PricingUnit", "ProviderName",
        "PublisherName", "ResourceId", "ResourceName", "ResourceType", "ServiceCategory", "ServiceName",
        "ServiceSubcategory", "SkuId", "SubAccountId", "SubAccountName", "Tags",
    ]

    /// Meters that count tokens.
    private static let tokens = Meter.promptTokens + Meter.outputTokens

    /// Groups that have no column of FOCUS.
    private static let own: [ReportDimension] = [.unit, .user, .gateway, .status, .outcome]

    package static func csv(_ page: ReportPage) -> [UInt8] {
        var writer = CSVWriter()
        let extra = page.query.groups.filter { Self.own.contains($0) }
        writer.row(
            (Self.columns + extra.map { "x_\($0.rawValue)" } + ["x_requests"]
                + UsageColumns.units.map { "x_units_\($0)" } + ["x_corrections_nano_usd"])
                .map { .value($0) })
        for row in page.rows {
            guard let cells = Self.cells(row, page) else { continue }
            var own: [CSVWriter.Cell] = extra.map { dimension in
                Self.value(dimension, row, page).flatMap(dimension.text).map { .value($0) } ?? .empty
            }
            own += ([row.requests] + row.units + [row.corrections]).map { .value(String($0)) }
            writer.row(Self.columns.map { cells[$0] ?? .empty } + own)
        }
        return writer.bytes
    }

    private static func value(_ dimension: ReportDimension, _ row: ReportRow, _ page: ReportPage) -> UUIDValue? {
        page.query.groups.firstIndex(of: dimension).map { row.values[$0] }
    }

    /// The cells of a row by column; nil when it is no charge.
    private static func cells(_ row: ReportRow, _ page: ReportPage) -> [String: CSVWriter.Cell]? {
        func id(_ dimension: ReportDimension) -> String? {
            Self.value(dimension, row, page).flatMap(dimension.text)
        }
        func name(_ dimension: ReportDimension) -> CSVWriter.Cell? {
            Self.value(dimension, row, page).flatMap { page.names[$0] }.map { .text($0) }
        }
        guard let model = id(.model), let provider = id(.provider), let organization = id(.organization),
            let project = id(.project)
        else { return nil }
        let cost = CSVWriter.Cell.value(row.cost.description)
        let tokens = Self.tokens.reduce(Int64(0)) { $0.addingSaturating(row[$1]) }
        // What has no tokens (images, moderations) is measured in requests.
        let quantity = CSVWriter.Cell.value(String(tokens > 0 ? tokens : row.requests))
        let unit = CSVWriter.Cell.value(tokens > 0 ? "Tokens" : "Requests")
        let providerName = name(.provider) ?? .value(provider)
        let month = Self.month(of: row.from, page.months)
        var cells: [String: CSVWriter.Cell] = [
            "BilledCost": cost, "ContractedCost": cost, "EffectiveCost": cost, "ListCost": cost,
            "BillingAccountId": .value(organization), "BillingCurrency": .value("USD"),
            "BillingPeriodStart": .value(Self.text(month.from)), "BillingPeriodEnd": .value(Self.text(month.to)),
            "ChargePeriodStart": .value(Self.text(row.from)), "ChargePeriodEnd": .value(Self.text(row.to)),
            "ChargeCategory": .value("Usage"), "ChargeFrequency": .value("Usage-Based"),
            "ConsumedQuantity": quantity, "ConsumedUnit": unit, "PricingQuantity": quantity, "PricingUnit": unit,
            "PricingCategory": .value("Standard"), "InvoiceIssuerName": providerName, "ProviderName": providerName,
            "PublisherName": providerName, "ServiceCategory": .value("AI and Machine Learning"),
            "ServiceSubcategory": .value("Generative AI"), "ServiceName": providerName, "SkuId": .value(model),
            "SubAccountId": .value(project),
        ]
        cells["BillingAccountName"] = name(.organization)
        cells["SubAccountName"] = name(.project)
        cells["ChargeDescription"] = name(.model)
        if let tags = Self.value(.tags, row, page).flatMap({ page.names[$0] }) {
            cells["Tags"] = .value(UsageTagSets.object(tags).text)
        }
        if let key = id(.key) {
            cells["ResourceId"] = .value(key)
            cells["ResourceName"] = name(.key)
            cells["ResourceType"] = .value("Virtual Key")
        }
        return cells
    }

    private static func month(of instant: Timestamp, _ months: TimeGrid?) -> (from: Timestamp, to: Timestamp) {
        let index = months?.boundaries?.lastIndex { $0 <= instant } ?? 0
        return months?.bounds(of: Int64(index) + 1) ?? (instant, instant)
    }

    /// Whole seconds in UTC, as the specification writes instants.
    private static func text(_ instant: Timestamp) -> String { String(instant.description.prefix(19)) + "Z" }
}
