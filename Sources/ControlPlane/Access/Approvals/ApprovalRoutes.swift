import Shared

/// The endpoints of the rules on what needs approvals, of the queue, and of what one asked for oneself.
package enum ApprovalRoutes {
    package static func endpoints(_ rules: ApprovalRules, _ approvals: Approvals) -> [Endpoint] {
        self.rules(rules) + self.queue(approvals) + self.own(approvals)
    }

    private static func rules(_ rules: ApprovalRules) -> [Endpoint] {
        let routes = ResourceRoutes<ApprovalRuleKind, ApprovalRule>(
            path: "approval-rules", name: "approval_rules", title: "an approval rule", schema: ApprovalRule.schema,
            json: \.json, id: \.id, revision: \.stamps.revision
        )
        return routes.all(
            rules,
            ResourcePermissions(
                create: .approvalRulesCreate, read: .approvalRulesRead, update: .approvalRulesUpdate,
                delete: .approvalRulesDelete),
            creation: ApprovalRule.creationSchema, patch: ApprovalRule.patchSchema)
    }

    private static let statusFilter = QueryParameter(
        "status", .string(.oneOf(Approval.State.allCases.map(\.rawValue))), "Those that stand so.")

    private static func state(_ call: Call) -> Approval.State? {
        call.query["status"]?.string.flatMap { Approval.State(rawValue: $0) }
    }

    private static func answer(_ changed: Resolved<Approval>, _ call: Call) -> Answer {
        Answer.json(changed.value.json(at: call.context.time)).audited(changed.receipts)
    }

    private static func queue(_ approvals: Approvals) -> [Endpoint] {
        func decision(_ verb: String, _ summary: String, approves: Bool) -> Endpoint {
            Endpoint(
                .post, PathTemplate("/v1/approvals/{id}/\(verb)"), "approvals.\(verb)", summary,
                auth: .bearer(.approvalsDecide), body: .json(Approval.decisionSchema), success: .json(Approval.schema)
            ) { call in
                let decided = try await approvals.decide(
                    try call.id(), approves: approves, comment: call.body["comment"]?.string ?? "", as: call.context)
                return Self.answer(decided, call)
            }
        }
        return [
            Endpoint(
                .get, "/v1/approvals", "approvals.list", "List requests that need or had approval, newest first",
                auth: .bearer(.approvalsRead),
                query: Ownership.scopeFilters + [Self.statusFilter] + PageRequest.parameters,
                success: .json(.page(of: Approval.schema))
            ) { call in
                try await approvals.list(
                    organization: call.filter("organization"), state: Self.state(call), try PageRequest(call),
                    as: call.context
                ).answer { $0.json(at: call.context.time) }
            },
            Endpoint(
                .get, "/v1/approvals/{id}", "approvals.get", "Read what is asked for, and who said what",
                auth: .bearer(.approvalsRead), success: .json(Approval.schema)
            ) { call in
                .json(try await approvals.get(try call.id(), as: call.context).json(at: call.context.time))
            },
            decision("approve", "Agree to a request of somebody else", approves: true),
            decision("reject", "Refuse a request of somebody else, for good", approves: false),
        ]
    }

    private static func own(_ approvals: Approvals) -> [Endpoint] {
        [
            Endpoint(
                .get, "/v1/me/approvals", "me.list_approvals", "List what one asked for oneself, newest first",
                auth: .signedIn(.approvalsRequest), query: [Self.statusFilter] + PageRequest.parameters,
                success: .json(.page(of: Approval.schema))
            ) { call in
                try await approvals.listOwn(state: Self.state(call), try PageRequest(call), as: call.context)
                    .answer { $0.json(at: call.context.time) }
            },
            Endpoint(
                .get, "/v1/me/approvals/{id}", "me.get_approval", "Read what one asked for oneself",
                auth: .signedIn(.approvalsRequest), success: .json(Approval.schema)
            ) { call in
                .json(try await approvals.getOwn(try call.id(), as: call.context).json(at: call.context.time))
            },
            Endpoint(
                .post, "/v1/me/approvals/{id}/withdraw", "me.withdraw_approval", "Take back what one asked for",
                auth: .signedIn(.approvalsRequest), success: .json(Approval.schema)
            ) { call in
                Self.answer(try await approvals.withdraw(try call.id(), as: call.context), call)
            },
        ]
    }
}
