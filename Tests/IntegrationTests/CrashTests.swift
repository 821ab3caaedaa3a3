import ControllerRuntime
import Glibc
import TestSupport
import Testing

/// The real command, which ends itself between two steps of a commit as `kill -9` would
/// (`SLUICE_CRASH_POINT`), and is taken up.
@Suite("A controller that dies in a commit", .timeLimit(.minutes(5)))
struct CrashTests {
    private static let frames = 12
    /// Frames a second: slow enough that there are always some that no commit under way holds.
    private static let rate = 40

    @Test(
        "leaves nothing half done: the run that is taken up has every file once, with its bytes",
        arguments: ["intent", "first-rename", "renames", "closings"], [1, 2])
    func crash(step: String, stages: Int) async throws {
        for workers in [1, 2] {
            let folder = try TemporaryFolder()
            let worker = try #require(BuiltProducts.executable("sluice-worker"))
            let sluice = try #require(BuiltProducts.executable("sluice"))
            try folder.write(pipeline(folder, workers, stages, worker), to: "pipeline.yaml")
            try folder.write(pipeline(folder, workers, stages, worker, "whole"), to: "whole.yaml")
            let whole = try await CommandRun.sluice(
                ["run", "whole.yaml", "--run-dir", "whole-run"], in: folder)
            #expect(whole.exitCode == 0, "\(whole.error)")
            var count = 0
            // How many commits a life has left depends on how many frames were done at once.
            for crash in ["\(step):2", "\(step):1"] {
                let arguments =
                    count == 0
                    ? ["run", "pipeline.yaml", "--run-dir", "run"]
                    : ["run", "--run-dir", "run", "--resume"]
                count += 1
                let killed = try await CommandRun.start(
                    ["env", "SLUICE_CRASH_POINT=\(crash)", sluice] + arguments, in: folder
                ).end()
                #expect(killed.exitCode == 9, "\(crash): \(killed.error)")
            }
            let resumed = try await CommandRun.sluice(
                ["run", "--run-dir", "run", "--resume"], in: folder)
            #expect(resumed.exitCode == 0, "\(resumed.error)")
            for place in ["a1", "a2", "b1", "b2"].prefix(2 * stages) {
                let names = try folder.files(in: "out-" + place)
                #expect(names.count == Self.frames)
                #expect(try folder.files(in: "whole-" + place) == names)
                for name in names {
                    #expect(
                        try folder.bytes(of: "out-\(place)/\(name)")
                            == folder.bytes(of: "whole-\(place)/\(name)"))
                }
            }
            let verified = try await CommandRun.sluice(["verify", "run"], in: folder)
            #expect(verified.exitCode == 0, "\(verified.output)")
            #expect(verified.output.contains("\(Self.frames) accepted = \(Self.frames) processed"))
        }
    }

    @Test(
        "gives a name to one frame, where two want it",
        arguments: ["renames:5", "renames:20", "renames:80", "undone:3"])
    func sameNames(crash: String) async throws {
        let folder = try TemporaryFolder()
        let worker = try #require(BuiltProducts.executable("sluice-worker"))
        try folder.write(
            """
            source: {sim: {count: 400, shape: 32x32}}
            stages:
              - name: one
                worker: \(worker)
                processors: [{AdOutputFileProcessor: {outputDirectory: out}}]
              - name: two
                from: source
                worker: \(worker)
                processors: [{AdOutputFileProcessor: {outputDirectory: out}}]
            """, to: "run.yaml")
        try await crashAndResume(crash, in: folder)
        // What both stages want has one of them; the other's frame failed.
        let verified = try await CommandRun.sluice(["verify", "run"], in: folder)
        #expect(verified.exitCode == 0, "\(verified.output)")
        let ledger = try await CommandRun.sluice(
            ["ledger", "run", "--outcome", "processed", "--format", "csv"], in: folder)
        let count = ledger.output.split(whereSeparator: \.isNewline).count - 1
        #expect(try folder.files(in: "out").count == count)
    }

    @Test(
        "leaves the files of an earlier run, where a frame can't have all of its names",
        arguments: ["renames:5", "renames:14", "undone:2"])
    func earlierFiles(crash: String) async throws {
        let folder = try TemporaryFolder()
        let worker = try #require(BuiltProducts.executable("sluice-worker"))
        try folder.write(
            """
            source: {sim: {count: 60, shape: 8x8}}
            stages:
              - worker: \(worker)
                processors:
                  - AdOutputFileProcessor: {outputDirectory: first}
                  - AdOutputFileProcessor: {outputDirectory: second}
            """, to: "run.yaml")
        let earlier = try await CommandRun.sluice(
            ["run", "run.yaml", "--run-dir", "earlier"], in: folder)
        #expect(earlier.exitCode == 0, "\(earlier.error)")
        for (number, name) in try folder.files(in: "first").enumerated() {
            #expect(unlink(folder.file("second/\(name)")) == 0)
            if number % 2 == 1 { #expect(unlink(folder.file("first/\(name)")) == 0) }
        }
        let before = try identities(of: try folder.files(in: "first"), in: folder)
        try await crashAndResume(crash, in: folder)
        // The very same files, not others with the same bytes.
        #expect(try identities(of: Array(before.keys), in: folder) == before)
    }

    private func crashAndResume(_ crash: String, in folder: TemporaryFolder) async throws {
        let sluice = try #require(BuiltProducts.executable("sluice"))
        let killed = try await CommandRun.start(
            ["env", "SLUICE_CRASH_POINT=\(crash)", sluice, "run", "run.yaml", "--run-dir", "run"],
            in: folder
        ).end()
        #expect(killed.exitCode == 9, "\(killed.error)")
        let resumed = try await CommandRun.sluice(
            ["run", "--run-dir", "run", "--resume"], in: folder)
        #expect(resumed.exitCode <= 1, "\(resumed.error)")
    }

    private func identities(
        of names: [String], in folder: TemporaryFolder
    ) throws -> [String: UInt] {
        var found: [String: UInt] = [:]
        for name in names {
            var status = stat()
            try #require(stat(folder.file("first/\(name)"), &status) == 0, "\(name) is gone")
            found[name] = status.st_ino
        }
        return found
    }

    /// Each stage leaves two files of every frame.
    private func pipeline(
        _ folder: TemporaryFolder, _ workers: Int, _ stages: Int, _ worker: String,
        _ place: String = "out"
    ) -> String {
        var text =
            "source: {sim: {count: \(Self.frames), shape: 32x32}}\nrate: \(Self.rate)\nstages:\n"
        for stage in ["a", "b"].prefix(stages) {
            text += "  - name: \(stage)\n"
            if stage == "b" { text += "    from: a\n" }
            text += "    workers: \(workers)\n    worker: \(worker)\n    processors:\n"
            for number in 1...2 {
                let path = folder.file("\(place)-\(stage)\(number)")
                text += "      - AdOutputFileProcessor: {outputDirectory: \(path)}\n"
            }
        }
        return text
    }
}
