import Glibc
import TestSupport
import Testing

@testable import DataProcessing

@Suite struct OutputDirectoryTests {
    /// Such as a frame leaves that was held when the disk became read-only, and is tried again.
    @Test(
        "a file that an earlier try left is no reason to fail while the disk is read-only",
        .enabled(if: SmallDisk.isPermitted, SmallDisk.hint), .timeLimit(.minutes(1)))
    func leftoverOnReadOnlyDisk() throws {
        let folder = try TemporaryFolder()
        let disk = try SmallDisk(at: folder.file("out"))
        let directory = try OutputDirectory(path: disk.path)
        close(try directory.create(".a.part"))
        #expect(try disk.remount("ro"))
        let refusal = #expect(throws: ProcessingError.self) { try directory.create(".a.part") }
        #expect(refusal?.errorNumber == EROFS)
        #expect(try disk.remount("rw"))
        close(try directory.create(".a.part"))
        withExtendedLifetime(disk) {}
    }
}
