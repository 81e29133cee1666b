import Glibc
import Shared
import Testing

@Suite struct FilesTests {
    private let folder = TemporaryFolder()

    @Test func `what was written is read, bounded`() throws {
        var sampler = Sampler("files")
        let path = self.folder("file")
        for count in [0, 1, 4095, 4096, 4097, 100_000] {
            let bytes = sampler.bytes(count)
            try Files.replace(path, with: bytes)
            #expect(try Files.read(path, limit: count) == bytes)
            #expect(try Files.read(path, limit: count + 1) == bytes)
            if count > 0 { #expect(throws: FileError.self) { try Files.read(path, limit: count - 1) } }
        }
        #expect(try Files.isPrivate(path))
        chmod(path, 0o640)
        #expect(try !Files.isPrivate(path))
        #expect(Files.names(in: self.folder.path) == ["file"])
        Files.remove(path)
        Files.remove(path)
        #expect(throws: FileError.self) { try Files.read(path, limit: 10) }
        do throws(FileError) { _ = try Files.read(path, limit: 10) } catch { #expect(error.isMissing) }
    }

    @Test func `a failed replacement leaves the old file and nothing beside it`() throws {
        let path = self.folder("kept")
        try Files.replace(path, with: [1, 2, 3])
        // The target cannot be renamed over: it is a folder.
        let blocked = self.folder("folder")
        try Files.makeFolder(blocked)
        #expect(throws: FileError.self) { try Files.replace(blocked, with: [9]) }
        #expect(throws: FileError.self) { try Files.replace(self.folder("none/file"), with: [9]) }
        #expect(try Files.read(path, limit: 10) == [1, 2, 3])
        #expect(Files.names(in: self.folder.path) == ["folder", "kept"])
        rmdir(blocked)
    }

    @Test(.timeLimit(.minutes(10))) func `a reader sees the old file or the new one, never a mixture`() async throws {
        let path = self.folder("shared")
        try Files.replace(path, with: [UInt8](repeating: 0, count: 20_000))
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                for value in 1...100 { try? Files.replace(path, with: [UInt8](repeating: UInt8(value), count: 20_000)) }
            }
            group.addTask {
                for _ in 1...300 {
                    let bytes = try? Files.read(path, limit: 20_000)
                    #expect(bytes?.count == 20_000 && Set(bytes ?? []).count == 1)
                }
            }
        }
    }

    @Test func `a pipe is read to its end, and refused beyond the bound`() throws {
        for (count, limit, isRead) in [
            (10_000, 20_000, true), (10_000, 10_000, true), (10_000, 9_999, false), (0, 5, true),
        ] {
            var ends: [Int32] = [0, 0]
            #expect(pipe(&ends) == 0)
            let bytes = [UInt8](repeating: 7, count: count)
            #expect(write(ends[1], bytes, count) == count)
            close(ends[1])
            let read = try? Files.read("/proc/self/fd/\(ends[0])", limit: limit)
            close(ends[0])
            #expect(read == (isRead ? bytes : nil))
        }
    }

    @Test func `a folder is made with its parents, and being there is fine`() throws {
        let deep = self.folder("a/b/c")
        try Files.makeFolder(deep)
        try Files.makeFolder(deep)
        try Files.replace(deep + "/x", with: [1])
        #expect(Files.names(in: deep) == ["x"])
        #expect(Files.names(in: deep + "/none").isEmpty)
        Files.remove(deep + "/x")
        for path in [deep, self.folder("a/b"), self.folder("a")] { rmdir(path) }
    }
}
