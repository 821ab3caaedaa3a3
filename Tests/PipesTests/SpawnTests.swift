import Glibc
import Pipes
import Synchronization
import Testing

@Suite("Spawning", .timeLimit(.minutes(1)))
struct SpawnTests {
    let spawner: ProcessSpawner

    init() throws {
        ProcessSignals.ignoreBrokenPipe()
        spawner = try ProcessSpawner()
    }

    @Test("Arguments and environment changes arrive")
    func environment() throws {
        setenv("SLUICE_TEST_REMOVED", "here", 1)
        setenv("SLUICE_TEST_KEPT", "kept", 1)
        let pipe = try makePipe()
        let request = SpawnRequest(
            executable: "/bin/sh",
            arguments: [
                "-c", "echo \"$1|$SLUICE_TEST_KEPT|$SLUICE_TEST_REMOVED|$SLUICE_TEST_NEW\"", "sh",
                "two words",
            ],
            environmentChanges: ["SLUICE_TEST_REMOVED": nil, "SLUICE_TEST_NEW": "a=b ü"],
            descriptors: [1: pipe.writer.rawValue])
        try pipe.split { reader, writer throws in
            var child = try spawner.spawn(request)
            try writer.close()
            #expect(try reader.readText() == "two words|kept||a=b ü\n")
            #expect(try child.wait() == .exited(code: 0))
        }
    }

    @Test("Exit codes and signals are told apart, again and again")
    func exitStatus() throws {
        var code = try spawner.spawn(shell("exit 3"))
        #expect(try code.wait() == .exited(code: 3))
        #expect(try code.reap() == .exited(code: 3))
        #expect(try code.signal(SIGTERM) == false)
        #expect(try code.signalGroup(SIGTERM) == false)
        var killed = try spawner.spawn(shell("kill -TERM $$"))
        #expect(try killed.wait() == .signalled(signal: SIGTERM, coreDumped: false))
        #expect(ExitStatus.exited(code: 3).description == "exited with code 3")
        #expect(
            ExitStatus.signalled(signal: 9, coreDumped: false).description
                == "was ended by signal 9 (SIGKILL, Killed)")
        #expect(try spawner.spawn(SpawnRequest(executable: "/bin/true")).pid > 0)
    }

    @Test("The end of a process wakes the poller; before it there is nothing to collect")
    func pidfdWakes() throws {
        let pipe = try makePipe()
        var child = try spawner.spawn(
            SpawnRequest(executable: "/bin/cat", descriptors: [0: pipe.reader.rawValue]))
        var poller = try Poller()
        try poller.add(child.pollableDescriptor, token: 5, interest: .readable)
        #expect(try poller.wait(timeoutMilliseconds: 0) == 0)
        #expect(try child.reap() == nil)
        try pipe.split { reader, writer throws in
            try reader.close()
            try writer.close()
        }
        #expect(try poller.wait() == 1)
        #expect(poller[0].token == 5)
        #expect(try child.reap() == .exited(code: 0))
    }

    @Test("A signal ends exactly the child; a group signal also what it started")
    func signals() throws {
        var child = try spawner.spawn(SpawnRequest(executable: "/bin/sleep", arguments: ["60"]))
        #expect(try child.signal(SIGTERM) == true)
        #expect(try child.wait() == .signalled(signal: SIGTERM, coreDumped: false))

        try makePipe().split { reader, writer throws in
            let request = shell(
                "sleep 60 & echo started; wait", descriptors: [1: writer.rawValue])
            var leader = try spawner.spawn(request)
            try writer.close()
            var line = [UInt8](repeating: 0, count: 8)
            _ = try line.withUnsafeMutableBytes { area in try reader.readAll(into: area) }
            #expect(getpgid(leader.pid) == leader.pid)
            #expect(try leader.signalGroup(SIGKILL) == true)
            // The grandchild holds the pipe too: the end comes only when it is gone as well.
            #expect(try reader.readText() == "")
            #expect(try leader.wait() == .signalled(signal: SIGKILL, coreDumped: false))
        }
    }

    @Test("A child that nobody collects is killed and collected with its owner")
    func abandonedChild() throws {
        let pid: Int32
        do {
            let child = try spawner.spawn(
                SpawnRequest(executable: "/bin/sleep", arguments: ["60"]))
            pid = child.pid
            #expect(kill(pid, 0) == 0)
        }
        #expect(waitpid(pid, nil, WNOHANG) == -1 && errno == ECHILD)
    }

    @Test("A child has default signals, nothing blocked, and its own group")
    func signalState() throws {
        var blocked = sigset_t()
        var before = sigset_t()
        sigemptyset(&blocked)
        sigaddset(&blocked, SIGUSR1)
        pthread_sigmask(SIG_BLOCK, &blocked, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        let result = try run("grep -E '^Sig(Blk|Ign)' /proc/self/status", spawner: spawner)
        // glibc keeps 32 and 33 for itself and ignores them in every spawned process.
        #expect(result.output == "SigBlk:\t0000000000000000\nSigIgn:\t0000000180000000\n")
    }

    @Test("Many threads spawn at once, each gets its own child")
    func manyThreads() throws {
        let codes = Mutex<[Int32]>([])
        let spawner = self.spawner
        let threads = try (0..<4).map { index in
            try NamedThread(name: "spawn-\(index)") {
                for round in 0..<6 as Range<Int32> {
                    let code = Int32(index) * 6 + round
                    do {
                        var child = try spawner.spawn(shell("exit \(code)"))
                        if case .exited(let found) = try child.wait() {
                            codes.withLock { $0.append(found) }
                            if found != code { Issue.record("\(found) instead of \(code)") }
                        }
                    } catch {
                        Issue.record("\(error)")
                    }
                }
            }
        }
        for thread in threads { thread.join() }
        #expect(codes.withLock { $0.sorted() } == Array(0..<24))
    }
}

@Suite("What cannot be spawned", .timeLimit(.minutes(1)))
struct SpawnErrorTests {
    private func error(_ request: SpawnRequest) throws -> SpawnError? {
        let spawner = try ProcessSpawner()
        while true {
            do throws(SpawnError) {
                _ = try spawner.spawn(request).pid
                return nil
            } catch {
                // A child that another test starts at this moment holds our new file open for
                // writing until its own exec (man 2 execve, ETXTBSY).
                if error.code != .system(errorNumber: ETXTBSY) { return error }
                sched_yield()
            }
        }
    }

    @Test("A missing file, a folder and a file without permission are told apart")
    func missing() throws {
        #expect(try error(SpawnRequest(executable: "/no/such/worker"))?.code == .missing)
        #expect(try error(SpawnRequest(executable: "/tmp"))?.code == .notExecutable)
        let plain = try temporaryFile(Array("#!/bin/sh\n".utf8), mode: 0o644)
        defer { unlink(plain) }
        #expect(try error(SpawnRequest(executable: plain))?.code == .notExecutable)
        #expect(
            try error(SpawnRequest(executable: "/no/such/worker"))?.description
                == "there is no executable '/no/such/worker'; build it or correct the path")
    }

    @Test("A program for another machine, a text file and a lost interpreter are told apart")
    func wrongFormat() throws {
        // The header of a 64-bit ELF program for machine 183, aarch64, or 62 where we are on that.
        var header = [UInt8](repeating: 0, count: 64)
        header.replaceSubrange(0..<7, with: [0x7F, 0x45, 0x4C, 0x46, 2, 1, 1])
        header[16] = 2
        #if arch(arm64)
            header[18] = 62
        #else
            header[18] = 183
        #endif
        let foreign = try temporaryFile(header, mode: 0o755)
        defer { unlink(foreign) }
        #expect(try error(SpawnRequest(executable: foreign))?.code == .wrongArchitecture)
        let text = try temporaryFile(Array("hello\n".utf8), mode: 0o755)
        defer { unlink(text) }
        #expect(try error(SpawnRequest(executable: text))?.code == .notAProgram)
        let script = try temporaryFile(Array("#!/no/such/interpreter\n".utf8), mode: 0o755)
        defer { unlink(script) }
        #expect(try error(SpawnRequest(executable: script))?.code == .missingInterpreter)
    }

    @Test("A bad descriptor, a bad number and a zero byte are refused")
    func badRequests() throws {
        let path = "/bin/true"
        let bad = [
            SpawnRequest(executable: path, descriptors: [3: 9999]),
            SpawnRequest(executable: path, descriptors: [64: 0]),
            SpawnRequest(executable: path, descriptors: [-1: 0]),
            SpawnRequest(executable: path, arguments: ["a\0b"]),
        ]
        for request in bad {
            #expect(try error(request)?.code == .badRequest, "\(request)")
        }
    }

    @Test("A closed spawner says so")
    func closedSpawner() throws {
        let spawner = try ProcessSpawner()
        spawner.close()
        spawner.close()
        #expect(throws: SpawnError(.spawnerClosed, executable: "/bin/true")) {
            _ = try spawner.spawn(SpawnRequest(executable: "/bin/true")).pid
        }
    }
}
