import Glibc
import NDArrays
import Pipes
import Statistics
import TestSupport
import Testing
import Wire
import WorkerProtocol

/// A worker executable as a process of its own.
final class WorkerProcess {
    let client: WorkerClient
    private let spawner: ProcessSpawner
    private var child: ChildProcess

    init(_ product: String, environment: [String: String?] = [:]) throws {
        guard let path = BuiltProducts.executable(product) else { throw Missing(what: product) }
        ProcessSignals.ignoreBrokenPipe()
        let down = try makePipe()
        let up = try makePipe()
        spawner = try ProcessSpawner()
        child = try spawner.spawn(
            SpawnRequest(
                executable: path, environmentChanges: environment,
                descriptors: [0: down.reader.rawValue, 1: up.writer.rawValue, 2: 2]))
        client = WorkerClient(
            toWorker: try down.writer.duplicate(), fromWorker: try up.reader.duplicate())
    }

    /// Waits for the end of the process.
    func wait() throws -> Pipes.ExitStatus {
        let status = try child.wait()
        spawner.close()
        return status
    }

    func end() throws {
        _ = try child.signal(SIGKILL)
        _ = try wait()
    }
}

private func faulty(_ misdeed: String, _ more: KeyValuePairs<String, StructureValue> = [:])
    -> ProcessorSpecification
{
    var settings = Structure(more)
    settings["misdeed"] = .scalar(.string(misdeed))
    return ProcessorSpecification(name: "Faulty", settings: settings)
}

@Suite("Worker executables", .timeLimit(.minutes(2)))
struct ExecutableTests {
    @Test func `sluice-worker serves a frame and stops within 50 ms of being told`() throws {
        let worker = try WorkerProcess("sluice-worker")
        let client = worker.client
        let welcome = try client.greet(Hello(controllerProcessId: UInt32(getpid())))
        #expect(welcome.software.hasPrefix("sluice-worker "))
        #expect(try client.start([.init(name: "PixelStatistics")]) == .success)
        let (command, bytes) = try inlineFrame(1)
        let (result, _) = try client.result(of: client.process(command, payload: bytes))
        #expect(result.outcome == .processed)
        #expect(try client.command(.stop) == .success)
        #expect(try worker.wait() == .exited(code: 0))
    }

    @Test func `A payload that was damaged on its way ends the worker with 4, and is no frame`()
        throws
    {
        let worker = try WorkerProcess("sluice-worker")
        let client = worker.client
        _ = try client.greet(Hello(controllerProcessId: UInt32(getpid())))
        #expect(try client.start([.init(name: "PixelStatistics")]) == .success)
        var (command, bytes) = try inlineFrame(1)
        command.payloadChecksum = bytes.withUnsafeBytes { PayloadChecksum.of($0) }
        let (result, _) = try client.result(of: client.process(command, payload: bytes))
        #expect(result.outcome == .processed)
        bytes[bytes.count / 2] ^= 1
        _ = try client.process(command, payload: bytes)
        #expect(try worker.wait() == .exited(code: 4))
    }

    @Test func `A worker whose parent is another process than the controller leaves with 3`() throws
    {
        let worker = try WorkerProcess("sluice-worker")
        try worker.client.send(.hello) { Hello(controllerProcessId: 1).write(to: &$0) }
        #expect(try worker.wait() == .exited(code: 3))
    }

    @Test func `What a processor prints does no harm`() throws {
        let worker = try WorkerProcess("FaultyWorker")
        let client = worker.client
        _ = try client.greet()
        #expect(try client.start([faulty("print")]) == .success)
        for id in UInt64(1)...10 {
            let (command, bytes) = try inlineFrame(id)
            let (result, _) = try client.result(of: client.process(command, payload: bytes))
            #expect(result.outcome == .processed)
        }
        #expect(try client.command(.stop) == .success)
        #expect(try worker.wait() == .exited(code: 0))
    }

    @Test func `getStats and ping are answered while a frame takes long, with live counters`()
        throws
    {
        let worker = try WorkerProcess("FaultyWorker")
        let client = worker.client
        _ = try client.greet()
        #expect(
            try client.start([faulty("hang", ["frames": .list([.scalar(.int64(3))])])]) == .success)
        for id in UInt64(1)...5 {
            let (command, bytes) = try inlineFrame(id)
            _ = try client.process(command, payload: bytes)
        }
        // The clock of the test only bounds the wait; the frame itself never ends.
        var counted: UInt64 = 0
        while counted < 2 { counted = try client.statistics().processors[0].counters.processed }
        #expect(counted == 2)
        #expect(try client.command(.ping) == .success)
        #expect(try client.statistics().processors[0].queueDepth == 2)
        // The controller goes away while user code runs: the worker must not stay behind.
        client.hangUp()
        #expect(try worker.wait() == .exited(code: 3))
    }

    @Test
    func `Frames that came while one took long are processed after it, then stop is answered`()
        throws
    {
        let worker = try WorkerProcess("FaultyWorker")
        let client = worker.client
        _ = try client.greet(Hello(wantsOutputs: true))
        let sleeping = faulty(
            "sleep", ["frames": .list([.scalar(.int64(1))]), "seconds": .scalar(.float64(0.2))])
        #expect(try client.start([sleeping]) == .success)
        var requests: [UInt64] = []
        let (first, firstBytes) = try inlineFrame(1)
        requests.append(try client.process(first, payload: firstBytes))
        // The ping is answered while the frame sleeps: from here on the second thread reads.
        #expect(try client.command(.ping) == .success)
        for id in UInt64(2)...6 {
            let (command, bytes) = try inlineFrame(id, [UInt16(id), 2])
            requests.append(try client.process(command, payload: bytes))
        }
        let stop = try client.send(.stop)
        client.hangUp()
        for (place, request) in requests.enumerated() {
            let (result, _) = try client.result(of: request)
            #expect(result.outcome == .processed)
            #expect(result.uniqueId == 1001 + UInt64(place))
        }
        #expect(try client.reply(to: stop) == .success)
        #expect(try worker.wait() == .exited(code: 0))
    }

    @Test(arguments: ["init", "configure", "start"])
    func `A throw in a hook refuses the start, which may be tried again`(hook: String) throws {
        let worker = try WorkerProcess("FaultyWorker")
        let client = worker.client
        _ = try client.greet()
        let reply = try client.start([
            .init(name: "Slow"), faulty("throw", ["hook": .scalar(.string(hook))]),
        ])
        guard case .failure(let failure) = reply else {
            Issue.record("started")
            return try worker.end()
        }
        #expect(failure.code == .hook)
        #expect(failure.reason.contains("told to throw in \(hook)"))
        #expect(try client.start([.init(name: "Slow")]) == .success)
        #expect(try client.command(.stop) == .success)
        #expect(try worker.wait() == .exited(code: 0))
    }

    @Test func `A throw in stop is told, and the worker leaves all the same`() throws {
        let worker = try WorkerProcess("FaultyWorker")
        let client = worker.client
        _ = try client.greet()
        #expect(try client.start([faulty("throw", ["hook": .scalar(.string("stop"))])]) == .success)
        guard case .failure(let failure) = try client.command(.stop) else {
            Issue.record("no failure")
            return try worker.end()
        }
        #expect(failure.code == .hook)
        #expect(try worker.wait() == .exited(code: 0))
    }

    @Test(arguments: [
        ("segfault", Pipes.ExitStatus.signalled(signal: SIGSEGV, coreDumped: false)),
        ("exit1", .exited(code: 1)), ("exit0", .exited(code: 0)),
    ])
    func `The faulty worker ends as it is told`(misdeed: String, expected: Pipes.ExitStatus) throws
    {
        let worker = try WorkerProcess("FaultyWorker")
        let client = worker.client
        _ = try client.greet()
        #expect(try client.start([faulty(misdeed)]) == .success)
        let (command, bytes) = try inlineFrame(1)
        _ = try client.process(command, payload: bytes)
        let status = try worker.wait()
        if case .signalled(let signal, _) = expected, case .signalled(let found, _) = status {
            #expect(found == signal)
        } else {
            #expect(status == expected)
        }
    }

    @Test func `Arguments are answered with what the program is, and 2`() throws {
        let path = try #require(BuiltProducts.executable("sluice-worker"))
        let spawner = try ProcessSpawner()
        var child = try spawner.spawn(
            SpawnRequest(executable: path, arguments: ["--help"], descriptors: [2: 2]))
        #expect(try child.wait() == .exited(code: 2))
        spawner.close()
    }
}
