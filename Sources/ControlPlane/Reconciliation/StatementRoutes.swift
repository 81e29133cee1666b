import Shared

/// The endpoints of statements.
package enum StatementRoutes {
    package static func endpoints(_ reconciliation: Reconciliation) -> [Endpoint] {
        let item: PathTemplate = "/v1/provider-statements/{id}"
        return [
            Endpoint(
                .post, "/v1/provider-statements", "provider_statements.create",
                "Import a provider's invoice or usage export (CSV)", auth: .instance(.providerStatementsCreate),
                query: [QueryParameter("provider", .id(ProviderKindID.self), "Whose it is.", isRequired: true)],
                body: .bytes(limit: StatementReader.bytesLimit), status: 201, success: .json(ProviderStatement.schema)
            ) { call in
                guard let provider: ProviderID = call.filter("provider") else {
                    throw ControlError.notFound("provider")
                }
                let made = try await reconciliation.create(provider: provider, call.bytes, as: call.context)
                return Answer.json(made.value.json, status: 201)
                    .located(at: "/v1/provider-statements/\(made.value.id)").audited(made.receipts)
            },
            Endpoint(
                .get, "/v1/provider-statements", "provider_statements.list", "List imported statements, newest first",
                auth: .instance(.providerStatementsRead),
                query: [QueryParameter("provider", .id(ProviderKindID.self), "Of one provider.")]
                    + PageRequest.parameters, success: .json(.page(of: ProviderStatement.schema))
            ) { call in
                try await reconciliation.list(provider: call.filter("provider"), try PageRequest(call)).answer(\.json)
            },
            Endpoint(
                .get, item, "provider_statements.get", "Read what a statement is of",
                auth: .instance(.providerStatementsRead), success: .json(ProviderStatement.schema)
            ) { call in .json(try await reconciliation.get(try call.id()).json) },
            Endpoint(
                .delete, item, "provider_statements.delete", "Delete a statement",
                auth: .instance(.providerStatementsDelete), status: 204, success: .empty
            ) { call in
                Answer(status: 204).audited(try await reconciliation.delete(try call.id(), as: call.context))
            },
            Endpoint(
                .get, "/v1/provider-statements/{id}/differences", "provider_statements.differences",
                "Compare a statement with what was recorded, by day and model",
                auth: .instance(.providerStatementsRead),
                query: [
                    QueryParameter("limit", .integer(1...10_000), "Most items of the page; 1000 when absent."),
                    QueryParameter("cursor", .string(.length(1...40)), "The next_cursor of the page before."),
                ],
                success: .json(
                    .object([
                        .required("items", .list(of: StatementDifference.schema)),
                        .required("next_cursor", .string(.length(1...40)).orNull),
                    ]))
            ) { call in
                let all = try await reconciliation.differences(try call.id())
                let limit = Int(call.query["limit"]?.integer ?? 1000)
                guard let start = Int(call.query["cursor"]?.string ?? "0"), (0...all.count).contains(start) else {
                    throw ControlError(
                        .invalid, "invalid_cursor", "The cursor is not one of this list.", pointer: "cursor")
                }
                let end = min(start + limit, all.count)
                return .json([
                    "items": .array(all[start..<end].map(\.json)),
                    "next_cursor": end < all.count ? .string(String(end)) : .null,
                ])
            },
        ]
    }
}
