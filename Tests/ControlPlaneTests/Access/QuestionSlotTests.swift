import ControlPlane
import Testing

@Suite struct QuestionSlotTests {
    private struct Failure: Error {}

    @Test func `no more questions are answered at once than there are slots, and each gives its slot back`()
        async throws
    {
        let slots = QuestionSlots(2)
        for _ in 0..<3 {
            try await slots.use {
                try await slots.use {
                    do {
                        _ = try await slots.use { Issue.record("a third one is answered") }
                    } catch let error as ControlError {
                        #expect(error.kind == .unavailable && error.code == "busy")
                    }
                }
                await #expect(throws: Failure.self) { try await slots.use { throw Failure() } }
                #expect(try await slots.use { 7 } == 7)
            }
        }
    }
}
