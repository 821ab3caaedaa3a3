import CLinux
import Foundation
import TestSupport
import Testing

@Suite("Hundreds of lost workers", .timeLimit(.minutes(15)))
struct LeakTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func start(_ misdeed: String, source: String) throws -> StartedCommand {
        try folder.write(
            """
            source: \(source)
            stages:
              - processors: [\(misdeed)]
                workers: 2
                worker: \(try #require(BuiltProducts.executable("FaultyWorker")))
                maximumFruitlessLives: 1000
            """, to: "pipeline.yaml")
        let sluice = try #require(BuiltProducts.executable("sluice"))
        return try CommandRun.start(
            [sluice, "run", "pipeline.yaml", "--run-dir", "run"], in: folder)
    }

    private struct Worker: Decodable {
        var processId: Int32
        var state: String?
        var replacements: Int?
    }

    private struct Answer: Decodable {
        struct Account: Decodable { var accepted: Int }
        var workers: [Worker]
        var ledger: Account
    }

    private func ask(_ command: String) async throws -> Answer? {
        let run = try await CommandRun.sluice([command, "run", "--format", "json"], in: folder)
        return try? JSONDecoder().decode(Answer.self, from: Data(run.output.utf8))
    }

    /// What a controller holds while both of its workers are at work.
    private struct Holdings: CustomStringConvertible {
        var descriptors: Int
        var children: Set<Int32>
        var description: String { "\(descriptors) descriptors, children \(children.sorted())" }
    }

    /// Looks until both workers are the same before and after the look; the look with the fewest
    /// descriptors of some, for the questions themselves take one or two for a moment.
    private func holdings(of process: Int32) async throws -> Holdings {
        var best: Holdings?
        var looks = 0
        while looks < 5 {
            guard let before = try await ask("status"),
                before.workers.allSatisfy({ $0.state == "started" })
            else { continue }
            let found = try look(at: process)
            guard let after = try await ask("status"),
                after.workers.map(\.processId) == before.workers.map(\.processId),
                found.children == Set(before.workers.map(\.processId))
            else { continue }
            looks += 1
            if found.descriptors < best?.descriptors ?? .max { best = found }
        }
        return try #require(best)
    }

    private func look(at process: Int32) throws -> Holdings {
        let files = FileManager.default
        let descriptors = try files.contentsOfDirectory(atPath: "/proc/\(process)/fd").count
        var children: Set<Int32> = []
        for thread in try files.contentsOfDirectory(atPath: "/proc/\(process)/task") {
            let path = "/proc/\(process)/task/\(thread)/children"
            // A thread may have ended since; its children then are another's.
            guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { continue }
            children.formUnion(text.split(separator: " ").compactMap { Int32($0) })
        }
        return Holdings(descriptors: descriptors, children: children)
    }

    /// Changes what the workers do; a worker that ends meanwhile refuses a change, which is then tried
    /// again.
    private func change(to misdeed: String) async throws {
        for _ in 0..<200 {
            let run = try await CommandRun.sluice(
                ["configure", "run", "Faulty", "misdeed=\(misdeed)"], in: folder)
            if run.exitCode == 0 { return }
        }
        Issue.record("the change to \(misdeed) was never accepted")
    }

    @Test("leave no descriptor, no zombie and no slot behind")
    func leaks() async throws {
        let run = try start(
            "{Faulty: {misdeed: none, probability: 0.03, seed: 11}}",
            source: "{sim: {count: 0, shape: 32x32, rate: 4000}}")
        defer { kill(run.processId, SIGKILL) }
        while try await ask("status")?.ledger.accepted ?? 0 < 10 {}
        let before = try await holdings(of: run.processId)
        try await change(to: "exit1")
        var replacements = 0
        while replacements < 300 {
            let workers = try await ask("stats")?.workers ?? []
            replacements = workers.compactMap(\.replacements).reduce(0, +)
        }
        try await change(to: "none")
        let after = try await holdings(of: run.processId)
        #expect(after.descriptors <= before.descriptors, "\(before), then \(after)")
        // Frames still go through: no slot is missing.
        let accepted = try #require(try await ask("status")).ledger.accepted
        while try await ask("status")?.ledger.accepted ?? 0 < accepted + 100 {}
        #expect(kill(run.processId, SIGINT) == 0)
        let end = try await run.end()
        #expect(end.exitCode == 0 || end.exitCode == 1, "\(end.error)")
        #expect(end.output.contains("ledger balanced"), "\(end.output)")
    }

    @Test(
        "are taken along by a controller that is killed, whatever they are doing",
        arguments: ["spin", "hang", "freeze", "stopReading"])
    func killedController(misdeed: String) async throws {
        let run = try start(
            "{Faulty: {misdeed: \(misdeed)}}", source: "{sim: {count: 0, shape: 32x32}}")
        var workers: [Int32] = []
        while workers.isEmpty {
            let status = try await ask("status")
            guard status?.ledger.accepted ?? 0 > 16 else { continue }
            workers = status?.workers.map(\.processId) ?? []
        }
        #expect(workers.count == 2)
        let handles = workers.map { cl_pidfd_open($0) }
        #expect(kill(run.processId, SIGKILL) == 0)
        _ = try await run.end()
        for handle in handles where handle >= 0 {
            // Readable when the process has ended (man 2 pidfd_open).
            var request = pollfd(fd: handle, events: Int16(POLLIN), revents: 0)
            #expect(poll(&request, 1, 1000) == 1)
            close(handle)
        }
        // The socket that it left answers nobody, and says so at once.
        let status = try await CommandRun.sluice(["stop", "run"], in: folder)
        #expect(status.exitCode == 2)
    }
}
