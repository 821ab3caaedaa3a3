import Foundation
import Journal
import TestSupport
import Testing

@testable import Telemetry

/// What a second process does: this test bundle, started again with a folder in its environment.
private enum SpoolChild {
    static let variable = "SLUICE_SPOOL_CHILD"
    static let folder = ProcessInfo.processInfo.environment[variable]

    /// Starts a child that works in a folder; it tells what it did on standard output.
    static func start(_ folder: String) throws -> (process: Process, output: FileHandle) {
        let process = Process()
        process.executableURL = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        var arguments = ["--testing-library", "swift-testing", "--filter", "SpoolChildBody"]
        if let place = CommandLine.arguments.firstIndex(of: "--test-bundle-path") {
            arguments += CommandLine.arguments[place...].prefix(2)
        }
        process.arguments = arguments
        var environment = ProcessInfo.processInfo.environment
        environment[variable] = folder
        process.environment = environment
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        return (process, output.fileHandleForReading)
    }
}

@Suite struct SpoolChildBody {
    @Test(.enabled(if: SpoolChild.folder != nil, "runs in a child process only"))
    func `Stores and delivers until it is killed`() throws {
        let spool = try Spool(
            directory: try #require(SpoolChild.folder),
            limits: SpoolLimits(maximumBytes: 8 << 20), owner: "child")
        // Far more than the parent lets happen, so that a parent that died leaves no child for ever.
        for seq in 1...10_000_000 as ClosedRange<UInt64> {
            guard spool.append(numbered(seq, bytes: 3000), owed: ["a", "b"]) == seq else { return }
            tell("+", seq)
            guard seq % 5 == 0 else { continue }
            let entries = try spool.batch(for: "a", maximumCount: 4)
            // Said before it is done: a kill may come in between.
            for entry in entries { tell("-", entry.seq) }
            spool.acknowledge(entries, at: "a")
            spool.acknowledge(try spool.batch(for: "b", maximumCount: 5), at: "b")
        }
    }

    private func tell(_ what: Character, _ seq: UInt64) {
        FileHandle.standardOutput.write(Data("\n#\(what)\(seq)#\n".utf8))
    }
}

@Suite(.timeLimit(.minutes(1))) struct SpoolProcessTests {
    @Test(arguments: [1, 57, 400, 1500])
    func `A process that is killed loses nothing that it had stored`(_ count: Int) throws {
        let folder = try TemporaryFolder()
        let path = folder.file("spool")
        let (process, output) = try SpoolChild.start(path)
        var said = ""
        while said.count(of: "#+") < count {
            let data = output.availableData
            try #require(!data.isEmpty, "the child ended: \(said.suffix(300))")
            said += String(decoding: data, as: UTF8.self)
        }
        let holder = "process \(process.processIdentifier) ('child')"
        #expect(throws: SpoolError.inUse(path: path, holder: holder)) {
            try Spool(directory: path)
        }
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        said += String(decoding: try output.readToEnd() ?? Data(), as: UTF8.self)
        let words = said.split(separator: "#")
        let stored = words.filter { $0.hasPrefix("+") }.compactMap { UInt64($0.dropFirst()) }
        let delivered = words.filter { $0.hasPrefix("-") }.compactMap { UInt64($0.dropFirst()) }
        let spool = try Spool(directory: path, limits: SpoolLimits(maximumBytes: 8 << 20))
        let owed = try spool.owedSeqs("a")
        let must = Set(stored).subtracting(delivered)
        #expect(Set(owed).isSuperset(of: must))
        #expect(owed == owed.sorted() && Set(owed).count == owed.count)
        // What is owed beyond it: the last batch, and a record that was stored and not yet told.
        #expect(owed.count <= must.count + 5)
        #expect(spool.damage.corruptRecords == 0)
        #expect(try #require(spool.append(numbered(1), owed: ["a"])) > stored.last ?? 0)
        try spool.close()
    }
}

extension String {
    fileprivate func count(of word: String) -> Int { ranges(of: word).count }
}

/// A file system of a few pages; nil where this process may not mount one.
private final class SmallFileSystem {
    let path: String

    init?(_ folder: TemporaryFolder, options: String = "size=256k") {
        path = folder.file("small")
        guard mkdir(path, 0o755) == 0, mount("tmpfs", path, "tmpfs", 0, options) == 0 else {
            return nil
        }
    }

    func makeReadOnly() -> Bool {
        mount("tmpfs", path, "tmpfs", UInt(MS_REMOUNT | MS_RDONLY), nil) == 0
    }

    deinit { umount2(path, Int32(MNT_DETACH)) }

    static let isPossible: Bool = {
        guard let folder = try? TemporaryFolder() else { return false }
        return SmallFileSystem(folder) != nil
    }()

    static let hint: Comment = "needs the right to mount a tmpfs: run as root"
}

@Suite(.timeLimit(.minutes(1)), .enabled(if: SmallFileSystem.isPossible, SmallFileSystem.hint))
struct SpoolDiskTests {
    @Test func `A disk that fills up is reported, and the spool goes on when there is room`() throws
    {
        let folder = try TemporaryFolder()
        let disk = try #require(SmallFileSystem(folder))
        let path = disk.path + "/spool"
        let limits = SpoolLimits(maximumBytes: 4 << 20)
        let target = FaultyExporter("a", .isDown, batch: 10)
        let sender = try ResilientExporter(
            target, useMemory: false, spoolDirectory: path, spoolLimits: limits)
        for _ in 1...100 { try sender.send(.bytes([UInt8](repeating: 7, count: 5000))) }
        let status = sender.status
        let kept = status.queued.records
        #expect(kept > 20 && kept < 60)
        #expect(status.dropped == [.spoolFailed: 100 - kept])
        #expect(sender.spool.lastError?.contains("No space left on device") == true)
        target.mode = .works
        #expect(try sender.sendUnsentData().count == kept)
        #expect(target.taken.map(\.seq) == (1...UInt64(kept)).map { $0 })
        target.mode = .isDown
        try sender.send("again")
        #expect(sender.hasUnsentData)
        try sender.stop()
        let again = try Spool(directory: path, limits: limits)
        #expect(again.damage.corruptRecords == 0)
        #expect(try again.owedSeqs("a").last == 101)
        try again.close()
    }

    @Test func `A full disk loses no line of a file exporter that it said it wrote`() throws {
        let folder = try TemporaryFolder()
        let disk = try #require(SmallFileSystem(folder))
        let file = try FileExporter(disk.path + "/out", isExactlyOnce: true)
        var written = 0
        for seq in 1...100 as ClosedRange<UInt64> {
            let outcome = file.deliver([numbered(seq, bytes: 5000)], within: .seconds(1))[0]
            if outcome == .delivered(.null) { written += 1 }
        }
        #expect(written > 20 && written < 60)
        #expect(try contents(disk.path + "/out").count == written * 5000)
    }

    @Test func `A directory that is read-only is one clear error`() throws {
        let folder = try TemporaryFolder()
        let disk = try #require(SmallFileSystem(folder))
        try #require(disk.makeReadOnly())
        #expect(
            throws: SpoolError.system(
                operation: "mkdir", path: disk.path + "/spool", errno: EROFS)
        ) { try Spool(directory: disk.path + "/spool") }
        #expect(
            throws: SpoolError.system(operation: "open", path: disk.path + "/lock", errno: EROFS)
        ) {
            try Spool(directory: disk.path)
        }
    }
}

@Suite(.timeLimit(.minutes(1))) struct SpoolMemoryTests {
    /// Bytes of this process that are in memory (man 5 proc).
    private func residentBytes() throws -> Int {
        let text = String(decoding: try contents("/proc/self/statm"), as: UTF8.self)
        return try #require(Int(text.split(separator: " ")[1])) * 4096
    }

    @Test func `A spool of 300 000 records takes no more memory than one of a few`() throws {
        let folder = try TemporaryFolder()
        let spool = try Spool(directory: folder.path)
        for seq in 1...2000 as ClosedRange<UInt64> { _ = spool.append(numbered(seq), owed: ["a"]) }
        _ = try spool.batch(for: "a", maximumCount: 500)
        let before = try residentBytes()
        for seq in 2001...300_000 as ClosedRange<UInt64> {
            _ = spool.append(numbered(seq), owed: ["a"])
        }
        var count = 0
        while true {
            let entries = try spool.batch(for: "a", maximumCount: 500)
            if entries.isEmpty { break }
            #expect(entries.first?.record.seq == UInt64(count) + 1)
            count += spool.acknowledge(entries, at: "a")
        }
        #expect(count == 300_000)
        // The records alone take 20 MB.
        #expect(try residentBytes() - before < 8 << 20)
        try spool.close()
    }
}
