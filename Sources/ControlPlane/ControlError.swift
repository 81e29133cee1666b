import Postgres
package import Shared

/// Why the control plane did not do what was asked: what the caller is told, and apart from it what our log is told.
package struct ControlError: Error, Sendable {
    /// What kind of refusal it is; each has one HTTP status.
    package enum Kind: Sendable, CaseIterable {
        case invalid, unauthenticated, notAllowed, notFound, methodNotAllowed, conflict, preconditionFailed
        case tooLarge, unsupportedMediaType, unprocessable, preconditionRequired, tooManyRequests, internalFailure
        case unavailable
    }

    package let kind: Kind
    /// Stable, snake_case: what programs may switch on.
    package let code: String
    /// A sentence for people; never holds a secret or what another tenant has.
    package let detail: String
    /// Where in the body, as a JSON pointer; or which query parameter or header.
    package var pointer: String?
    /// For the log only.
    package var internalDetail: String?
    /// For the audit log only: why this denies the caller something.
    ///
    /// What is unauthenticated or not allowed denies also without it.
    package var evidence: Denial.Evidence?
    /// What waits for others to agree to it.
    package var approval: ApprovalID?

    package init(
        _ kind: Kind, _ code: String, _ detail: String, pointer: String? = nil, internalDetail: String? = nil
    ) {
        self.kind = kind
        self.code = code
        self.detail = detail
        self.pointer = pointer
        self.internalDetail = internalDetail
    }

    /// What does not exist, was deleted, or may not be seen: all the same to the caller.
    package static func notFound(_ noun: String) -> ControlError {
        ControlError(.notFound, "not_found", "There is no such \(noun).")
    }

    /// What exists but is not for this caller: to him the same as what does not, to the audit log a denial.
    package static func hidden(_ noun: String) -> ControlError {
        var error = ControlError.notFound(noun)
        error.evidence = Denial.Evidence("not_visible")
        return error
    }

    /// The same with what the audit log is told.
    package func because(_ reason: String, actor: Actor? = nil) -> ControlError {
        var error = self
        error.evidence = Denial.Evidence(reason, actor: actor)
        return error
    }

    package static func conflict(_ code: String, _ detail: String) -> ControlError {
        ControlError(.conflict, code, detail)
    }

    package static func invalid(_ detail: String, at pointer: String) -> ControlError {
        ControlError(.invalid, "invalid_value", detail, pointer: pointer)
    }
}

extension ControlError.Kind {
    /// The one table from kinds to HTTP.
    package var status: Int {
        switch self {
        case .invalid: 400
        case .unauthenticated: 401
        case .notAllowed: 403
        case .notFound: 404
        case .methodNotAllowed: 405
        case .conflict: 409
        case .preconditionFailed: 412
        case .tooLarge: 413
        case .unsupportedMediaType: 415
        case .unprocessable: 422
        case .preconditionRequired: 428
        case .tooManyRequests: 429
        case .internalFailure: 500
        case .unavailable: 503
        }
    }

    package var title: String {
        switch self {
        case .invalid: "The request is not valid"
        case .unauthenticated: "Authentication is needed"
        case .notAllowed: "Not allowed"
        case .notFound: "Not found"
        case .methodNotAllowed: "The method is not allowed here"
        case .conflict: "In conflict with what is there"
        case .preconditionFailed: "It has changed meanwhile"
        case .tooLarge: "The body is too large"
        case .unsupportedMediaType: "The media type is not supported"
        case .unprocessable: "The request cannot be carried out"
        case .preconditionRequired: "A precondition is needed"
        case .tooManyRequests: "Too many requests"
        case .internalFailure: "Something went wrong on our side"
        case .unavailable: "Not available now"
        }
    }
}

extension ControlError {
    /// Any error as one of ours; what is not expected says nothing of itself to the caller.
    package init(_ error: any Error) {
        switch error {
        case let error as ControlError: self = error
        case let error as PostgresError: self.init(postgres: error)
        case is CancellationError:
            self.init(.unavailable, "shutting_down", "The server is shutting down; try again.")
        default:
            self.init(
                .internalFailure, "internal", "The error was logged under the request id.", internalDetail: "\(error)")
        }
    }

    private init(postgres error: PostgresError) {
        let internalDetail = "\(error)"
        switch error {
        case .connection, .closed, .poolExhausted, .timeout:
            self.init(
                .unavailable, "database_unavailable", "The database is not available; try again.",
                internalDetail: internalDetail)
        case .commitUnknown:
            self.init(
                .unavailable, "outcome_unknown",
                "The connection broke during the commit; repeat with the same Idempotency-Key.",
                internalDetail: internalDetail)
        case .server(let failure):
            self.init(failure: failure)
            self.internalDetail = internalDetail
        case .decoding, .encoding:
            self.init(
                .internalFailure, "internal", "The error was logged under the request id.",
                internalDetail: internalDetail)
        }
    }

    private init(failure: ServerError) {
        switch failure.sqlState {
        case .uniqueViolation:
            let isLogin = failure.constraint == "user_account_login"
            self.init(
                .conflict, isLogin ? "login_taken" : "already_exists", Self.sentence(ofUnique: failure.constraint),
                pointer: isLogin ? "/login" : nil)
        case .foreignKeyViolation:
            self.init(
                .conflict, "reference_missing", "Something that this refers to, or that refers to this, forbids it.")
        case .checkViolation, .notNullViolation, .numericValueOutOfRange, .stringDataRightTruncation,
            .characterNotInRepertoire, .datetimeOverflow:
            self.init(.invalid, "invalid_value", "A value is outside what may be stored.")
        case .lockNotAvailable, .serializationFailure, .deadlockDetected, .queryCanceled, .adminShutdown,
            .cannotConnectNow, .tooManyConnections:
            self.init(.unavailable, "busy", "The database is busy with the same object; try again.")
        default: self.init(.internalFailure, "internal", "The error was logged under the request id.")
        }
    }

    private static func sentence(ofUnique constraint: String?) -> String {
        switch constraint {
        case "scope_node_name": "There is one of this name under the same parent."
        case "provider_name": "There is a provider of this name in the same scope."
        case "model_name": "The provider has a model of this name."
        case "user_account_login": "There is a user of this login in the organization, or in the instance."
        case "user_group_name": "There is a group of this name in the organization, or in the instance."
        case "service_account_name": "There is a service account of this name in the organization, or in the instance."
        case "route_alias": "There is a route with this alias in the same scope."
        case "gateway_group_name": "There is a gateway group of this name."
        case "price_model_id_effective_at_key": "The model has a price from this very instant on."
        case "gateway_group_organization_pkey": "The organization is in the group already."
        default: "It exists already."
        }
    }
}
