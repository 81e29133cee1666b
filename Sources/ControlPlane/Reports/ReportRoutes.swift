import Shared

/// The endpoint of reports.
package enum ReportRoutes {
    package static func endpoints(_ reports: UsageReports) -> [Endpoint] {
        [
            Endpoint(
                .get, "/v1/usage", "usage.report", "Sum requests, units and money", auth: .bearer(.usageRead),
                query: ReportQuery.parameters, success: .json(ReportPage.schema), alternatives: ["text/csv"]
            ) { call in
                let format = ReportFormat(call)
                let query = try ReportQuery(
                    call.query, required: format == .focus ? FocusExport.groups : [],
                    bucket: format == .focus ? .day : nil
                )
                let page = try await reports.page(query, as: call.context, months: format == .focus)
                var answer: Answer
                switch format {
                case .json: return .json(page.json)
                case .csv: answer = Answer(body: .bytes(page.csv, type: "text/csv; charset=utf-8; header=present"))
                case .focus:
                    answer = Answer(
                        body: .bytes(FocusExport.csv(page), type: "text/csv; charset=utf-8; header=present"))
                }
                if let cursor = page.nextCursor { answer.headers.append((name: "next-cursor", value: cursor)) }
                return answer
            }
        ]
    }
}
