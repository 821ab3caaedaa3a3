import ControllerRuntime
import Foundation
import TestSupport
import Testing

/// Runs that are killed in their middle, and what is left of them.
struct Interruption {
    /// One folder for one run: its outputs are in `out`, its run directory is `run`.
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// A pipeline of one stage that writes a file a frame, slow enough to be killed in its middle.
    static let oneStage: [String] = [
        "--source", "sim:count=60,shape=32x32,seed=4", "--processor", "PixelStatistics",
        "--processor", "AdOutputFileProcessor:outputDirectory=out",
    ]

    /// A pipeline of two stages: files are written in the first and, four a frame, in the second.
    static func twoStages(in folder: TemporaryFolder) throws -> [String] {
        let example: String = try #require(BuiltProducts.executable("ExampleWorker"))
        try folder.write(
            """
            source: {sim: {count: 40, shape: 32x32, seed: 9}}
            stages:
              - name: split
                worker: \(example)
                processors:
                  - AdOutputFileProcessor: {outputDirectory: out, outputFileNameFormat: "whole_{uniqueId:06}.tiff"}
                  - SplitProcessor
              - name: save
                from: split
                processors: [{AdOutputFileProcessor: {outputDirectory: out}}]
            """, to: "pipeline.yaml")
        return ["pipeline.yaml"]
    }

    /// The whole command over a pipeline.
    func command(_ pipeline: [String], _ options: String...) throws -> [String] {
        let worker: String = try #require(BuiltProducts.executable("sluice-worker"))
        return ["run"] + pipeline + ["--run-dir", "run", "--worker", worker] + options
    }

    /// Runs `sluice` to its end.
    func sluice(_ arguments: [String]) async throws -> CommandRun {
        try await CommandRun.sluice(arguments, in: folder)
    }

    /// Starts a run, and kills its controller when so many files are there.
    func kill(_ arguments: [String], afterFiles count: Int) async throws {
        let watch = try FolderWatch(making: folder.file("out"))
        defer { watch.close() }
        let program: String = try #require(BuiltProducts.executable("sluice"))
        let started = try CommandRun.start([program] + arguments, in: folder)
        try watch.wait(for: count, suffix: ".tiff")
        _ = Foundation.kill(started.processId, SIGKILL)
        let ended = try await started.end()
        #expect(ended.exitCode == SIGKILL, "\(ended.error)")
        #expect(!FileManager.default.fileExists(atPath: folder.file("run/summary.json")))
    }

    /// The files of `out` with their bytes, and no other file there.
    func tree() throws -> [String: [UInt8]] {
        var tree: [String: [UInt8]] = [:]
        for name in try folder.files(in: "out") { tree[name] = try folder.bytes(of: "out/\(name)") }
        return tree
    }

    /// The tree of a run that nobody disturbs.
    static func undisturbed(
        _ pipeline: (TemporaryFolder) throws -> [String]
    ) async throws -> [String: [UInt8]] {
        let calm = try Interruption()
        let run = try await calm.sluice(calm.command(pipeline(calm.folder), "--quiet"))
        #expect(run.exitCode == 0, "\(run.error)")
        return try calm.tree()
    }

    /// What must hold of a run after it was taken up: all frames once, files as they are wanted.
    func expectWhole(
        _ tree: [String: [UInt8]], accepted: UInt64, _ place: SourceLocation = #_sourceLocation
    ) async throws {
        let summary = try #require(
            try RunDirectory.summary(at: folder.file("run")), sourceLocation: place)
        expectBalance(summary, accepted: accepted, place)
        #expect(summary.processed == accepted, "\(summary.failures)", sourceLocation: place)
        #expect(summary.certificate.files == UInt64(tree.count), sourceLocation: place)
        let found = try self.tree()
        #expect(found.keys.sorted() == tree.keys.sorted(), sourceLocation: place)
        #expect(found == tree, "files differ", sourceLocation: place)
        let verified = try await sluice(["verify", "run"])
        #expect(
            verified.exitCode == 0, "\(verified.output)\(verified.error)", sourceLocation: place)
    }
}
