package import Shared

/// What became of the requests for one model, of one kind and with one outcome.
package struct ModelFigures: Sendable {
    package let series: Series
    /// Whole requests, in microseconds.
    package private(set) var durations = Distribution(Bounds.operation)
    /// Streams: from the sending of the request to the first byte of its answer.
    package private(set) var firstChunks = Distribution(Bounds.firstChunk)
    /// Streams that were answered to their end: time for each token after the first.
    package private(set) var outputTokenTimes = Distribution(Bounds.outputToken)
    package private(set) var inputTokens = Distribution(Bounds.tokens)
    package private(set) var outputTokens = Distribution(Bounds.tokens)
    package private(set) var cost: Int64 = 0

    /// What tells one from another.
    package struct Series: Hashable, Sendable {
        /// Nil for all models that found no room in the table.
        package let model: ModelID?
        package let operation: GenAIOperation
        package let outcome: RequestOutcome
        /// The provider's name of the model, and its kind, as they were when the first request ended.
        package let name: String
        package let provider: String
    }

    init(_ series: Series) { self.series = series }

    mutating func add(_ record: borrowing UsageRecord, upstreamMicroseconds: Int64) {
        self.durations.add(record.durationMicroseconds)
        self.cost = self.cost.addingSaturating(record.cost.amount)
        guard record.outcome == .completed else { return }
        let output = record.counters.outputTokens
        // A bound is not a measurement.
        if !record.isEstimate {
            self.inputTokens.add(record.counters.promptTokens)
            self.outputTokens.add(output)
        }
        guard record.isStream else { return }
        self.firstChunks.add(upstreamMicroseconds)
        if !record.isEstimate, output > 1 {
            self.outputTokenTimes.add((record.durationMicroseconds - record.firstByteMicroseconds) / (output - 1))
        }
    }

    mutating func add(_ other: ModelFigures) {
        self.durations.add(other.durations)
        self.firstChunks.add(other.firstChunks)
        self.outputTokenTimes.add(other.outputTokenTimes)
        self.inputTokens.add(other.inputTokens)
        self.outputTokens.add(other.outputTokens)
        self.cost = self.cost.addingSaturating(other.cost)
    }
}

/// OpenTelemetry's `gen_ai.operation.name`.
package enum GenAIOperation: UInt8, Sendable {
    case chat, textCompletion, embeddings, other

    init(_ operation: Operation) {
        switch operation {
        case .chatCompletions, .responses: self = .chat
        case .completions: self = .textCompletion
        case .embeddings: self = .embeddings
        case .moderations, .imageGenerations, .speech, .listModels, .getModel: self = .other
        }
    }

    var name: String {
        switch self {
        case .chat: "chat"
        case .textCompletion: "text_completion"
        case .embeddings: "embeddings"
        case .other: "other"
        }
    }
}

/// The figures of the models that one event loop has carried requests for: a bounded number of series, the rest in one
/// for each kind and outcome.
///
/// Finding a series allocates nothing; the first request of one does.
package struct ModelTable: Sendable {
    package private(set) var all: [ModelFigures] = []
    /// Positions in `all`, found by hash and the next free slot; -1 for none.
    ///
    /// Twice as long as there can be series.
    private var slots = [Int16](repeating: -1, count: 512)

    /// Series with a model's name.
    package static let limit = 192

    package init() {}

    /// - Parameter naming: the provider's name of the model, and the provider's kind; asked once for each series.
    package mutating func add(
        _ record: borrowing UsageRecord, _ kind: GenAIOperation, upstreamMicroseconds: Int64,
        naming: () -> (name: String, provider: String)
    ) {
        guard let id = record.model else { return }
        var slot = Self.hash(id, kind, record.outcome)
        while self.slots[slot] >= 0 {
            let position = Int(self.slots[slot])
            if self.all[position].series.isOf(id, kind, record.outcome) {
                self.all[position].add(record, upstreamMicroseconds: upstreamMicroseconds)
                return
            }
            slot = (slot + 1) & (self.slots.count - 1)
        }
        let position = self.newSeries(id, kind, record.outcome, slot, naming)
        self.all[position].add(record, upstreamMicroseconds: upstreamMicroseconds)
    }

    private mutating func newSeries(
        _ id: ModelID, _ kind: GenAIOperation, _ outcome: RequestOutcome, _ slot: Int,
        _ naming: () -> (name: String, provider: String)
    ) -> Int {
        guard self.all.count < Self.limit else {
            if let other = self.all.firstIndex(where: { $0.series.isOf(nil, kind, outcome) }) { return other }
            self.all.append(
                ModelFigures(.init(model: nil, operation: kind, outcome: outcome, name: "other", provider: "other")))
            return self.all.count - 1
        }
        let (name, provider) = naming()
        self.slots[slot] = Int16(self.all.count)
        self.all.append(
            ModelFigures(.init(model: id, operation: kind, outcome: outcome, name: name, provider: provider)))
        return self.all.count - 1
    }

    private static func hash(_ id: ModelID, _ kind: GenAIOperation, _ outcome: RequestOutcome) -> Int {
        // The end of a version 7 UUID is random.
        let mixed = id.value.low ^ UInt64(kind.rawValue) &* 0x9E37_79B9 ^ UInt64(outcome.rawValue) &* 0x85EB_CA6B
        return Int((mixed ^ mixed &>> 32) & 511)
    }

    /// Adds another loop's.
    package mutating func merge(_ other: ModelTable) {
        for figures in other.all {
            if let position = self.all.firstIndex(where: { $0.series == figures.series }) {
                self.all[position].add(figures)
            } else {
                self.all.append(figures)
            }
        }
    }
}

extension ModelFigures.Series {
    func isOf(_ model: ModelID?, _ operation: GenAIOperation, _ outcome: RequestOutcome) -> Bool {
        self.model == model && self.operation == operation && self.outcome == outcome
    }
}
