package import Shared

/// How many tokens requests had lately, of each key at each model; for one event loop.
///
/// A table of a fixed size: keys that share a place push each other out, and begin again with what is known of their model.
package struct LearnedUse: ~Copyable {
    /// What is to be expected of a request.
    package struct Figures: Sendable, Equatable {
        /// Tokens of an answer.
        package var output: UInt32
        /// Tokens of the prompt for 1024 bytes of the body.
        package var inputPerKiB: UInt32
        /// Tokens of the answer, those not seen included, for 1024 bytes of a stream's text.
        package var outputPerKiB: UInt32

        package init(output: UInt32, inputPerKiB: UInt32, outputPerKiB: UInt32) {
            self.output = output
            self.inputPerKiB = inputPerKiB
            self.outputPerKiB = outputPerKiB
        }

        /// Of a model that nothing is known of: a token for two bytes.
        package static let unknown = Figures(output: 2048, inputPerKiB: 512, outputPerKiB: 512)
    }

    /// What one request had.
    package struct Sample: Sendable {
        package var output: Int64
        /// Tokens of the prompt, and the bytes they were in; no bytes when they say nothing of each other.
        package var input: Int64
        package var bodyBytes: Int64
        /// Bytes of a stream's text; 0 for an answer that was none.
        package var textBytes: Int64

        package init(output: Int64, input: Int64, bodyBytes: Int64, textBytes: Int64) {
            self.output = output
            self.input = input
            self.bodyBytes = bodyBytes
            self.textBytes = textBytes
        }
    }

    private struct Cell {
        /// Whose it is; 0 for nobody's.
        var owner: UInt64 = 0
        var figures = Figures.unknown
    }

    private static let size = 4096
    private var cells: [Cell]

    package init() { self.cells = Array(repeating: Cell(), count: Self.size) }

    /// What to expect of a key at a model: its own, else the model's, else nothing known.
    package func figures(_ key: VirtualKeyID, _ model: ModelID) -> Figures {
        let own = Self.owner(key, model)
        let cell = self.cells[Self.place(own)]
        if cell.owner == own { return cell.figures }
        let all = Self.owner(model)
        let shared = self.cells[Self.place(all)]
        return shared.owner == all ? shared.figures : .unknown
    }

    /// Takes in what a request had.
    package mutating func note(_ sample: Sample, _ key: VirtualKeyID, _ model: ModelID) {
        let all = Self.owner(model)
        let shared = self.note(sample, all, from: .unknown)
        _ = self.note(sample, Self.owner(key, model), from: shared)
    }

    private mutating func note(_ sample: Sample, _ owner: UInt64, from start: Figures) -> Figures {
        let place = Self.place(owner)
        if self.cells[place].owner != owner { self.cells[place] = Cell(owner: owner, figures: start) }
        self.cells[place].figures.follow(sample)
        return self.cells[place].figures
    }

    // SplitMix64's steps: identifiers have the time in their high bits.
    private static func mixed(_ value: UInt64) -> UInt64 {
        var mixed = (value ^ (value &>> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed &>> 27)) &* 0x94D0_49BB_1331_11EB
        return (mixed ^ (mixed &>> 31)) | 1
    }
    private static func owner(_ model: ModelID) -> UInt64 { self.mixed(model.value.low ^ model.value.high) }
    private static func owner(_ key: VirtualKeyID, _ model: ModelID) -> UInt64 {
        self.mixed(self.owner(model) &+ key.value.low ^ key.value.high &* 0x9E37_79B9_7F4A_7C15)
    }
    private static func place(_ owner: UInt64) -> Int { Int(owner &>> 52) % Self.size }
}

extension LearnedUse.Figures {
    /// Upwards half of the way at once, downwards slowly: where requests differ, some nine of ten have less.
    fileprivate mutating func follow(_ sample: LearnedUse.Sample) {
        self.output = Self.follow(self.output, sample.output)
        if sample.bodyBytes > 0 {
            self.inputPerKiB = Self.follow(self.inputPerKiB, Self.perKiB(sample.input, sample.bodyBytes))
        }
        if sample.textBytes > 0 {
            self.outputPerKiB = Self.follow(self.outputPerKiB, Self.perKiB(sample.output, sample.textBytes))
        }
    }

    private static let most: Int64 = 1 << 30

    private static func follow(_ known: UInt32, _ seen: Int64) -> UInt32 {
        let known = Int64(known)
        let seen = min(max(seen, 0), Self.most)
        let next = seen > known ? known + (seen - known + 1) / 2 : known - (known - seen + 31) / 32
        return UInt32(clamping: next)
    }

    private static func perKiB(_ tokens: Int64, _ bytes: Int64) -> Int64 {
        min(max(tokens, 0), Self.most) * 1024 / max(1, min(bytes, Self.most))
    }

    /// What a request will have, with an eighth of its prompt and a quarter of its answer more than expected.
    ///
    /// - Parameters:
    ///   - bound: what it can have at most.
    ///   - bodyBytes: of its body; nil when its prompt is not there alone.
    package func expected(within bound: CostBound, bodyBytes: Int64?) -> CostBound {
        var expected = bound
        if let bodyBytes {
            let bytes = min(max(bodyBytes, 0), Self.most)
            let tokens = (bytes * min(Int64(self.inputPerKiB), 1 << 20)) / 1024
            expected.prompt = min(bound.prompt, tokens + tokens / 8 + 1)
        }
        expected.output = min(bound.output, Int64(self.output) + Int64(self.output) / 4 + 1)
        return expected
    }
}
