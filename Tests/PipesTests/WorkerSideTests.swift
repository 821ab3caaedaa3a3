import CLinux
import Glibc
import Pipes
import Testing

@Suite("What a worker does first", .timeLimit(.minutes(1)))
struct WorkerSideTests {
    @Test("Taken over, the protocol has private descriptors and a print goes to standard error")
    func takeOver() async throws {
        let result = await #expect(
            processExitsWith: .success, observing: [\.standardErrorContent]
        ) {
            let incoming = try makePipe()
            let outgoing = try makePipe()
            dup2(incoming.reader.rawValue, 0)
            dup2(outgoing.writer.rawValue, 1)
            let streams = try StandardStreams.takeOver()
            #expect(streams.input.rawValue >= 10 && streams.output.rawValue >= 10)
            #expect(fcntl(streams.input.rawValue, F_GETFD) & FD_CLOEXEC != 0)
            #expect(fcntl(streams.output.rawValue, F_GETFD) & FD_CLOEXEC != 0)
            print("from user code")
            fflush(nil)
            var byte: UInt8 = 0
            #expect(read(0, &byte, 1) == 0, "standard input is at its end")
            try streams.output.writeText("message")
            try incoming.writer.writeText("command")
            var buffer = [UInt8](repeating: 0, count: 7)
            _ = try buffer.withUnsafeMutableBytes { area throws in
                try streams.input.readAll(into: area)
            }
            #expect(buffer == Array("command".utf8))
            try buffer.withUnsafeMutableBytes { area throws in
                #expect(try outgoing.reader.read(into: area) == .bytes(7))
            }
            #expect(buffer == Array("message".utf8))
        }
        let text = String(decoding: try #require(result).standardErrorContent, as: UTF8.self)
        #expect(text.contains("from user code"))
    }

    @Test("A worker is tied to its parent, and sees when that is another one")
    func parentDeath() async {
        await #expect(processExitsWith: .success) {
            let armed = try ParentDeath.arm()
            #expect(armed && cl_get_parent_death_signal() == SIGKILL)
            let armedForParent = try ParentDeath.arm(expectedParent: getppid())
            #expect(armedForParent)
            let armedForAnother = try ParentDeath.arm(expectedParent: getpid())
            #expect(!armedForAnother)
        }
    }

    // setpriv (util-linux) stands for a worker that arms itself.
    @Test(
        "Children outlive the thread that asked for them and end with the spawner",
        .enabled(if: access("/usr/bin/setpriv", X_OK) == 0, "needs setpriv of util-linux"))
    func childrenEndWithSpawner() throws {
        ProcessSignals.ignoreBrokenPipe()
        let spawner = try ProcessSpawner()
        let toChild = try makePipe()
        let fromChild = try makePipe()
        let request = SpawnRequest(
            executable: "/usr/bin/setpriv", arguments: ["--pdeathsig", "KILL", "/bin/cat"],
            descriptors: [0: toChild.reader.rawValue, 1: fromChild.writer.rawValue, 2: 2])
        let handle = ChildBox()
        let thread = try NamedThread(name: "asker") {
            do {
                handle.child = try spawner.spawn(request)
            } catch {
                Issue.record("\(error)")
            }
        }
        thread.join()
        try toChild.writer.writeText("echo")
        var echo = [UInt8](repeating: 0, count: 4)
        _ = try echo.withUnsafeMutableBytes { area throws in
            try fromChild.reader.readAll(into: area)
        }
        #expect(echo == Array("echo".utf8), "alive after the asking thread has ended")
        spawner.close()
        #expect(try handle.child?.wait() == .signalled(signal: SIGKILL, coreDumped: false))
    }

    private final class ChildBox: @unchecked Sendable {  // guard: the join of the only other thread
        var child: ChildProcess?
    }
}
