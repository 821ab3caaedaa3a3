import ControllerRuntime
import Foundation
import Glibc
import NDArrays
import TestSupport
import Testing

/// A child that is stopped between its making and its program, where it still is a part of the controller.
@Suite("A worker that is stopped before its program runs", .timeLimit(.minutes(2)))
struct StoppedSpawnTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    @Test("is ended after a while, and the run goes on; the controller answers")
    func stopped() async throws {
        let worker = try #require(BuiltProducts.executable("FaultyWorker"))
        try folder.write(
            """
            source: {sim: {count: 20000, shape: 8x8}}
            rate: 400
            stages:
              - worker: \(worker)
                workers: 4
                maximumAttempts: 100
                processors: [{Faulty: {misdeed: kill, probability: 0.2}}]
            """, to: "run.yaml")
        let sluice = try #require(BuiltProducts.executable("sluice"))
        let run = try CommandRun.start(
            [sluice, "run", "run.yaml", "--run-dir", "run", "--quiet"], in: folder)
        // Before the run begins, a worker that can't be started ends it.
        while !text(folder.file("run/journal.jsonl")).contains("\"run-start\"") {
            await Task.yield()
        }
        let stopped = try #require(try stopUnstarted(of: run.processId))
        // It hangs for three seconds, then everything is answered again.
        let stop = try await CommandRun.sluice(["stop", "run", "--now"], in: folder)
        #expect(stop.exitCode == 0, "\(stop.error)")
        let ended = try await run.end()
        #expect(ended.exitCode <= 1, "\(ended.exitCode) \(ended.error)")
        #expect(kill(stopped, 0) != 0, "the child is still there")
        let verified = try await CommandRun.sluice(["verify", "run"], in: folder)
        #expect(verified.exitCode == 0, "\(verified.output) \(verified.error)")
    }

    /// Stops a child of the process that is not yet a worker; its number, nil when the process ended before one
    /// was met.
    private func stopUnstarted(of controller: pid_t) throws -> pid_t? {
        let program = link("/proc/\(controller)/exe")
        let tasks = "/proc/\(controller)/task"
        // The thread that makes children; before the first worker is ready it makes others, one by one.
        var children: String?
        while kill(controller, 0) == 0, children == nil {
            children = try FileManager.default.contentsOfDirectory(atPath: tasks).lazy
                .map { "\(tasks)/\($0)" }
                .first { text("\($0)/comm") == "spawner\n" && text("\($0)/children").contains(" ") }
                .map { $0 + "/children" }
        }
        guard let children else { return nil }
        var seen: pid_t = 0
        while kill(controller, 0) == 0 {
            guard let child = text(children).split(separator: " ").last.flatMap({ pid_t($0) }),
                child != seen
            else { continue }
            seen = child
            guard link("/proc/\(child)/exe") == program, kill(child, SIGSTOP) == 0 else { continue }
            if isStopped(child), link("/proc/\(child)/exe") == program { return child }
            kill(child, SIGCONT)
        }
        return nil
    }

    /// Where a link of /proc leads; empty when its process is gone.
    private func link(_ path: String) -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 4096) { bytes in
            let count = readlink(path, bytes.baseAddress!, bytes.count)
            return String(decoding: UnsafeRawBufferPointer(bytes)[..<max(0, count)], as: UTF8.self)
        }
    }

    /// What a file of /proc says; empty when its process is gone.
    private func text(_ path: String) -> String {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return "" }
        defer { close(file) }
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 1 << 16) { bytes in
            let count = read(file, bytes.baseAddress!, bytes.count)
            return String(decoding: bytes[..<max(0, count)], as: UTF8.self)
        }
    }

    /// Whether it is stopped, once it no longer runs.
    private func isStopped(_ process: pid_t) -> Bool {
        while true {
            let stat = text("/proc/\(process)/stat")
            guard let name = stat.lastIndex(of: ")") else { return false }
            let state = stat[stat.index(after: name)...].dropFirst().first
            if state == "T" { return true }
            if state == "Z" || state == "X" { return false }
            sched_yield()
        }
    }
}
