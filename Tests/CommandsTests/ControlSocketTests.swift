import Foundation
import NDArrays
import Pipes
import Synchronization
import TestSupport
import Testing

@testable import ControllerRuntime

/// Answers as told and keeps what it was asked.
final class InMemoryControlHandler: ControlHandler {
    private let received = Mutex<[ControlCommand]>([])
    private let respond: @Sendable (ControlCommand) async throws -> ControlAnswer

    init(_ respond: @escaping @Sendable (ControlCommand) async throws -> ControlAnswer) {
        self.respond = respond
    }

    var commands: [ControlCommand] { received.withLock { $0 } }

    func handle(_ command: ControlCommand) async throws -> ControlAnswer {
        received.withLock { $0.append(command) }
        return try await respond(command)
    }
}

/// Runs `body`, which blocks, on a thread of its own: the threads of tasks are few, and handlers
/// need them.
func onThread<Value: Sendable>(
    _ body: @escaping @Sendable () throws -> Value
) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread { continuation.resume(with: Result(catching: body)) }
    }
}

@Suite(.timeLimit(.minutes(1))) struct ControlSocketTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    @Test func `every command gets there and its answer comes back`() async throws {
        let directory = try RunDirectory(creating: folder.path + "/run")
        let handler = InMemoryControlHandler { command in
            switch command {
            case .status: .status(Samples.status)
            case .statistics: .statistics(Samples.statistics)
            case .configure: .configured(version: 7)
            case .resetStatistics: throw ControllerError(.state, "not now")
            case .stop: .done
            case .events: .failure(ControlFailure(code: "test", message: "not for handlers"))
            }
        }
        let server = try ControlServer(in: directory, handler: handler)
        let changes = Structure([
            "threshold": .scalar(.int64(5)), "name": .scalar(.string("a \"b\"\n")),
            "on": .scalar(.boolean(true)), "gain": .scalar(.float64(0.5)),
            "list": .list([.scalar(.int64(1)), .scalar(.string("x"))]),
        ])
        let configure = ControlCommand.configure(processor: "P", stage: "s", changes: changes)
        try await onThread {
            var client = try ControlClient(runDirectory: directory.path)
            #expect(try client.send(.status) == .status(Samples.status))
            #expect(try client.send(.statistics) == .statistics(Samples.statistics))
            #expect(try client.send(configure) == .configured(version: 7))
            #expect(
                try client.send(.resetStatistics)
                    == .failure(ControlFailure(code: "state", message: "not now")))
            #expect(try client.send(.stop(now: true)) == .done)
        }
        #expect(handler.commands.count == 5)
        #expect(handler.commands.last == .stop(now: true))
        guard case .configure(_, _, let received) = handler.commands[2] else {
            Issue.record("no configure")
            return
        }
        #expect(received["list"] == changes["list"])
        #expect(Set(received.fields) == Set(changes.fields))
        await server.close()
        #expect(!FileManager.default.fileExists(atPath: directory.path(of: .controlSocket)))
    }

    @Test func `a path longer than a socket address works`() async throws {
        let long = folder.path + "/" + String(repeating: "x", count: 120) + "/run"
        let directory = try RunDirectory(creating: long)
        let server = try ControlServer(
            in: directory, handler: InMemoryControlHandler { _ in .done })
        try await onThread {
            var client = try ControlClient(runDirectory: long)
            #expect(try client.send(.resetStatistics) == .done)
        }
        await server.close()
    }

    @Test func `a socket that a killed run left is known as stale by the lock`() async throws {
        let path = folder.path + "/run"
        do {
            let directory = try RunDirectory(creating: path)
            // Bound and never served: what is left when the process was killed.
            _ = try ControlSocket.listen(in: directory.descriptor)
        }
        #expect(FileManager.default.fileExists(atPath: path + "/control.sock"))
        #expect(throws: ControlClientError.ended(path: path)) {
            _ = try ControlClient(runDirectory: path)
        }
    }

    @Test func `a run that does not listen yet is told from one that has ended`() throws {
        let directory = try RunDirectory(creating: folder.path + "/run")
        #expect(
            throws: ControlClientError.notListening(path: directory.path, processId: getpid())
        ) {
            _ = try ControlClient(runDirectory: directory.path)
        }
    }

    @Test func `folders that are no run directories are told apart`() throws {
        #expect(throws: ControlClientError.missing(path: folder.path + "/none")) {
            _ = try ControlClient(runDirectory: folder.path + "/none")
        }
        #expect(throws: ControlClientError.foreign(path: folder.path)) {
            _ = try ControlClient(runDirectory: folder.path)
        }
    }

    @Test func `an answer under way when the run ends still gets there`() async throws {
        var directory: RunDirectory? = try RunDirectory(creating: folder.path + "/run")
        let (begun, tellBegun) = AsyncStream.makeStream(of: Void.self)
        let (goOn, tellGoOn) = AsyncStream.makeStream(of: Void.self)
        let handler = InMemoryControlHandler { _ in
            tellBegun.yield()
            for await _ in goOn { break }
            return .configured(version: 3)
        }
        let server = try ControlServer(in: #require(directory), handler: handler)
        let path = try #require(directory).path
        async let answer = onThread {
            var client = try ControlClient(runDirectory: path)
            let answer = try client.send(.stop(now: false))
            try client.waitForEnd()
            return answer
        }
        for await _ in begun { break }
        async let closed: Void = server.close()
        tellGoOn.yield()
        await closed
        // The client waits until the lock is free: then every file of the run is there.
        directory = nil
        #expect(try await answer == .configured(version: 3))
    }

    @Test func `a client that gives no time gets an error in time`() async throws {
        let directory = try RunDirectory(creating: folder.path + "/run")
        let (goOn, tellGoOn) = AsyncStream.makeStream(of: Void.self)
        let handler = InMemoryControlHandler { _ in
            for await _ in goOn { break }
            return .done
        }
        let server = try ControlServer(in: directory, handler: handler)
        try await onThread {
            var client = try ControlClient(runDirectory: directory.path)
            #expect(throws: ControlClientError.timeLimit(path: directory.path, seconds: 0)) {
                _ = try client.send(.status, timeLimit: .milliseconds(20))
            }
            tellGoOn.yield()
            // The late answer to the first request is not taken for the second one's.
            tellGoOn.yield()
            #expect(try client.send(.resetStatistics) == .done)
        }
        await server.close()
    }

    @Test func `lines that are no requests are refused and the connection goes on`() async throws {
        let directory = try RunDirectory(creating: folder.path + "/run")
        let handler = InMemoryControlHandler { _ in .done }
        let server = try ControlServer(in: directory, handler: handler)
        try await onThread {
            let raw = try RawClient(directory)
            let lines: [(String, String)] = [
                ("nonsense", "no JSON object"),
                ("{\"id\":1}", "no \\\"command\\\""), ("{\"id\":7}", "\"id\":7"),
                ("{\"command\":\"fly\"}", "there is no command fly"),
                (
                    "{\"command\":\"configure\",\"processor\":1}",
                    "\\\"processor\\\" has another kind"
                ),
                ("{\"id\":4,\"command\":\"stop\"}", "{\"id\":4,\"ok\":true}"),
            ]
            for (line, expected) in lines {
                raw.send(line + "\n")
                let answer = try #require(raw.readLine())
                #expect(answer.contains(expected), "\(answer)")
            }
        }
        await server.close()
    }

    @Test func `requests may come in pieces and several at once`() async throws {
        let directory = try RunDirectory(creating: folder.path + "/run")
        let server = try ControlServer(
            in: directory, handler: InMemoryControlHandler { _ in .done })
        try await onThread {
            let raw = try RawClient(directory)
            raw.send("\n{\"id\":1,\"comm")
            raw.send("and\":\"resetStats\"}\r\n{\"id\":2,\"command\":\"stop\"}\n{\"id\":3,")
            #expect(raw.readLine() == "{\"id\":1,\"ok\":true}")
            #expect(raw.readLine() == "{\"id\":2,\"ok\":true}")
            raw.send("\"command\":\"stop\"}\n")
            raw.endOutput()
            #expect(raw.readLine() == "{\"id\":3,\"ok\":true}")
            #expect(raw.readLine() == nil)
        }
        await server.close()
    }

    @Test func `a line above the limit is refused and the connection closed`() async throws {
        let directory = try RunDirectory(creating: folder.path + "/run")
        let server = try ControlServer(
            in: directory, handler: InMemoryControlHandler { _ in .done })
        try await onThread {
            let raw = try RawClient(directory)
            raw.send(String(repeating: "x", count: ControlLimits.maximumLineByteCount + 70_000))
            #expect(raw.readLine()?.contains("\"limit\"") == true)
        }
        await server.close()
    }

    @Test func `one client above the limit is told so, the others go on`() async throws {
        let directory = try RunDirectory(creating: folder.path + "/run")
        let server = try ControlServer(
            in: directory, handler: InMemoryControlHandler { _ in .done })
        try await onThread {
            var clients: [RawClient] = []
            for _ in 0..<ControlLimits.maximumClientCount {
                clients.append(try RawClient(directory))
            }
            for client in clients {
                client.send("{\"command\":\"stop\"}\n")
                #expect(client.readLine() == "{\"id\":0,\"ok\":true}")
            }
            let last = try RawClient(directory)
            #expect(last.readLine()?.contains("32 clients") == true)
            #expect(last.readLine() == nil)
            clients[0].send("{\"command\":\"stop\"}\n")
            #expect(clients[0].readLine() != nil)
        }
        await server.close()
    }
}

/// A client without the client's code.
final class RawClient {
    private let file: UnsafeMutablePointer<FILE>
    private let number: Int32

    init(_ directory: RunDirectory) throws {
        number = try ControlSocket.connect(in: directory.descriptor).release()
        file = try #require(fdopen(number, "r"))
    }

    deinit { fclose(file) }

    func send(_ text: String) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(number, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count <= 0 { return }
            rest = rest.dropFirst(count)
        }
    }

    func endOutput() { shutdown(number, Int32(SHUT_WR)) }

    func readLine() -> String? {
        var line: UnsafeMutablePointer<CChar>?
        var capacity = 0
        defer { free(line) }
        let count = getline(&line, &capacity, file)
        guard count > 0, let line else { return nil }
        return String(String(cString: line).dropLast())
    }
}
