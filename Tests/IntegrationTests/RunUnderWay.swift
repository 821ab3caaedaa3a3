import ControllerRuntime
import Foundation
import NDArrays
import TestSupport
import Testing

/// A run of many frames through faulty workers that a test changes, harms and ends.
final class RunUnderWay: Sendable {
    let folder: TemporaryFolder
    let controller: Controller
    private let run: Task<RunSummary, any Error>

    /// Starts a run of the processors `Faulty`, with these settings, and `Slow`.
    init(
        workers: Int = 2, inFlight: Int = 8, milliseconds: String = "1", frames: Int = 1_000_000,
        _ settings: KeyValuePairs<String, String> = [:], folder: TemporaryFolder? = nil,
        executable: String? = nil, stopTimeLimit: Duration = .seconds(30),
        frameHandler: (@Sendable (FrameReport) -> Void)? = nil
    ) throws {
        let folder = try folder ?? TemporaryFolder()
        var stage = try Scenario.stage(
            workers: workers, worker: "FaultyWorker", Scenario.processor("Faulty", settings),
            Scenario.processor("Slow", ["milliseconds": milliseconds]), inFlight: inFlight)
        stage.stopTimeLimit = stopTimeLimit
        if let executable { stage.workerExecutable = executable }
        let controller = try Controller(
            RunConfiguration(stages: [stage], runDirectory: folder.file("run")),
            source: CountingSource(count: frames), frameHandler: frameHandler)
        self.folder = folder
        self.controller = controller
        run = Task { try await controller.run() }
    }

    /// How it ended.
    func end() async throws -> RunSummary { try await run.value }

    /// Changes settings of `Faulty`.
    @discardableResult
    func change(_ settings: KeyValuePairs<String, String>) async throws -> UInt64 {
        try await controller.configure(
            processor: "Faulty", changes: Scenario.processor("Faulty", settings).settings)
    }

    /// The lines of the journal so far that name the event, and hold all the words.
    func journal(_ event: String, _ words: String...) throws -> [String] {
        guard let text = try? folder.text(of: "run/journal.jsonl") else { return [] }
        return text.split(separator: "\n").map(String.init).filter { line in
            line.contains("\"\(event)\"") && words.allSatisfy { line.contains($0) }
        }
    }

    /// Waits for so many lines of the journal that name the event and hold the word.
    func wait(for event: String, _ word: String? = nil, count: Int = 1) async throws {
        while try journal(event, word ?? event).count < count {
            try Task.checkCancellation()
            _ = try #require(await controller.status(), "the run is over")
        }
    }

    /// Waits until the status is as wanted, and returns it.
    @discardableResult
    func wait(until isWanted: (RunStatus) -> Bool) async throws -> RunStatus {
        while true {
            try Task.checkCancellation()
            let status = try #require(await controller.status(), "the run is over")
            if isWanted(status) { return status }
        }
    }

    /// Kills the process of a worker that is processing frames.
    func killWorker(_ number: Int) async throws {
        let status = try await wait {
            $0.workers[number].state == "started" && $0.workers[number].processId > 0
                && $0.workers[number].inFlight > 0
        }
        kill(status.workers[number].processId, SIGKILL)
    }
}
