import Crypto
import Shared
import TestKit

/// Random values of every type that has a form on the wire: valid ones, at the edges more often than chance would have.
struct Sampler {
    var random: SeededRandom

    init(_ purpose: StaticString) { self.random = SeededRandom(purpose) }

    mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &self.random) }
    mutating func chance() -> Bool { self.below(2) == 0 }
    mutating func pick<Element>(_ elements: [Element]) -> Element { elements[self.below(elements.count)] }
    mutating func maybe<Value>(_ value: (inout Sampler) -> Value) -> Value? { self.chance() ? value(&self) : nil }
    mutating func many<Value>(_ range: ClosedRange<Int>, _ value: (inout Sampler) -> Value) -> [Value] {
        let count = Int.random(in: range, using: &self.random)
        return (0..<count).map { _ in value(&self) }
    }

    mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: 0...255, using: &self.random) }
    }
    mutating func bytes(_ range: ClosedRange<Int>) -> [UInt8] {
        self.bytes(Int.random(in: range, using: &self.random))
    }
    mutating func uuid() -> UUIDValue {
        UUIDValue(high: self.random.next() | 1, low: self.random.next())
    }
    mutating func id<Kind: IdentifierKind>(_: Kind.Type = Kind.self) -> Identifier<Kind> { Identifier(self.uuid()) }

    mutating func integer(_ range: ClosedRange<Int>) -> Int {
        switch self.below(4) {
        case 0: range.lowerBound
        case 1: range.upperBound
        case 2: Int.random(in: range.lowerBound...min(range.upperBound, range.lowerBound + 300), using: &self.random)
        default: Int.random(in: range, using: &self.random)
        }
    }
    mutating func count() -> Int64 { Int64(self.integer(0...Int.max)) }
    mutating func instant() -> Timestamp {
        Timestamp(microseconds: self.pick([0, 1, -1, .min, .max, Int64(self.integer(0...4_000_000_000_000_000))]))
    }
    mutating func text(_ range: ClosedRange<Int>) -> String {
        let limit = Int.random(in: range, using: &self.random)
        var text = ""
        let characters: [Character] = ["a", "Z", "0", "-", "/", ".", "\"", "\\", "é", "ß", "模", "🚪", "\u{0}", "\n"]
        while true {
            let next = text + String(self.pick(characters))
            guard next.utf8.count <= limit else { break }
            text = next
        }
        while text.utf8.count < range.lowerBound { text += "x" }
        return text
    }
    mutating func status() -> RowStatus { self.pick([.active, .disabled, .revoked]) }
    mutating func limit() -> Int { self.integer(1...Int(Int32.max)) }
    mutating func version() -> SnapshotVersion {
        SnapshotVersion(epoch: self.limit(), version: self.integer(1...Int.max))
    }
    mutating func network() -> NetworkRange {
        let prefix = self.below(129)
        let high: UInt64 = prefix >= 64 ? .max : ~(UInt64.max >> UInt64(prefix))
        let low: UInt64 = prefix <= 64 ? 0 : prefix == 128 ? .max : ~(UInt64.max >> UInt64(prefix - 64))
        let address = IPAddress(high: self.random.next() & high, low: self.random.next() & low)
        return NetworkRange(address: address, prefix: prefix) ?? NetworkRange("::/0").unsafelyUnwrapped
    }
}

// MARK: Rows

extension Sampler {
    mutating func node() -> NodeRow {
        let kind = self.pick([ScopeNodeKind.organization, .unit, .project])
        return NodeRow(
            id: self.id(), kind: kind, parent: kind == .organization ? nil : self.id(), status: self.status(),
            tags: kind == .project ? self.tags() : [])
    }
    mutating func owner() -> OwnerRow { OwnerRow(id: self.uuid(), status: self.status()) }
    mutating func policy() -> PolicyRow {
        PolicyRow(
            id: self.id(), models: self.maybe { $0.many(0...5) { $0.text(0...PolicyRow.aliasLimit) } },
            networks: self.many(0...4) { $0.network() }, tags: self.maybe { $0.tagSet() })
    }
    mutating func tags() -> [TagDeclaration] {
        let names = Set(self.many(0...TagText.countLimit) { $0.tagName() })
        return names.sorted().map { TagDeclaration(name: $0, isRequired: self.chance()) }
    }
    mutating func tagSet() -> TagSet {
        var tags: [String: String] = [:]
        for name in self.many(1...TagText.countLimit, { $0.tagName() }) {
            tags[name] = self.pick(["a", "A B", "~", TagText.other, String(repeating: "v", count: TagText.valueLimit)])
        }
        return TagSet(tags).unsafelyUnwrapped
    }
    mutating func tagName() -> String {
        let rest = self.many(0...TagText.nameLimit - 1) { $0.pick(["a", "z", "0", "9", "_", ".", "-"]) }
        return self.pick(["a", "m", "z"]) + rest.joined()
    }
    mutating func key() -> KeyRow {
        KeyRow(
            digest: self.bytes(32), key: self.id(), project: self.id(), owner: self.maybe { $0.uuid() },
            policy: self.maybe { $0.id() }, expires: self.maybe { $0.instant() }, status: self.status())
    }
    mutating func provider() -> ProviderRow {
        ProviderRow(
            id: self.id(), kind: self.pick(ProviderKind.allCases), baseURL: self.text(0...ProviderRow.urlLimit),
            status: self.status())
    }
    mutating func credential() -> CredentialRow {
        CredentialRow(
            id: self.id(), provider: self.id(), version: self.limit(), keyEpoch: self.limit(),
            sealed: self.bytes(0...200), status: self.status())
    }
    mutating func model() -> ModelRow {
        ModelRow(
            id: self.id(), provider: self.id(), name: self.text(1...ModelRow.nameLimit),
            contextWindow: self.integer(0...Int(Int32.max)), maxOutput: self.integer(0...Int(Int32.max)),
            status: self.status())
    }
    mutating func target() -> RouteTarget {
        RouteTarget(
            model: self.id(), credential: self.maybe { $0.id() }, order: self.integer(0...100),
            weight: self.integer(0...10_000))
    }
    mutating func route() -> RouteRow {
        RouteRow(
            id: self.id(), node: self.maybe { $0.id() }, alias: self.text(1...PolicyRow.aliasLimit),
            targets: self.many(0...4) { $0.target() }, status: self.status())
    }
    mutating func priceItem() -> PriceItem {
        PriceItem(
            meter: self.pick(Meter.allCases), nanoUSDPerMillion: self.count(), abovePromptTokens: self.count(),
            tier: self.pick(ServiceTier.allCases), window: self.maybe { $0.window() })
    }
    mutating func window() -> PriceWindow {
        while true {
            let (start, end) = (self.integer(0...1439), self.integer(1...1440))
            let weekdays = UInt8(self.integer(1...127))
            if let window = PriceWindow(start: start, end: end, weekdays: weekdays) { return window }
        }
    }
    mutating func factor() -> PriceFactor {
        let range = Int(PriceFactor.range.lowerBound)...Int(PriceFactor.range.upperBound)
        return PriceFactor(partsPerMillion: Int64(self.integer(range))) ?? .one
    }
    mutating func price() -> PriceRow {
        PriceRow(
            id: self.id(), model: self.maybe { $0.id() }, effective: self.instant(),
            items: self.many(0...5) { $0.priceItem() },
            uplift: self.chance() ? .one : self.factor())
    }
    mutating func adjustment() -> PriceAdjustment {
        let isOfModel = self.chance()
        return PriceAdjustment(
            id: self.id(), organization: self.id(), provider: isOfModel ? nil : self.maybe { $0.id() },
            model: isOfModel ? self.id() : nil, factor: self.factor(), effective: self.instant())
    }
}

// MARK: Budgets

extension Sampler {
    mutating func zone() -> ZoneOffsets {
        var since: Int64 = 0
        let entries = self.many(1...5) { sampler -> ZoneOffsets.Entry in
            since += Int64(sampler.integer(1...40_000_000))
            return .init(since: since, offset: Int32(sampler.integer(0...108)) * 900 - 48_600)
        }
        return ZoneOffsets(entries) ?? .utc
    }
    mutating func subjectTag() -> SubjectTag {
        let values = ["a", "x y", "~", "(", String(repeating: "v", count: TagText.valueLimit)]
        while true {
            let tag = SubjectTag(name: self.tagName(), value: self.pick(values))
            if let tag { return tag }
        }
    }
    mutating func subject() -> BudgetSubject {
        if self.chance() { return .tag(self.id(), self.subjectTag()) }
        return self.pick([.node(self.id()), .key(self.id()), .owner(self.uuid())])
    }
    mutating func budget() -> BudgetRow {
        let away = self.pick(BudgetAwayPolicy.allCases)
        return BudgetRow(
            id: self.id(), number: UInt32(self.integer(1...Int(UInt32.max))), subject: self.subject(),
            period: self.pick(BudgetPeriod.allCases),
            rolling: self.chance() ? self.pick(BudgetPeriod.allCases) : nil, zone: self.zone(),
            amount: NanoUSD(max(1, self.count())),
            isHard: self.chance(), away: away,
            awayAllowance: away == .deny && self.chance() ? NanoUSD(max(1, self.count())) : .zero,
            estimate: self.pick(BudgetEstimate.allCases), lowersOutput: self.chance(),
            providers: self.many(0...3) { $0.id() },
            models: self.many(0...3) { $0.id() })
    }
    mutating func charge() -> Charge {
        Charge(
            budget: UInt32(self.integer(1...Int(UInt32.max))), startMinute: UInt32(self.integer(0...Int(UInt32.max))))
    }
    mutating func amount() -> Int64 { Int64(self.integer(0...Int(LeaseRequest.amountLimit))) }
    mutating func ask() -> LeaseAsk {
        var ask = LeaseAsk(account: self.charge())
        ask.granted = self.amount()
        ask.returned = min(ask.granted, self.amount())
        ask.posted = self.amount()
        ask.reserved = self.amount()
        ask.want = self.amount()
        ask.need = self.amount()
        ask.largest = self.amount()
        ask.isFinal = self.chance()
        return ask
    }
    mutating func leaseRequest() -> LeaseRequest {
        var accounts: Set<Charge> = []
        var request = LeaseRequest(
            gateway: self.id(), sequence: self.amount(),
            asks: self.many(0...4) { $0.ask() }.filter { accounts.insert($0.account).inserted },
            settled: self.many(0...3) { $0.random.next() | 1 })
        request.isDraining = self.chance()
        var limits: Set<UInt32> = []
        request.shares = self.many(0...4) { $0.shareAsk() }.filter { limits.insert($0.limit).inserted }
        return request
    }
    mutating func grant() -> LeaseGrant {
        var grant = LeaseGrant(account: self.charge())
        grant.granted = self.amount()
        grant.left = self.amount()
        grant.recall = self.amount()
        grant.isDirect = self.chance()
        grant.isUnknown = self.chance()
        return grant
    }
    mutating func leaseReply() -> LeaseReply {
        var reply = LeaseReply(
            request: self.bytes(32), grants: self.many(0...4) { $0.grant() },
            unsettled: self.many(0...3) { $0.random.next() | 1 })
        reply.shares = self.many(0...4) { $0.shareGrant() }
        return reply
    }
}

// MARK: Rate limits

extension Sampler {
    mutating func rateLimit() -> RateLimitRow {
        let meter = self.pick(RateLimitMeter.allCases)
        let period = meter == .concurrentRequests ? nil : self.pick(RateLimitPeriod.allCases)
        let units = 1...Int(BucketRate.amountLimit)
        let rate = BucketRate(amount: Int64(self.integer(units)), per: period, burst: Int64(self.integer(units)))
        return RateLimitRow(
            id: self.id(), number: UInt32(self.integer(1...Int(UInt32.max))), subject: self.subject(),
            meter: meter,
            rate: rate ?? .least, isStrict: self.chance(), away: self.pick(BudgetAwayPolicy.allCases),
            providers: self.many(0...3) { $0.id() }, models: self.many(0...3) { $0.id() })
    }
    private mutating func parts() -> Int64 { Int64(self.integer(0...Int(BucketRate.parts))) }
    private mutating func granules() -> Int64 { Int64(self.integer(0...Int(ShareAsk.granulesLimit))) }
    mutating func shareAsk() -> ShareAsk {
        var ask = ShareAsk(limit: UInt32(self.integer(1...Int(UInt32.max))))
        ask.generation = self.amount()
        ask.share = self.parts()
        ask.granted = self.granules()
        ask.returned = self.granules()
        ask.borrowed = self.granules()
        ask.want = self.parts()
        ask.need = self.granules()
        ask.largest = self.granules()
        ask.isFinal = self.chance()
        ask.spare = self.granules()
        return ask
    }
    mutating func shareGrant() -> ShareGrant {
        var grant = ShareGrant(limit: UInt32(self.integer(1...Int(UInt32.max))))
        grant.generation = self.amount()
        grant.share = self.parts()
        grant.granted = self.granules()
        grant.left = self.granules()
        grant.recall = self.granules()
        grant.isUnknown = self.chance()
        return grant
    }
}

// MARK: Documents

extension Sampler {
    mutating func reference() -> ChunkReference {
        ChunkReference(
            name: self.text(0...64), type: self.pick(ChunkType.allCases), sha256: self.bytes(32),
            size: self.integer(0...ChunkReference.sizeLimit), rawSHA256: self.bytes(32),
            rawSize: self.integer(0...ChunkReference.rawSizeLimit), count: self.integer(0...ChunkReference.countLimit))
    }
    mutating func limits() -> Manifest.Limits {
        var limits = Manifest.Limits()
        limits.keyBucketBits = self.integer(8...11)
        limits.maxStaleSeconds = self.integer(60...31_536_000)
        limits.maxBodyBytes = self.integer(1024...(1 << 30))
        limits.requestSeconds = self.integer(1...86_400)
        limits.unpricedModels = self.pick(Manifest.UnpricedModels.allCases)
        return limits
    }
    mutating func manifest() -> Manifest {
        var manifest = Manifest(
            deployment: self.id(), group: self.id(), version: self.version(), created: self.instant(),
            previous: self.chance() ? [] : self.bytes(32), keyringEpoch: self.limit(), limits: self.limits(),
            chunks: self.many(0...3) { $0.reference() })
        manifest.schema = self.integer(1...1000)
        manifest.minimumBuild = self.integer(0...Int(Int32.max))
        return manifest
    }
    mutating func statement() -> TimestampStatement {
        var statement = TimestampStatement(
            deployment: self.id(), group: self.id(), sequence: self.integer(1...Int.max), issued: self.instant(),
            version: self.version(), manifest: self.bytes(32), keyringEpoch: self.limit(), keyring: self.bytes(32),
            rootVersion: self.limit())
        statement.expires = self.instant()
        return statement
    }
    mutating func highWater() -> SnapshotHighWater {
        var mark = SnapshotHighWater()
        mark.rootVersion = self.integer(0...Int.max)
        mark.version = SnapshotVersion(epoch: self.integer(0...Int.max), version: self.integer(0...Int.max))
        mark.manifest = self.bytes(0...32)
        mark.sequence = self.integer(0...Int.max)
        mark.keyringEpoch = self.integer(0...Int.max)
        return mark
    }
    mutating func root() -> TrustRoot {
        let keys = (0..<4).map { _ in SigningKey().publicKey }
        func role(_ keys: [VerifyingKey], _ threshold: Int) -> TrustRoot.Role {
            TrustRoot.Role(threshold: threshold, keyIDs: keys.map(\.id))
        }
        return TrustRoot(
            deployment: self.id(), version: self.limit(), keys: keys, root: role(Array(keys[..<3]), 2),
            config: role([keys[3]], 1), timestamp: role(Array(keys[2...]), 1))
    }
    mutating func keyring() -> Keyring {
        var keyring = Keyring(deployment: self.id(), group: self.id(), epoch: self.limit())
        for _ in 0..<self.below(3) {
            let key = Curve25519.KeyAgreement.PrivateKey().publicKey
            try? keyring.seal(SymmetricKey(size: .bits256), to: self.id(), publicKey: Array(key.rawRepresentation))
        }
        return keyring
    }
    mutating func envelope() -> Envelope {
        Envelope(
            self.pick(PayloadType.allCases), payload: self.bytes(0...100),
            keys: self.many(0...2) { _ in SigningKey() }
        ).unsafelyUnwrapped
    }
}

// MARK: Usage and link

extension Sampler {
    mutating func record() -> UsageRecord {
        var record = UsageRecord(request: self.id(), key: self.id(), project: self.id())
        record.owner = self.maybe { $0.uuid() }
        record.route = self.maybe { $0.id() }
        record.model = self.maybe { $0.id() }
        record.provider = self.maybe { $0.id() }
        record.price = self.maybe { $0.id() }
        record.adjustment = self.maybe { $0.id() }
        record.serviceTier = self.pick(ServiceTier.allCases)
        record.started = self.instant()
        record.durationMicroseconds = self.count()
        record.firstByteMicroseconds = self.count()
        record.status = self.integer(0...999)
        record.outcome = self.pick(RequestOutcome.allCases)
        record.isStream = self.chance()
        record.isEstimate = self.chance()
        for meter in Meter.allCases { record.counters[meter] = self.count() }
        record.cost = NanoUSD(self.count())
        record.attempts = self.integer(0...1000)
        record.snapshot = SnapshotVersion(epoch: self.integer(0...Int(Int32.max)), version: self.integer(0...Int.max))
        record.charges = self.many(0...Charge.limit) { $0.charge() }
        record.code = self.text(0...UsageRecord.codeLimit)
        record.refusal = self.maybe { $0.refusal() }
        record.tags = self.integer(UsageRecord.tagNumbers)
        return record
    }

    mutating func refusal() -> UsageRefusal {
        UsageRefusal(
            level: self.pick(BudgetLevel.allCases), rule: self.uuid(), left: self.count(), needed: self.count())
    }

    mutating func batch() -> UsageBatch {
        let from = self.integer(1...UsageBatch.sequenceLimit)
        var lost: UsageLoss?
        if from > 1 && self.chance() {
            lost = UsageLoss(from: self.integer(1...from - 1), reason: self.pick(UsageLossReason.allCases))
        }
        let sets = self.many(0...3) { $0.tagSet() }
        let records = self.many(1...3) { sampler in
            var record = sampler.record()
            record.tags = sampler.integer(0...sets.count)
            return record
        }
        return UsageBatch(
            gateway: self.id(), stream: self.id(), process: self.random.next(), from: from, records: records,
            lost: lost,
            tagSets: sets)
    }
    mutating func reply() -> UsageReply {
        UsageReply(request: self.bytes(32), stream: self.id(), last: self.integer(0...UsageReply.lastLimit))
    }
    mutating func enrolment() -> EnrolmentRequest {
        EnrolmentRequest(
            name: self.text(0...200), identityKey: self.bytes(32), sealingKey: self.bytes(32),
            build: self.integer(0...Int(Int32.max)))
    }
    mutating func enrolmentReply() -> EnrolmentReply {
        EnrolmentReply(gateway: self.id(), group: self.id(), roots: self.many(0...3) { $0.bytes(0...80) })
    }
    mutating func status() -> StatusReport {
        var report = StatusReport(
            process: self.random.next(),
            version: SnapshotVersion(epoch: self.integer(0...Int(Int32.max)), version: self.integer(0...Int.max)),
            manifest: self.chance() ? [] : self.bytes(32), keyringEpoch: self.integer(0...Int(Int32.max)),
            sequence: self.integer(0...Int.max))
        report.build = self.integer(0...Int(Int32.max))
        report.isDraining = self.chance()
        guard self.chance() else { return report }
        report.refused = SnapshotVersion(epoch: self.integer(0...Int(Int32.max)), version: self.integer(0...Int.max))
        report.code = self.text(1...32)
        report.chunk = self.text(0...64)
        report.message = self.text(0...500)
        return report
    }
    mutating func start() -> StartReply { StartReply(epoch: self.integer(1...Int.max)) }
    mutating func time() -> SignedTime {
        SignedTime(deployment: self.id(), nonce: self.bytes(SignedTime.nonceSizes), time: self.instant())
    }
    mutating func assertion() -> NodeAssertion {
        NodeAssertion(
            gateway: self.id(), audience: self.id(), method: self.text(0...16), path: self.text(0...200),
            body: self.bytes(0...10), issued: self.instant(), process: self.random.next())
    }
}
