import CLinux
import Foundation
import TestSupport
import Testing

@Suite("Bad workers and run directories, through the command", .timeLimit(.minutes(3)))
struct BadWorkerTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func run(worker: String) async throws -> CommandRun {
        try await CommandRun.sluiceRun(
            "sim:count=3", "PixelSum", options: ["--worker", worker], in: folder)
    }

    // MARK: Worker executables

    @Test("a worker executable that is missing is exit code 2")
    func missing() async throws {
        expectRefusal(try await run(worker: "./nope"), naming: "./nope", "no executable")
        expectRefusal(try await run(worker: "nope-worker"), naming: "nope-worker")
    }

    @Test("a worker that may not be executed is exit code 2")
    func notExecutable() async throws {
        try folder.write(Array("#!/bin/sh\n".utf8), to: "worker")
        expectRefusal(try await run(worker: "./worker"), naming: "./worker", "chmod +x")
        expectRefusal(try await run(worker: "."), naming: "'.'")
    }

    @Test("programs that are no workers are told from workers", arguments: ["cat", "true", "yes"])
    func noWorker(name: String) async throws {
        let program = try #require(
            ["/bin/", "/usr/bin/"].map { $0 + name }
                .first { FileManager.default.isExecutableFile(atPath: $0) })
        let run = try await run(worker: program)
        expectRefusal(run, naming: program)
    }

    @Test(
        "a worker of another protocol version is told so", .enabled(if: Self.hasPython),
        arguments: ["header", "welcome"])
    func otherVersion(place: String) async throws {
        // Header and body have checksums of their own (Docs/WireProtocol.md, sections 2 and 4.1).
        let script = """
            #!/usr/bin/env python3
            import os, struct
            def crc32c(data):
                crc = 0xFFFFFFFF
                for byte in data:
                    crc ^= byte
                    for _ in range(8):
                        crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
                return crc ^ 0xFFFFFFFF
            request, = struct.unpack_from('<Q', os.read(0, 65536), 8)
            in_header, in_body = (99, 1) if '\(place)' == 'header' else (1, 99)
            body = struct.pack('<HQII', in_body, 0, os.getpid(), 0)
            head = b'SLCE' + struct.pack(
                '<HHQIII', in_header, 64, request, len(body), 0, crc32c(body))
            os.write(1, head + struct.pack('<I', crc32c(head)) + body)
            os.read(0, 65536)
            """
        try folder.write(Array(script.utf8), to: "worker")
        #expect(chmod(folder.path + "/worker", 0o755) == 0)
        expectRefusal(try await run(worker: "./worker"), naming: "./worker", "version")
    }

    private static var hasPython: Bool {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        return path.split(separator: ":").contains {
            FileManager.default.isExecutableFile(atPath: $0 + "/python3")
        }
    }

    @Test("a worker that prints without end keeps nobody from anything")
    func chatter() async throws {
        let worker: String = try #require(BuiltProducts.executable("FaultyWorker"))
        let run = try await CommandRun.sluiceRun(
            "sim:count=20,shape=16x16", "Faulty:misdeed=chatter,frames=[1]",
            options: ["--worker", worker], in: folder)
        #expect(run.exitCode == 0, "\(run.error)")
        #expect(run.output.contains("20 accepted = 20 processed"), "\(run.output)")
        #expect(try folder.text(of: "run/log.txt").hasPrefix("[worker 0] \n"))
    }

    // MARK: Run directories

    /// A run of many frames, 1000 a second, that goes on until it is told to end.
    private func startedRun(_ processors: String...) throws -> StartedCommand {
        var command = [
            try #require(BuiltProducts.executable("sluice")), "run", "--source",
            "sim:count=1000000,shape=64x64,rate=1000", "--workers", "2", "--run-dir", "run",
            "--worker", try #require(BuiltProducts.executable("sluice-worker")),
        ]
        for processor in processors { command += ["--processor", processor] }
        return try CommandRun.start(command, in: folder)
    }

    /// Asks for the status until so many frames were accepted, and returns the workers' processes.
    @discardableResult
    private func waitUntil(accepted count: Int, by run: StartedCommand) async throws -> [Int32] {
        for _ in 0..<2000 {
            let answer = try await CommandRun.sluice(
                ["status", "run", "--format", "json"], in: folder)
            let text = answer.output
            guard let match = text.firstMatch(of: /"accepted"\s*:\s*(\d+)/),
                let accepted = Int(match.1),
                accepted >= count
            else { continue }
            return text.matches(of: /"processId"\s*:\s*(\d+)/).compactMap { Int32($0.1) }
                .filter { $0 != run.processId && $0 > 0 }
        }
        Issue.record("the run does not get to \(count) frames")
        return []
    }

    @Test("the run directory of a run that goes on is refused; one that has ended stays as it is")
    func inUse() async throws {
        let first = try startedRun("PixelSum")
        try await waitUntil(accepted: 1, by: first)
        let second = try await CommandRun.sluiceRun("sim:count=3", "PixelSum", in: folder)
        expectRefusal(second, naming: "run", "in use")
        #expect(kill(first.processId, SIGINT) == 0)
        let end = try await first.end()
        #expect(end.exitCode == 0, "\(end.error)")
        let third = try await CommandRun.sluiceRun("sim:count=3", "PixelSum", in: folder)
        expectRefusal(third, naming: "run", "earlier run")
    }

    @Test(
        "commands to a run that has ended, or never was, are exit code 2",
        arguments: [
            ["configure", "RUN", "PixelStatistics", "attributePrefix=a"], ["stop", "RUN"],
            ["stop", "RUN", "--now"], ["reset-stats", "RUN"],
        ])
    func ended(command: [String]) async throws {
        let run = try await CommandRun.sluiceRun("sim:count=3", "PixelStatistics", in: folder)
        #expect(run.exitCode == 0, "\(run.error)")
        let ended = try await CommandRun.sluice(
            command.map { $0 == "RUN" ? "run" : $0 }, in: folder)
        expectRefusal(ended, naming: "run", "ended")
        let never = try await CommandRun.sluice(
            command.map { $0 == "RUN" ? "nope" : $0 }, in: folder)
        expectRefusal(never, naming: "nope")
    }

    // MARK: Ends

    /// The folder `out` holds whole files only, and the ledger says the same.
    private func expectWholeOutput() async throws {
        #expect(try folder.files(in: "out").filter { !$0.hasSuffix(".tiff") } == [])
        let verified = try await CommandRun.sluice(["verify", "run"], in: folder)
        #expect(verified.exitCode == 0, "\(verified.output)")
    }

    @Test("a change that can't be applied is taken back, and the next one is not harmed")
    func changeTakenBack() async throws {
        try folder.write([0], to: "file")
        let run = try startedRun("AdOutputFileProcessor:outputDirectory=out")
        try await waitUntil(accepted: 1, by: run)
        for directory in ["file/out", "/proc/nope"] {
            expectRefusal(
                try await CommandRun.sluice(
                    ["configure", "run", "AdOutputFileProcessor", "outputDirectory=\(directory)"],
                    in: folder), naming: directory)
        }
        try await waitUntil(accepted: 300, by: run)
        let next = try await CommandRun.sluice(
            ["configure", "run", "AdOutputFileProcessor", "compression=deflate"], in: folder)
        #expect(next.exitCode == 0, "\(next.error)")
        #expect(kill(run.processId, SIGINT) == 0)
        let end = try await run.end()
        #expect(end.exitCode == 0, "\(end.output) \(end.error)")
        try await expectWholeOutput()
    }

    @Test("a run that is stopped at once leaves nothing half-written")
    func stoppedAtOnce() async throws {
        let run = try startedRun("PixelSum", "AdOutputFileProcessor:outputDirectory=out")
        try await waitUntil(accepted: 50, by: run)
        let stop = try await CommandRun.sluice(["stop", "run", "--now"], in: folder)
        #expect(stop.exitCode == 0, "\(stop.error)")
        let end = try await run.end()
        #expect(end.exitCode == 0 || end.output.contains("stopped at once"), "\(end.output)")
        try await expectWholeOutput()
    }

    @Test("workers killed again and again lose and double nothing, and leave nothing half-written")
    func killedWorkers() async throws {
        let run = try startedRun("AdOutputFileProcessor:outputDirectory=out")
        for number in 1...8 {
            for worker in try await waitUntil(accepted: number * 50, by: run) {
                kill(worker, SIGKILL)
            }
        }
        #expect(kill(run.processId, SIGINT) == 0)
        let end = try await run.end()
        #expect(end.exitCode == 0, "\(end.output) \(end.error)")
        #expect(end.output.contains("ledger balanced"))
        try await expectWholeOutput()
    }

    @Test("workers go with a controller that is killed")
    func killedController() async throws {
        let run = try startedRun("PixelSum")
        let workers = try await waitUntil(accepted: 10, by: run)
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
        let verified = try await CommandRun.sluice(["verify", "run"], in: folder)
        #expect(verified.exitCode == 1)
        #expect(verified.output.contains("did not end in order"))
    }
}
