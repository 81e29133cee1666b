import DataPlane
import Glibc
import Shared
import TestKit
import Testing

/// Apart from other tests: a process has, for a moment after it was made, every file and lock that this one has open, and
/// streams of tests beside it could not be taken over.
@Suite struct SpoolKillTests {
    /// Writes as fast as it can until a thread of its own kills the process, and says in a log of its own what is done.
    private static func writeUntilKilled(_ folder: String, _ id: UsageStreamID, after microseconds: UInt32) {
        let log = open("\(folder)/log", O_WRONLY | O_CREAT | O_APPEND, 0o600)
        guard log >= 0, let stream = try? SpoolStream.create(id, in: folder), let journal = UsageJournal(stream: stream)
        else { exit(3) }
        func say(_ what: String, _ number: Int) {
            let line = Array("\(what)\(number)\n".utf8)
            _ = write(log, line, line.count)
        }
        var thread = pthread_t()
        let delay = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)
        delay.pointee = microseconds
        pthread_create(
            &thread, nil,
            { argument in
                let delay = argument?.load(as: UInt32.self) ?? 0
                usleep(delay)
                kill(getpid(), SIGKILL)
                return nil
            }, delay)
        var waiting: [Int] = []
        for number in 0... {
            if !journal.open(SpoolFixture.record(number)) { exit(4) }
            say("o", number)
            waiting.append(number)
            if waiting.count > 5 {
                let settled = waiting.remove(at: number * 7 % waiting.count)
                journal.close(SpoolFixture.record(settled))
                say("c", settled)
            }
            if !stream.hasSpare { try? stream.prepareSpare() }
        }
    }

    @Test(.timeLimit(.minutes(10)))
    func `a process that is killed at any moment loses no request and counts none twice`() async throws {
        var random = SeededRandom("kills")
        for round in 0..<10 {
            let fixture = SpoolFixture()
            let path = fixture.path
            let delay = UInt32.random(in: 0...(round < 7 ? 3000 : 500_000), using: &random)
            await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String, delay = delay as UInt32] in
                SpoolKillTests.writeUntilKilled(path, SpoolFixture.streamID(), after: delay)
            }
            let text = String(decoding: try Files.read("\(path)/log", limit: 64 << 20), as: UTF8.self)
            var said: (opened: Set<Int>, closed: Set<Int>) = ([], [])
            for line in text.split(separator: "\n") {
                let number = try #require(Int(line.dropFirst()))
                if line.first == "o" { said.opened.insert(number) } else { said.closed.insert(number) }
            }
            guard let stream = try SpoolStream.adopt(SpoolFixture.streamID(), in: path) else { continue }
            let entries = stream.entries
            let opened = Set(entries.filter { $0.kind == .open }.map { SpoolFixture.number($0.record) })
            let completed = Set(entries.filter { $0.kind == .closed }.map { SpoolFixture.number($0.record) })
            // At most the one entry that it had no time to speak of.
            #expect(opened.isSuperset(of: said.opened) && completed.isSuperset(of: said.closed))
            #expect(opened.count - said.opened.count + completed.count - said.closed.count <= 1)
            _ = try SpoolRecovery.closeOpenEntries(of: stream, now: .init(microseconds: 1 << 40))
            SpoolRecoveryTests.expectSettled(stream, opened: opened, completed: completed)
            print(
                "killed after \(delay) us: \(opened.count) opened, \(completed.count) closed, \(stream.segments.count) segments"
            )
        }
    }
}
