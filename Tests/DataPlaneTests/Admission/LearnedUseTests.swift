import DataPlane
import Shared
import TestKit
import Testing

@Suite struct LearnedUseTests {
    private static let model: ModelID = TimeSource.system.newID()
    private static let bound = CostBound(prompt: 1_000_000, output: 32_000)

    private static func sample(_ output: Int64, input: Int64 = 1000, body: Int64 = 4000, text: Int64 = 0)
        -> LearnedUse.Sample
    {
        LearnedUse.Sample(output: output, input: input, bodyBytes: body, textBytes: text)
    }

    @Test func `nine of ten requests have less than is expected`() {
        var random = SeededRandom("learned use")
        var learned = LearnedUse()
        let key: VirtualKeyID = TimeSource.system.newID()
        var within = 0
        let rounds = 4000
        for round in 0..<rounds {
            let figures = learned.figures(key, Self.model)
            let expected = figures.expected(within: Self.bound, bodyBytes: 4000)
            // Many are short, some long.
            let output = Int64.random(in: 20...800, using: &random) * (Bool.random(using: &random) ? 1 : 2)
            if round >= 100, output <= expected.output { within += 1 }
            learned.note(Self.sample(output), key, Self.model)
        }
        #expect(within > (rounds - 100) * 85 / 100 && within < rounds - 100)
        let figures = learned.figures(key, Self.model)
        let expected = figures.expected(within: Self.bound, bodyBytes: 4000)
        #expect(expected.output > 400 && expected.output < 2500)
        #expect(expected.prompt >= 1000 && expected.prompt < 1300)
        // Without a body that says something, the prompt is at its bound.
        #expect(figures.expected(within: Self.bound, bodyBytes: nil).prompt == Self.bound.prompt)
    }

    @Test func `a new key begins with what is known of the model, and an unknown model with nothing`() {
        var learned = LearnedUse()
        let key: VirtualKeyID = TimeSource.system.newID()
        let other: VirtualKeyID = TimeSource.system.newID()
        #expect(learned.figures(key, Self.model) == .unknown)
        for _ in 0..<300 { learned.note(Self.sample(10), key, Self.model) }
        #expect(learned.figures(other, Self.model) == learned.figures(key, Self.model))
        #expect(learned.figures(other, Self.model).output < 100)
        #expect(learned.figures(other, TimeSource.system.newID()) == .unknown)
        // More keys than there are places: each finds its own figures, or those of the model.
        for _ in 0..<20_000 { learned.note(Self.sample(10), TimeSource.system.newID(), Self.model) }
        #expect(learned.figures(key, Self.model).output < 100)
    }

    @Test func `nothing is more than the bound, whatever was counted`() {
        let extremes: [Int64] = [.min, -1, 0, 1, 1 << 40, .max]
        for output in extremes {
            for input in extremes {
                for bytes in extremes {
                    var learned = LearnedUse()
                    let key: VirtualKeyID = TimeSource.system.newID()
                    for _ in 0..<70 {
                        learned.note(Self.sample(output, input: input, body: bytes, text: bytes), key, Self.model)
                    }
                    let figures = learned.figures(key, Self.model)
                    for body in extremes {
                        let expected = figures.expected(within: Self.bound, bodyBytes: body)
                        #expect(expected.prompt <= Self.bound.prompt && expected.prompt >= 0)
                        #expect(expected.output <= Self.bound.output && expected.output >= 0)
                    }
                }
            }
        }
    }
}

@Suite struct StreamGrowthTests {
    @Test func `more is reserved before what there is is used up, and never more than the bound`() {
        var random = SeededRandom("stream growth")
        for _ in 0..<200 {
            let most = Int64.random(in: 1...100_000, using: &random)
            let reserved = CostBound(prompt: 10, output: min(most, Int64.random(in: 1...5000, using: &random)))
            let perKiB = Int64.random(in: 1...4096, using: &random)
            var growth = StreamGrowth(reserved: reserved, most: most, perKiB: perKiB)
            var text: Int64 = 0
            while text < 2_000_000 {
                text += Int64.random(in: 1...60, using: &random)
                let tokens = text * perKiB / 1024
                if text >= growth.nextLook {
                    let next = growth.next(text)
                    #expect(next.output <= most && next.output >= growth.reserved.output && next.prompt == 10)
                    growth.grow(to: next)
                }
                // A step of text at most is beyond it.
                #expect(growth.reserved.output == most || tokens <= growth.reserved.output + 60 * perKiB / 1024 + 1)
                if growth.reserved.output == most { break }
            }
        }
    }

    @Test func `what gets no more ends when it is used up, after few looks`() {
        var growth = StreamGrowth(reserved: CostBound(prompt: 1, output: 1000), most: 50_000, perKiB: 256)
        var looks = 0
        var text: Int64 = 0
        var isOver = false
        while !isOver, text < 1_000_000 {
            text += 10
            guard text >= growth.nextLook else { continue }
            looks += 1
            isOver = growth.stay(at: text)
        }
        #expect(isOver && text >= 4000 && text < 4100 && looks < 40)
    }

    @Test func `no text is too much to reckon with`() {
        for output in [0, 1, 1 << 40, Int64.max] {
            for perKiB in [0, 1, 1 << 30] as [Int64] {
                for text in [0, 1, 1 << 40, Int64.max / 4] {
                    var growth = StreamGrowth(
                        reserved: CostBound(prompt: 1, output: output / 2), most: output, perKiB: perKiB)
                    #expect(growth.next(text).output <= output)
                    growth.grow(to: growth.next(text))
                    _ = growth.stay(at: text)
                }
            }
        }
        #expect(StreamGrowth.none.nextLook == .max)
    }
}
