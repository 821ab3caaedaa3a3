import Foundation
import TestSupport
import Testing

/// What a command did: the real executable, in a process of its own.
struct CommandRun {
    /// No command of a test runs longer; it is then killed, and its exit code is 124 or 137.
    static let timeLimitSeconds = 60

    /// 0 to 255.
    let exitCode: Int32
    /// Standard output and standard error.
    let output: String
    let error: String

    /// Runs `sluice` in the folder. `addressSpace` limits the memory, in bytes, that it and each of
    /// its workers may map; nil: no limit.
    static func sluice(
        _ arguments: [String], in folder: TemporaryFolder, addressSpace: Int? = nil
    ) async throws -> CommandRun {
        let limit = addressSpace.map { ["prlimit", "--as=\($0)"] } ?? []
        let command = limit + [try #require(BuiltProducts.executable("sluice"))] + arguments
        return try await run(command, in: folder)
    }

    /// Runs `sluice run` over `source` with the run directory `run` of the folder.
    static func sluiceRun(
        _ source: String, _ processors: String..., options: [String] = [],
        in folder: TemporaryFolder, addressSpace: Int? = nil
    ) async throws -> CommandRun {
        let worker = try #require(BuiltProducts.executable("sluice-worker"))
        var arguments = ["run", "--source", source, "--run-dir", "run"]
        if !options.contains("--worker") { arguments += ["--worker", worker] }
        for processor in processors { arguments += ["--processor", processor] }
        return try await sluice(arguments + options, in: folder, addressSpace: addressSpace)
    }

    /// Starts a command without waiting for its end.
    static func start(_ command: [String], in folder: TemporaryFolder) throws -> StartedCommand {
        try StartedCommand(command, in: folder)
    }

    private static func run(
        _ command: [String], in folder: TemporaryFolder
    ) async throws -> CommandRun {
        try await StartedCommand(
            ["timeout", "-k", "2", "\(timeLimitSeconds)"] + command, in: folder
        ).end()
    }
}

/// A command that is going on.
final class StartedCommand: @unchecked Sendable {
    // Unchecked: nothing here changes after `init`, and `Process` takes signals from any thread.
    private let process = Process()
    private let output: String
    private let error: String
    private let ended: AsyncStream<Void>

    init(_ command: [String], in folder: TemporaryFolder) throws {
        // Files and not pipes: nobody has to read them while the command runs.
        let name = folder.path + "/.\(UUID().uuidString)"
        (output, error) = (name + ".output", name + ".error")
        for path in [output, error] {
            _ = FileManager.default.createFile(atPath: path, contents: nil)
        }
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        process.currentDirectoryURL = URL(fileURLWithPath: folder.path)
        process.standardInput = FileHandle.nullDevice
        let files = [output, error].map { FileHandle(forWritingAtPath: $0) }
        process.standardOutput = files[0]
        process.standardError = files[1]
        let (ended, continuation) = AsyncStream.makeStream(of: Void.self)
        self.ended = ended
        process.terminationHandler = { _ in continuation.finish() }
        try process.run()
        // The command has its own of them.
        for file in files { try file?.close() }
    }

    /// Its number.
    var processId: Int32 { process.processIdentifier }

    /// Waits for its end.
    func end() async throws -> CommandRun {
        for await _ in ended {}
        return CommandRun(
            exitCode: process.terminationStatus,
            output: try String(contentsOfFile: output, encoding: .utf8),
            error: try String(contentsOfFile: error, encoding: .utf8))
    }
}

/// What must hold of a command that was refused: its exit code, and one clear sentence that names what
/// is wrong and leaves standard output alone.
func expectRefusal(
    _ run: CommandRun, exitCode: Int32 = 2, naming words: String...,
    sourceLocation place: SourceLocation = #_sourceLocation
) {
    #expect(run.exitCode == exitCode, "\(run.error)", sourceLocation: place)
    #expect(run.output.isEmpty, "\(run.output)", sourceLocation: place)
    let lines = run.error.split(separator: "\n")
    #expect(lines.count == 1, "\(run.error)", sourceLocation: place)
    #expect(run.error.hasPrefix("sluice: "), "\(run.error)", sourceLocation: place)
    for word in words {
        #expect(run.error.contains(word), "no '\(word)' in: \(run.error)", sourceLocation: place)
    }
}
