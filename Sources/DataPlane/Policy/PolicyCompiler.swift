package import Crypto
package import Shared

/// Turns the rows of a verified snapshot into an index, or says what does not fit together.
///
/// Everything a row refers to must be there: a snapshot that restricts by reference and lost the reference must not be
/// served.
package struct PolicyCompiler {
    private let manifest: Manifest
    private let document: SnapshotDocument
    private let leases: LeaseTable
    private var budgets = BudgetPaths()
    private var rateLimits = RateLimitPaths()
    private var tags = TagPaths()
    private var nodeHandles: [NodeID: Handle] = [:]
    private var aliasHandles: [String: Handle] = [:]
    private var credentialProviders: [Handle] = []

    /// - Parameters:
    ///   - document: all rows of the manifest's chunks.
    ///   - manifestSHA256: the hash of the manifest's envelope.
    ///   - keyEncryptionKey: the group's, from the keyring of `manifest.keyringEpoch`.
    ///   - leases: where the process keeps what it holds of budgets and rate limits.
    package static func compile(
        _ document: SnapshotDocument, manifest: Manifest, manifestSHA256: [UInt8], keyEncryptionKey: SymmetricKey,
        leases: LeaseTable
    ) throws(SnapshotError) -> PolicyIndex {
        var compiler = PolicyCompiler(manifest: manifest, document: document, leases: leases)
        return try compiler.run(manifestSHA256, keyEncryptionKey)
    }

    private init(manifest: Manifest, document: SnapshotDocument, leases: LeaseTable) {
        self.leases = leases
        self.manifest = manifest
        self.document = document
    }

    private mutating func run(_ hash: [UInt8], _ key: SymmetricKey) throws(SnapshotError) -> PolicyIndex {
        let (adjustments, ranges) = self.compileAdjustments()
        let (providers, providerHandles) = try self.compileProviders()
        let (credentials, credentialHandles) = try self.compileCredentials(key, providerHandles)
        let (models, modelHandles) = try self.compileModels(providerHandles)
        var narrowing = Narrowing(providers: providerHandles, models: models, modelHandles: modelHandles)
        let levels = BudgetLevel.levels(of: self.document.nodes)
        self.budgets = try BudgetPaths(self.document.budgets, levels, &narrowing, self.leases)
        self.rateLimits = try RateLimitPaths(self.document.rateLimits, levels, &narrowing, self.leases.rates)
        self.tags = TagPaths(self.document.nodes, &self.budgets.subjects, &self.rateLimits.subjects)
        let nodes = try self.compileNodes(ranges)
        let (routes, aliases) = try self.compileRoutes(models, modelHandles, credentialHandles)
        let (policies, policyHandles) = try self.compilePolicies()
        let keys = try self.compileKeys(nodes, policyHandles)
        return PolicyIndex(
            version: self.manifest.version, manifest: hash, limits: self.manifest.limits, keys: keys, nodes: nodes,
            policies: policies, aliases: aliases, routes: routes, models: models, providers: providers,
            credentials: credentials, fallbackPrices: self.fallbackPrices, adjustments: adjustments,
            tags: self.document.nodes.flatMap(\.tags).map {
                TagEntry(name: Array($0.name.utf8), isRequired: $0.isRequired)
            },
            budgets: self.budgets.entries, budgetPaths: self.budgets.subjects.paths,
            rateLimits: self.rateLimits.entries,
            rateLimitPaths: self.rateLimits.subjects.paths, zones: self.budgets.zones, modelSets: narrowing.sets,
            tagSubjects: self.tags.subjects
        )
    }

    private var fallbackPrices: [PriceRow] {
        guard self.manifest.limits.unpricedModels == .estimate else { return [] }
        return self.document.prices.filter { $0.model == nil }.sorted { $0.effective < $1.effective }
    }

    /// Each organization's adjustments in one run, and where that is.
    private func compileAdjustments() -> ([PriceAdjustment], [NodeID: Range<Int>]) {
        var adjustments: [PriceAdjustment] = []
        var ranges: [NodeID: Range<Int>] = [:]
        for (organization, own) in Dictionary(grouping: self.document.adjustments, by: \.organization) {
            ranges[organization] = adjustments.count..<adjustments.count + own.count
            adjustments += own.sorted { $0.precedes($1) }
        }
        return (adjustments, ranges)
    }

    private mutating func compileNodes(_ adjustments: [NodeID: Range<Int>]) throws(SnapshotError) -> [NodeEntry] {
        for (index, row) in self.document.nodes.enumerated() {
            guard self.nodeHandles.updateValue(Handle(index), forKey: row.id) == nil else {
                throw Self.invalid(.nodes, "node \(row.id) occurs twice")
            }
        }
        var parents: [Handle] = []
        for row in self.document.nodes {
            guard let parent = row.parent else {
                parents.append(-1)
                continue
            }
            guard let handle = self.nodeHandles[parent] else {
                throw Self.invalid(.nodes, "the parent of \(row.id) is missing")
            }
            parents.append(handle)
        }
        if let row = self.document.adjustments.first(where: { self.nodeHandles[$0.organization] == nil }) {
            throw Self.invalid(.adjustments, "the organization of \(row.id) is missing")
        }
        var entries: [NodeEntry] = []
        var tags = 0
        for (index, row) in self.document.nodes.enumerated() {
            var line: [NodeID] = []
            var active = true
            var current = Handle(index)
            var organization = row.id
            var depth = 0
            while current >= 0 {
                guard depth < PolicyIndex.depthLimit else { throw Self.invalid(.nodes, "\(row.id) is too deep") }
                active = active && self.document.nodes[Int(current)].status == .active
                organization = self.document.nodes[Int(current)].id
                line.append(organization)
                current = parents[Int(current)]
                depth += 1
            }
            line.reverse()
            entries.append(
                NodeEntry(
                    id: row.id, parent: parents[index], isActive: active,
                    adjustments: adjustments[organization] ?? 0..<0,
                    tags: tags..<tags + row.tags.count,
                    budgets: try self.budgets.subjects.path(ofLine: line),
                    rateLimits: try self.rateLimits.subjects.path(ofLine: line),
                    tagLookups: self.tags.lookups(
                        of: row, line: line, self.budgets.subjects, self.rateLimits.subjects)
                )
            )
            tags += row.tags.count
        }
        return entries
    }

    private func compileProviders() throws(SnapshotError) -> ([ProviderEntry], [ProviderID: Handle]) {
        var entries: [ProviderEntry] = []
        var handles: [ProviderID: Handle] = [:]
        for row in self.document.providers where row.status == .active {
            var url: UpstreamURL?
            if row.kind != .mock {
                do throws(UpstreamURL.Failure) {
                    url = try UpstreamURL(row.baseURL)
                } catch {
                    throw Self.invalid(.providers, "the base URL of \(row.id) \(error.reason)")
                }
            }
            handles[row.id] = Handle(entries.count)
            entries.append(ProviderEntry(id: row.id, kind: row.kind, url: url))
        }
        return (entries, handles)
    }

    private mutating func compileCredentials(
        _ key: SymmetricKey, _ providers: [ProviderID: Handle]
    ) throws(SnapshotError) -> ([CredentialEntry], [CredentialID: Handle]) {
        var entries: [CredentialEntry] = []
        var handles: [CredentialID: Handle] = [:]
        for row in self.document.credentials where row.status == .active {
            guard let provider = providers[row.provider] else { continue }
            guard row.keyEpoch == self.manifest.keyringEpoch else {
                throw Self.invalid(.credentials, "\(row.id) is under another keyring")
            }
            guard
                let secret = SealedCredential.open(
                    row.sealed, key: key, deployment: self.manifest.deployment, group: self.manifest.group,
                    credential: row.id, version: row.version
                )
            else { throw Self.invalid(.credentials, "\(row.id) does not open") }
            let bytes = secret.reveal()
            guard !bytes.isEmpty, bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
                throw Self.invalid(.credentials, "\(row.id) is not printable ASCII")
            }
            handles[row.id] = Handle(entries.count)
            let field = Array("authorization: Bearer ".utf8) + bytes + Array("\r\n".utf8)
            entries.append(CredentialEntry(id: row.id, field: Secret(field)))
            self.credentialProviders.append(provider)
        }
        return (entries, handles)
    }

    private func compileModels(
        _ providers: [ProviderID: Handle]
    ) throws(SnapshotError) -> ([ModelEntry], [ModelID: Handle]) {
        let prices = Dictionary(grouping: self.document.prices, by: \.model)
        var entries: [ModelEntry] = []
        var handles: [ModelID: Handle] = [:]
        for row in self.document.models where row.status == .active {
            guard let provider = providers[row.provider] else { continue }
            handles[row.id] = Handle(entries.count)
            entries.append(
                ModelEntry(
                    id: row.id, provider: provider, name: Array(row.name.utf8),
                    contextWindow: row.contextWindow, maxOutput: row.maxOutput,
                    prices: (prices[row.id] ?? []).sorted { $0.effective < $1.effective }
                )
            )
        }
        return (entries, handles)
    }

    private mutating func compileRoutes(
        _ models: [ModelEntry], _ modelHandles: [ModelID: Handle], _ credentials: [CredentialID: Handle]
    ) throws(SnapshotError) -> ([RouteEntry], [AliasEntry]) {
        var routes: [RouteEntry] = []
        var visible: [String: [(node: Handle, route: Handle)]] = [:]
        for row in self.document.routes where row.status == .active {
            var node: Handle = -1
            if let owner = row.node {
                guard let handle = self.nodeHandles[owner] else {
                    throw Self.invalid(.routes, "the node of \(row.id) is missing")
                }
                node = handle
            }
            var targets: [TargetEntry] = []
            for target in row.targets {
                // A target whose model, provider or credential is disabled is not used; the route may have others.
                guard let model = modelHandles[target.model] else { continue }
                var credential: Handle = -1
                if let id = target.credential {
                    guard let handle = credentials[id] else { continue }
                    guard self.credentialProviders[Int(handle)] == models[Int(model)].provider else {
                        throw Self.invalid(.routes, "\(row.id) would give \(id) to another provider")
                    }
                    credential = handle
                }
                targets.append(
                    TargetEntry(model: model, credential: credential, order: target.order, weight: target.weight)
                )
            }
            targets.sort { $0.order < $1.order }
            visible[row.alias, default: []].append((node, Handle(routes.count)))
            routes.append(RouteEntry(id: row.id, targets: targets))
        }
        var aliases: [AliasEntry] = []
        for (name, routes) in visible.sorted(by: { $0.key < $1.key }) {
            guard Set(routes.map(\.node)).count == routes.count else {
                throw Self.invalid(.routes, "two routes of one node have the alias '\(name)'")
            }
            self.aliasHandles[name] = Handle(aliases.count)
            let bytes = Array(name.utf8)
            aliases.append(AliasEntry(name: bytes, hash: AliasHash.of(bytes.span), routes: routes))
        }
        return (routes, aliases)
    }

    private func compilePolicies() throws(SnapshotError) -> ([PolicyEntry], [PolicyID: Handle]) {
        var entries: [PolicyEntry] = []
        var handles: [PolicyID: Handle] = [:]
        for row in self.document.policies {
            guard handles.updateValue(Handle(entries.count), forKey: row.id) == nil else {
                throw Self.invalid(.policies, "\(row.id) occurs twice")
            }
            let aliases = row.models.map { names in Set(names.compactMap { self.aliasHandles[$0] }).sorted() }
            let tags = row.tags.map { set in
                set.ranges.map { (name: Array(set.utf8[$0.name]), value: Array(set.utf8[$0.value])) }
            }
            entries.append(PolicyEntry(aliases: aliases, networks: row.networks, tags: tags ?? []))
        }
        return (entries, handles)
    }

    private mutating func compileKeys(
        _ nodes: [NodeEntry], _ policies: [PolicyID: Handle]
    ) throws(SnapshotError) -> [KeyEntry] {
        var owners: [UUIDValue: RowStatus] = [:]
        for row in self.document.owners { owners[row.id] = row.status }
        let ownTags = self.document.policies.map { Array(($0.tags?.tags ?? [:]).keys) }
        var entries: [KeyEntry] = []
        entries.reserveCapacity(self.document.keys.count)
        for row in self.document.keys {
            guard let node = self.nodeHandles[row.project] else {
                throw Self.invalid(.keys, "the project of \(row.key) is missing")
            }
            var policy: Handle = -1
            if let id = row.policy {
                guard let handle = policies[id] else {
                    throw Self.invalid(.keys, "the policy of \(row.key) is missing")
                }
                policy = handle
            }
            let declared = self.document.nodes[Int(node)].tags
            let own = policy >= 0 ? ownTags[Int(policy)] : []
            if let name = own.first(where: { name in !declared.contains { $0.name == name } }) {
                throw Self.invalid(.keys, "the project of \(row.key) does not declare its tag '\(name)'")
            }
            var state: KeyState =
                switch row.status {
                case .active: .active
                case .disabled: .disabled
                case .revoked: .revoked
                }
            if state == .active, let owner = row.owner {
                guard let status = owners[owner] else {
                    throw Self.invalid(.keys, "the owner of \(row.key) is missing")
                }
                if status != .active { state = .ownerDisabled }
            }
            if state == .active && !nodes[Int(node)].isActive { state = .scopeDisabled }
            entries.append(
                KeyEntry(
                    digest: Digest256(row.digest), key: row.key, project: row.project, owner: row.owner, node: node,
                    policy: policy, expires: row.expires?.microseconds ?? .max, state: state,
                    budgets: try self.budgets.subjects.path(ofKey: row.key, owner: row.owner),
                    rateLimits: try self.rateLimits.subjects.path(ofKey: row.key, owner: row.owner),
                    isTagged: !declared.isEmpty
                )
            )
        }
        return entries
    }

    private static func invalid(_ type: ChunkType, _ message: String) -> SnapshotError {
        SnapshotError(.invalid, chunk: type.name, message)
    }
}
