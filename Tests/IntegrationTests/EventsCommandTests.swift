import ControllerRuntime
import Foundation
import Journal
import TestSupport
import Testing

@Suite("Events of a run, by command", .timeLimit(.minutes(2)))
struct EventsCommandTests {
    /// A run of five frames that has ended.
    private func endedRun() async throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        let run = try await CommandRun.sluiceRun(
            "sim:count=5,shape=16x16", "PixelStatistics", in: folder)
        #expect(run.exitCode == 0, "\(run.error)")
        return folder
    }

    private func events(_ arguments: String..., in folder: TemporaryFolder) async throws -> [String]
    {
        let run = try await CommandRun.sluice(["events", "run"] + arguments, in: folder)
        #expect(run.exitCode == 0, "\(run.error)")
        return run.output.split(separator: "\n").map(String.init)
    }

    @Test("are those of the journal, in each form")
    func forms() async throws {
        let folder = try await endedRun()
        let journal = try folder.text(of: "run/journal.jsonl").split(separator: "\n").map(
            String.init)
        let stored = try JournalReader.events(path: folder.file("run/journal.jsonl"))
        #expect(try await events("--format", "json", in: folder) == journal)
        #expect(try await events("--format", "json", "--follow", in: folder) == journal)

        let raw = try await events("--time", "raw", in: folder)
        #expect(raw.count == stored.count)
        for (line, event) in zip(raw, stored) {
            let words = line.split(separator: " ")
            #expect(Double(words[0]) == event.timestamp)
            #expect(words[0].split(separator: ".")[1].count == 6)
            #expect(words[1] == event.name)
        }
        let human = try await events(in: folder)
        #expect(human[0].wholeMatch(of: /\[[A-Z][a-z]{2}\d\d \d\d:\d\d\] run-define .*/) != nil)
        #expect(human[1].wholeMatch(of: /\[ +\+\d+\.\d{6}\] .*/) != nil)
        #expect(
            try await events("--time", "offset", in: folder)[0].hasPrefix("0.000000 run-define"))
        #expect(try await events("--color", "always", in: folder)[0].hasPrefix("\u{1B}[1;32m["))
        #expect(try await events("--color", "auto", in: folder) == human)
    }

    @Test("are chosen by name and time")
    func choice() async throws {
        let folder = try await endedRun()
        let stored = try JournalReader.events(path: folder.file("run/journal.jsonl"))
        let workers = try await events("--name", "worker.*", "--time", "raw", in: folder)
        #expect(workers.count == stored.count { $0.name.hasPrefix("worker-") })
        #expect(workers.allSatisfy { $0.contains(" worker-") })
        let both = try await events("--name", "run-start", "--name", "run-f*", in: folder)
        #expect(both.count == 2)
        let last = try #require(stored.last { $0.name == "run-start" })
        let later = try await events("--since", "\(last.timestamp)", in: folder)
        #expect(later.count == stored.count { $0.timestamp > last.timestamp })
        #expect(try await events("--since", "2100-01-01", in: folder) == [])
    }

    @Test("are followed until the run ends, over several files")
    func following() async throws {
        let run = try RunUnderWay(workers: 2)
        try await run.wait(for: "run-start")
        let sluice = try #require(BuiltProducts.executable("sluice"))
        let follower = try CommandRun.start(
            [sluice, "events", "run", "--follow", "--format", "json"], in: run.folder)
        let waiter = try CommandRun.start(
            [
                sluice, "wait-event", "run", "worker.gone", "--match", "worker=1", "--timeout",
                "60s",
            ],
            in: run.folder)
        try await run.killWorker(1)
        let seen = try await waiter.end()
        #expect(seen.exitCode == 0, "\(seen.error)")
        #expect(seen.output.contains(" worker-gone worker=1 "))
        run.controller.stop()
        _ = try await run.end()
        let followed = try await follower.end()
        #expect(followed.exitCode == 0, "\(followed.error)")
        #expect(followed.output == (try run.folder.text(of: "run/journal.jsonl")))
    }

    @Test("are waited for, and what never came is said")
    func waiting() async throws {
        let folder = try await endedRun()
        func wait(_ arguments: String...) async throws -> CommandRun {
            try await CommandRun.sluice(["wait-event", "run"] + arguments, in: folder)
        }
        let finish = try await wait("run-finish")
        #expect(finish.exitCode == 0)
        #expect(finish.output.split(separator: "\n").count == 1)
        #expect(
            finish.output.wholeMatch(of: /\d+\.\d{6} run-finish end="completed" [^\n]*\n/) != nil)
        #expect(try await wait("run-finish", "--match", "accepted=5").exitCode == 0)
    }

    @Test("are refused and missed with one clear sentence")
    func refusals() async throws {
        let folder = try await endedRun()
        func wait(_ arguments: String...) async throws -> CommandRun {
            try await CommandRun.sluice(["wait-event", "run"] + arguments, in: folder)
        }
        let missing = try await wait("frame-failed")
        expectRefusal(missing, exitCode: 1, naming: "event 'frame-failed' never received")
        let twice = try await wait("run-finish", "--count", "2")
        expectRefusal(twice, exitCode: 1, naming: "event 'run-finish' never received")
        expectRefusal(try await wait("run-finish", "--match", "accepted=6"), exitCode: 1)
        expectRefusal(try await wait("run-finish", "--count", "0"), naming: "--count is 0")
        expectRefusal(try await wait("run-finish", "--match", "accepted"), naming: "key=value")
        expectRefusal(try await wait("run-finish", "--timeout", "soon"), naming: "--timeout")
        expectRefusal(try await wait("Run Finish"), naming: "'Run Finish' names no event")
        for command in ["events", "wait-event"] {
            let words = command == "events" ? [] : ["run-finish"]
            expectRefusal(
                try await CommandRun.sluice([command, "nowhere"] + words, in: folder),
                naming: "no run directory nowhere")
            expectRefusal(
                try await CommandRun.sluice([command, "."] + words, in: folder),
                naming: "is no run directory")
        }
        expectRefusal(
            try await CommandRun.sluice(["events", "run", "--since", "soon"], in: folder),
            naming: "--since is 'soon'")
        let format = try await CommandRun.sluice(["events", "run", "--format", "xml"], in: folder)
        #expect(format.exitCode == 2 && format.error.contains("xml"))

        let verbose = try await wait("run-start", "--verbose")
        let names = verbose.output.split(separator: "\n").map { $0.split(separator: " ")[1] }
        #expect(names.first == "run-define" && names.last == "run-start")
        #expect(names.count { $0 == "worker-start" } >= 1)
        #expect(try await wait("run-start", "--quiet").output.isEmpty)
    }

    @Test("that do not come in time are said so while the run goes on")
    func timeLimit() async throws {
        let run = try RunUnderWay(workers: 1)
        try await run.wait(for: "run-start")
        let late = try await CommandRun.sluice(
            ["wait-event", "run", "run-finish", "--timeout", "50ms"], in: run.folder)
        expectRefusal(late, exitCode: 1, naming: "wait-event timeout on event 'run-finish'")
        run.controller.stop()
        _ = try await run.end()
    }
}
