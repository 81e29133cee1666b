import Shared

/// The endpoints of tokens.
package enum APITokenRoutes {
    private static let path: PathTemplate = "/v1/api-tokens"
    private static let item: PathTemplate = "/v1/api-tokens/{id}"

    package static func endpoints(_ identity: Identity) -> [Endpoint] {
        [
            Endpoint(
                .post, Self.path, "api_tokens.create",
                "Create a token of a service account; its text is shown this once", auth: .bearer(.apiTokensCreate),
                body: .json(APIToken.creationSchema), status: 201, success: .json(APIToken.schema)
            ) { call in
                let made = try await identity.createToken(call.body, as: call.context)
                return Self.answer(made, call, status: 201).located(at: "\(Self.path)/\(made.value.token.id)")
            },
            Endpoint(
                .get, Self.path, "api_tokens.list", "List tokens", auth: .bearer(.apiTokensRead),
                query: [
                    SubjectList.organizationFilter,
                    QueryParameter(
                        "subject", .id(UserKind.self, ServiceAccountKind.self), "Those of a user or a service account."),
                ] + PageRequest.parameters, success: .json(.page(of: APIToken.schema))
            ) { call in
                try await identity.tokens(
                    try SubjectList(call), of: call.query["subject"]?.string.flatMap { AccessSubject($0) },
                    as: call.context
                ).answer { $0.json(at: call.context.time) }
            },
            Endpoint(
                .get, Self.item, "api_tokens.get", "Read a token", auth: .bearer(.apiTokensRead),
                success: .json(APIToken.schema)
            ) { call in
                let token = try await identity.token(try call.id(), as: call.context)
                return .resource(token.json(at: call.context.time), revision: token.stamps.revision)
            },
            Endpoint(
                .patch, Self.item, "api_tokens.update", "Change a token; what it is for stays",
                auth: .bearer(.apiTokensUpdate), body: .json(APIToken.patchSchema), success: .json(APIToken.schema)
            ) { call in
                let changed = try await identity.updateToken(
                    try call.id(), call.body, ifRevision: try call.ifMatch(), as: call.context)
                return Self.answer(changed, call)
            },
            Endpoint(
                .post, "/v1/api-tokens/{id}/rotate", "api_tokens.rotate",
                "Give a service account's token another secret; those before it end", auth: .bearer(.apiTokensRotate),
                body: .json(APIToken.rotationSchema), success: .json(APIToken.schema)
            ) { call in
                let rotated = try await identity.rotateToken(
                    try call.id(), overlap: call.body["overlap_seconds"]?.integer ?? 0, as: call.context)
                return Self.answer(rotated, call, status: 200)
            },
            Endpoint(
                .post, "/v1/api-tokens/{id}/revoke", "api_tokens.revoke", "End a token for good",
                auth: .bearer(.apiTokensRevoke), success: .json(APIToken.schema)
            ) { call in
                Self.answer(try await identity.revokeToken(try call.id(), as: call.context), call)
            },
        ]
    }

    fileprivate static func answer(_ issued: Resolved<Identity.Issued>, _ call: Call, status: Int) -> Answer {
        let token = issued.value.token
        return Answer.resource(
            token.json(at: call.context.time).showing(issued.value.secret, isReplay: issued.isReplay),
            revision: token.stamps.revision, status: status
        ).audited(issued.receipts)
    }

    private static func answer(_ changed: Resolved<APIToken>, _ call: Call) -> Answer {
        Answer.resource(changed.value.json(at: call.context.time), revision: changed.value.stamps.revision)
            .audited(changed.receipts)
    }
}

/// The endpoints of what is the caller's own.
package enum OwnRoutes {
    private static let path: PathTemplate = "/v1/me/api-tokens"
    private static let item: PathTemplate = "/v1/me/api-tokens/{id}"

    package static func endpoints(_ identity: Identity) -> [Endpoint] {
        [
            Endpoint(
                .get, "/v1/me", "me.get", "Read who one is, and what the token in use is for", auth: .signedIn(nil),
                success: .json(Identity.Caller.schema)
            ) { call in
                .json(try await identity.caller(call.context).json)
            },
            Endpoint(
                .post, Self.path, "me.create_token", "Create a personal token; its text is shown this once",
                auth: .signedIn(.apiTokensCreate), body: .json(APIToken.ownCreationSchema), status: 201,
                success: .json(APIToken.schema)
            ) { call in
                let made = try await identity.createOwnToken(call.body, as: call.context)
                return APITokenRoutes.answer(made, call, status: 201).located(at: "\(Self.path)/\(made.value.token.id)")
            },
            Endpoint(
                .get, Self.path, "me.list_tokens", "List one's own tokens", auth: .signedIn(.apiTokensRead),
                query: PageRequest.parameters, success: .json(.page(of: APIToken.schema))
            ) { call in
                try await identity.ownTokens(try PageRequest(call), as: call.context)
                    .answer { $0.json(at: call.context.time) }
            },
            Endpoint(
                .get, Self.item, "me.get_token", "Read a token of one's own", auth: .signedIn(.apiTokensRead),
                success: .json(APIToken.schema)
            ) { call in
                let token = try await identity.ownToken(try call.id(), as: call.context)
                return .resource(token.json(at: call.context.time), revision: token.stamps.revision)
            },
            Endpoint(
                .post, "/v1/me/api-tokens/{id}/rotate", "me.rotate_token",
                "Give a personal token another secret; those before it end", auth: .signedIn(.apiTokensRotate),
                body: .json(APIToken.rotationSchema), success: .json(APIToken.schema)
            ) { call in
                let rotated = try await identity.rotateOwnToken(
                    try call.id(), overlap: call.body["overlap_seconds"]?.integer ?? 0, as: call.context)
                return APITokenRoutes.answer(rotated, call, status: 200)
            },
            Endpoint(
                .delete, Self.item, "me.revoke_token", "End a token of one's own for good",
                auth: .signedIn(.apiTokensRevoke), status: 204, success: .empty
            ) { call in
                Answer(status: 204).audited(try await identity.revokeOwnToken(try call.id(), as: call.context))
            },
        ]
    }
}
