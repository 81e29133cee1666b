import Shared

/// The endpoints that answer who can do what, and why.
package enum AccessRoutes {
    private static let scope = QueryParameter(
        "scope", .id(OrganizationKind.self, UnitKind.self, ProjectKind.self), "Where; the whole instance when absent.")
    private static let permission = QueryParameter("permission", AccessAnswers.permission, "What.", isRequired: true)
    private static let subject = QueryParameter(
        "subject", .id(UserKind.self, GroupKind.self, ServiceAccountKind.self), "Who.", isRequired: true)

    package static func endpoints(_ questions: AccessQuestions, _ reviews: AccessReviews) -> [Endpoint] {
        [
            Endpoint(
                .get, "/v1/access/who-can", "access.who_can", "Who may do something somewhere, and by what",
                auth: .bearer(.accessRead),
                query: [
                    Self.permission, Self.scope,
                    QueryParameter(
                        "of", .choice("organization", "instance"),
                        "Those of the scope's organization (when absent), or those of the instance."),
                    QueryParameter("limit", .integer(1...1000), "Most of a page; 100 when absent."),
                    QueryParameter("cursor", .string(.length(1...200)), "The next_cursor of the page before."),
                ], success: .json(AccessAnswers.whoCan)
            ) { call in
                let cursor = call.query["cursor"]?.string
                let after = cursor.flatMap { AccessSubject($0) }
                guard cursor == nil || after != nil else {
                    throw ControlError(
                        .invalid, "invalid_cursor", "The cursor is not one of this list.", pointer: "cursor")
                }
                return .json(
                    try await questions.whoCan(
                        try Self.permission(call), at: Self.scope(call), ofInstance: call.query["of"] == "instance",
                        after: after, limit: Int(call.query["limit"]?.integer ?? 100), as: call.context))
            },
            Endpoint(
                .get, "/v1/access/what-can", "access.what_can", "What somebody may do somewhere",
                auth: .bearer(.accessRead), query: [Self.subject, Self.scope], success: .json(AccessAnswers.whatCan)
            ) { call in
                .json(try await questions.whatCan(try Self.subject(call), at: Self.scope(call), as: call.context))
            },
            Endpoint(
                .get, "/v1/access/explain", "access.explain",
                "Whether somebody may do something somewhere: by what, or what is missing", auth: .bearer(.accessRead),
                query: [Self.subject, Self.permission, Self.scope], success: .json(AccessAnswers.decision)
            ) { call in
                .json(
                    try await questions.explain(
                        try Self.subject(call), try Self.permission(call), at: Self.scope(call), as: call.context))
            },
            Endpoint(
                .post, "/v1/access/effect", "access.effect",
                "Who would gain and who would lose what by a change; nothing is changed", auth: .bearer(.accessRead),
                body: .json(AccessHypothesis.schema), success: .json(AccessAnswers.effect)
            ) { call in
                .json(try await questions.effect(of: call.body, as: call.context))
            },
            Endpoint(
                .get, "/v1/access/review", "access.review",
                "Who has what, since when, given by whom, and last used", auth: .bearer(.accessRead),
                query: [
                    QueryParameter(
                        "organization", .id(OrganizationKind.self),
                        "Whose users and service accounts; the instance's when absent."),
                    QueryParameter("format", .choice("json", "csv"), "JSON when absent, or by Accept."),
                    QueryParameter("limit", .integer(1...1000), "Most subjects of a page; 100 when absent."),
                    QueryParameter("cursor", .string(.length(1...200)), "The next_cursor of the page before."),
                ], success: .json(AccessReviews.schema), alternatives: ["text/csv"]
            ) { call in
                let page = try await reviews.page(
                    organization: call.filter("organization"), after: try Self.position(call),
                    limit: Int(call.query["limit"]?.integer ?? 100), as: call.context)
                guard ReportFormat(call) == .csv else { return .json(page.json) }
                var answer = Answer(body: .bytes(page.csv, type: "text/csv; charset=utf-8; header=present"))
                if let next = page.nextCursor { answer.headers.append((name: "next-cursor", value: next)) }
                return answer
            },
        ]
    }

    private static func permission(_ call: Call) throws(ControlError) -> Permission {
        guard let permission = call.query["permission"]?.string.flatMap({ Permission(rawValue: $0) }) else {
            throw .invalid("There is no such permission.", at: "permission")
        }
        return permission
    }

    private static func subject(_ call: Call) throws(ControlError) -> AccessSubject {
        guard let subject = call.query["subject"]?.string.flatMap({ AccessSubject($0) }) else {
            throw .invalid("There is no such user, group or service account.", at: "subject")
        }
        return subject
    }

    private static func scope(_ call: Call) -> ScopeReference? {
        call.query["scope"]?.string.flatMap { ScopeReference($0) }
    }

    private static func position(_ call: Call) throws(ControlError) -> AccessSubject? {
        guard let text = call.query["cursor"]?.string else { return nil }
        guard let subject = AccessSubject(text) else {
            throw ControlError(.invalid, "invalid_cursor", "The cursor is not one of this list.", pointer: "cursor")
        }
        return subject
    }
}
