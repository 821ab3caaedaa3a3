import Foundation
import Journal
import TestSupport
import Testing

@testable import ControllerRuntime

@Suite(.timeLimit(.minutes(1))) struct ControlEventsTests {
    private let folder: TemporaryFolder
    private let directory: RunDirectory
    private let journal: JournalWriter
    private let server: ControlServer

    init() throws {
        folder = try TemporaryFolder()
        directory = try RunDirectory(creating: folder.path + "/run")
        journal = try JournalWriter(
            path: directory.path(of: .journal),
            rotation: JournalRotation(maximumByteCount: 64 << 10))
        server = try ControlServer(in: directory, handler: InMemoryControlHandler { _ in .done })
    }

    private func record(_ name: String, _ context: KeyValuePairs<String, JournalValue> = [:]) throws
    {
        server.announce(event: try journal.record(name, context).seq)
    }

    private func consumer(
        names: [String] = [], afterSeq: UInt64? = nil, queueCount: Int = 10_000
    ) -> RunJournalConsumer {
        RunJournalConsumer(
            transport: ControlJournalTransport(runDirectory: directory.path),
            names: names.compactMap(EventNamePattern.init), includeSentinel: true,
            afterSeq: afterSeq, limits: .init(queueCount: queueCount))
    }

    @Test func `events come over the socket: history, sentinel, present, end`() async throws {
        for name in ["run-define", "worker-spawn"] { try record(name) }
        let consumer = consumer().start()
        try await onThread { () throws -> Void in
            #expect(
                try (0..<3).map { _ in try consumer.poll()?.name } == [
                    "run-define", "worker-spawn", "",
                ])
            try record("worker-gone", ["cause": "exit 1"])
            let gone = try #require(try consumer.poll())
            #expect(gone.name == "worker-gone" && gone.seq == 3)
            #expect(gone["cause"] == "exit 1")
            try record("run-finish")
        }
        await server.close()
        try await onThread { () throws -> Void in
            #expect(try consumer.poll()?.name == "run-finish")
            #expect(try consumer.poll() == nil)
        }
    }

    @Test func `names and the cursor are looked at by the run`() async throws {
        for name in ["worker-spawn", "frame-failed", "worker-gone", "run-finish"] {
            try record(name)
        }
        let (some, rest) = (consumer(names: ["worker.*"]).start(), consumer(afterSeq: 2).start())
        try await onThread { () throws -> Void in
            #expect(try (0..<3).map { _ in try some.poll()?.seq } == [1, 3, 0])
            #expect(try (0..<3).map { _ in try rest.poll()?.seq } == [3, 4, 0])
        }
        await server.close()
    }

    @Test func `ten thousand events recorded while history is sent come once`() async throws {
        for _ in 0..<5_000 { try record("a") }
        let consumer = consumer().start()
        let recording = Task.detached { for _ in 0..<5_000 { try record("b") } }
        let seqs = try await onThread { () throws -> [UInt64] in
            try (0..<10_001).map { _ in try #require(try consumer.poll()).seq }
        }
        try await recording.value
        #expect(seqs.count { $0 == 0 } == 1)
        #expect(seqs.filter { $0 > 0 } == Array(1...10_000))
        await server.close()
    }

    @Test func `a client that does not read is told what it missed, and disturbs nobody`()
        async throws
    {
        try record("a")
        let (stalled, other) = (consumer(queueCount: 2).start(), consumer().start())
        try await onThread { () throws -> Void in
            // Both have had all there was: the sentinel is behind it.
            for consumer in [stalled, other] { _ = (try consumer.poll(), try consumer.poll()) }
            let count = ControlLimits.maximumEventsBehind + 10_000
            for seq in 2...count {
                try record("b")
                if seq % 1_000 == 0 {
                    while other.cursor ?? 0 < seq { #expect(try other.poll()?.name == "b") }
                }
            }
            var last: UInt64 = 1
            var overrun: JournalConsumerError?
            do {
                while let event = try stalled.poll() {
                    #expect(event.seq == last + 1)
                    last = event.seq
                }
            } catch let error as JournalConsumerError {
                overrun = error
            }
            guard case .overrun(let lastSeq, let missed)? = overrun else {
                Issue.record("no overrun but \(String(describing: overrun))")
                return
            }
            #expect(lastSeq == last)
            #expect(missed > ControlLimits.maximumEventsBehind)
            #expect(lastSeq + missed <= count)
            #expect(try stalled.poll() == nil)
            stalled.start(.continue)
            #expect(try stalled.poll()?.seq == last + 1)
        }
        await server.close()
    }

    @Test(arguments: [
        #"{"command":"events","id":4,"names":["A B"]}"#, #"{"command":"events","id":4,"names":5}"#,
        #"{"command":"events","id":4,"full":"yes"}"#, #"{"command":"events","id":4,"seq":-1}"#,
    ])
    func `a request of another form is refused`(line: String) throws {
        let error = #expect(throws: (any Error).self) {
            try ControlLine.value(ControlRequest.self, of: Array(line.utf8))
        }
        let failure = ControlLine.failure(try #require(error))
        #expect(failure.code == "request")
        #expect(failure.message.contains("\""), "\(failure.message)")
    }

    @Test func `a request is read as it was written`() throws {
        let patterns = ["a*", "worker.gone"].compactMap(EventNamePattern.init)
        for request in [
            JournalRequest(),
            JournalRequest(full: false, seq: 7, since: 1.5, names: patterns, except: patterns),
        ] {
            let line = try ControlLine.bytes(of: ControlRequest(id: 3, command: .events(request)))
            let read = try ControlLine.value(ControlRequest.self, of: line)
            #expect(read == ControlRequest(id: 3, command: .events(request)))
        }
    }

    @Test func `a run that has ended is no error that waits`() async throws {
        await server.close()
        let consumer = consumer().start()
        let error = await #expect(throws: JournalConsumerError.self) {
            try await onThread { try consumer.poll() }
        }
        guard case .unavailable(let reason)? = error else {
            Issue.record("not unavailable")
            return
        }
        #expect(reason.contains(directory.path))
    }

    @Test func `a client that leaves in the middle leaves its place`() async throws {
        for _ in 0..<1_000 { try record("a") }
        for _ in 0..<3 * ControlLimits.maximumClientCount {
            let consumer = consumer().start()
            try await onThread { () throws -> Void in
                while try consumer.poll()?.isEmpty == false {}
                consumer.stop()
                while try consumer.poll() != nil {}
            }
        }
        await server.close()
    }
}
