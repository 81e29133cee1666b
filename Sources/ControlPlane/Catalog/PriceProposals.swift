import Crypto
import Postgres
package import Shared

extension Catalog {
    package func priceProposal(_ id: PriceProposalID) async throws -> PriceProposal {
        try await self.database.transaction(.readOnly) { tx in try PriceProposalStore.fetch(id, &tx) }
    }

    package func priceProposals(
        provider: ProviderID?, status: PriceProposal.Status?, _ page: PageRequest
    ) async throws -> Page<PriceProposal> {
        let found = try await self.database.transaction(.readOnly) { tx in
            try PriceProposalStore.list(provider: provider, status: status, page, &tx)
        }
        return Page(found, page, position: \.id.bytes)
    }

    /// One entry, and where it stands.
    package struct ProposedPrice: Sendable {
        let position: Int64
        let entry: PriceProposal.Entry
    }

    /// The entries of a proposal in its order.
    package func entries(of id: PriceProposalID, _ page: PageRequest) async throws -> Page<ProposedPrice> {
        let after = page.after.map { Int64(bitPattern: $0.bigEndianUInt64(at: 0)) } ?? -1
        let found = try await self.database.transaction(.readOnly) { tx in
            _ = try PriceProposalStore.fetch(id, &tx)
            return try PriceProposalStore.entries(of: id, after: after, limit: page.fetchLimit, &tx)
                .map { ProposedPrice(position: $0.position, entry: $0.entry) }
        }
        return Page(found, page) { price in
            var bytes: [UInt8] = []
            bytes.appendBigEndian(UInt64(bitPattern: price.position))
            return bytes
        }
    }

    /// Stores what a body that `PriceProposal.creationSchema` accepts would change, and changes nothing.
    package func proposePrices(_ body: JSONValue, as context: OperationContext) async throws -> Resolved<PriceProposal>
    {
        let id: PriceProposalID = self.time.newID()
        let outcome = try await self.changes.perform(.priceProposalsCreate, on: Target(id), at: .instance, as: context)
        { tx, permit in
            guard let provider = body["provider"]?.string.flatMap({ ProviderID($0) }),
                let home = try ProviderStore.find(provider, &tx, lock: .share)
            else { throw ControlError.invalid("There is no such provider.", at: "/provider") }
            let effective = body["effective_at"]?.string.flatMap { Timestamp($0) }
            guard effective.map({ $0 >= context.time }) ?? true else {
                throw ControlError.invalid("It must not be in the past.", at: "/effective_at")
            }
            let entries = try Self.entries(body, of: provider, at: effective ?? context.time, &tx)
            let content = JSONValue.array(entries.map(\.json)).text
            let proposal = PriceProposal(
                id: id, provider: provider, organization: home.owner.organization,
                source: body["source"]?.string ?? "", effectiveAt: effective, status: .open,
                requestedBy: context.actor, counts: Dictionary(grouping: entries, by: \.effect).mapValues(\.count),
                contentSHA256: Array(SHA256.hash(data: Array(content.utf8))), stamps: Stamps(new: context.time)
            )
            try PriceProposalStore.insert(proposal, entries, &tx, permit)
            return Change(proposal, in: proposal.organization, after: proposal)
        }
        return try await outcome.resolved { try await self.priceProposal(PriceProposalID($0)) }
    }

    /// The entries of a body, each with what it would do to what is in force at an instant.
    private static func entries(
        _ body: JSONValue, of provider: ProviderID, at instant: Timestamp, _ tx: inout Transaction
    ) throws -> [PriceProposal.Entry] {
        let wanted = body["entries"]?.array ?? []
        let names = wanted.map { $0["model"]?.string ?? "" }
        var positions: [String: Int] = [:]
        for (index, name) in names.enumerated() {
            guard positions.updateValue(index, forKey: name) == nil else {
                throw ControlError.invalid("The model occurs twice.", at: "/entries/\(index)/model")
            }
        }
        let models = try PriceProposalStore.models(of: provider, named: names, &tx)
        let current = try PriceProposalStore.prices(of: Array(models.values), at: instant, &tx)
        let prices = try PriceStore.prices(Set(current.values), &tx)
        return try wanted.enumerated().map { index, entry in
            let items = try PriceItems.read(entry["items"], at: "/entries/\(index)/items")
            let uplift = entry["uplift_ppm"]?.integer.flatMap { PriceFactor(partsPerMillion: $0) } ?? .one
            let model = models[names[index]]
            let before = model.flatMap { current[$0] }.flatMap { prices[$0] }
            let effect: PriceProposal.Effect
            if model == nil {
                effect = .unknownModel
            } else if let before {
                effect = before.items == items && before.uplift == uplift ? .unchanged : .changed
            } else {
                effect = .new
            }
            return PriceProposal.Entry(
                modelName: names[index], model: model, effect: effect, before: before?.id, items: items, uplift: uplift)
        }
    }

    /// Makes the proposed prices, all of them or none.
    ///
    /// Refused when a model has been removed or priced otherwise since it was proposed: what is approved is what was
    /// looked at. Whoever proposed it cannot approve it, unless there is no other administrator.
    package func approvePrices(
        _ id: PriceProposalID, ifRevision: Int64?, as context: OperationContext
    ) async throws -> Resolved<PriceProposal> {
        let time = self.time
        let outcome = try await self.changes.perform(.priceProposalsApprove, on: Target(id), as: context) { tx, gate in
            let permit = try gate.permit(at: .instance, &tx)
            let before = try Self.open(id, ifRevision, &tx)
            if before.requestedBy.kind == context.actor.kind, before.requestedBy.id == context.actor.id,
                gate.isHeldByOthers(along: .instance)
            {
                throw ControlError(
                    .notAllowed, "second_person_needed",
                    "Another administrator than the one who proposed it approves it.")
            }
            let effective = before.effectiveAt ?? context.time
            guard effective >= context.time else {
                throw ControlError.conflict("too_late", "The prices were to take effect by now; propose them again.")
            }
            let entries = try PriceProposalStore.entries(
                of: id, after: -1, limit: PriceProposal.entriesLimit, &tx
            ).map(\.entry)
            try Self.checkUnchanged(entries, of: before.provider, at: effective, &tx)
            for entry in entries where entry.effect == .new || entry.effect == .changed {
                guard let model = entry.model else { continue }
                let price = Price(
                    id: time.newID(), model: model, effectiveAt: effective, items: entry.items, uplift: entry.uplift,
                    createdAt: context.time
                )
                try PriceStore.insert(price, &tx, permit)
            }
            let after = before.decided(.approved, by: context.actor, at: context.time)
            try PriceProposalStore.save(after, &tx, permit)
            return Change(after, in: before.organization, before: before, after: after)
        }
        return try await outcome.resolved { _ in try await self.priceProposal(id) }
    }

    package func rejectPrices(
        _ id: PriceProposalID, ifRevision: Int64?, as context: OperationContext
    ) async throws -> Resolved<PriceProposal> {
        let outcome = try await self.changes.perform(.priceProposalsReject, on: Target(id), at: .instance, as: context)
        { tx, permit in
            let before = try Self.open(id, ifRevision, &tx)
            let after = before.decided(.rejected, by: context.actor, at: context.time)
            try PriceProposalStore.save(after, &tx, permit)
            return Change(after, in: before.organization, before: before, after: after)
        }
        return try await outcome.resolved { _ in try await self.priceProposal(id) }
    }

    /// The proposal, held, when it is still to be decided.
    private static func open(
        _ id: PriceProposalID, _ ifRevision: Int64?, _ tx: inout Transaction
    ) throws -> PriceProposal {
        let proposal = try PriceProposalStore.fetch(id, &tx, lock: .update)
        try Revision.check(proposal.stamps.revision, ifRevision)
        guard proposal.status == .open else {
            throw ControlError.conflict("decided", "It is \(proposal.status.rawValue) already.")
        }
        return proposal
    }

    /// Throws when an entry would do something else now than when it was proposed.
    private static func checkUnchanged(
        _ entries: [PriceProposal.Entry], of provider: ProviderID, at instant: Timestamp, _ tx: inout Transaction
    ) throws {
        let models = try PriceProposalStore.models(of: provider, named: entries.map(\.modelName), &tx)
        let current = try PriceProposalStore.prices(of: Array(models.values), at: instant, &tx)
        for entry in entries where entry.effect != .unknownModel {
            guard let model = entry.model, models[entry.modelName] == model, current[model] == entry.before else {
                throw ControlError.conflict(
                    "stale", "The model \(entry.modelName) was priced otherwise or removed since; propose it again.")
            }
        }
    }
}
