import ControllerRuntime
import Journal
import Synchronization
import TestSupport
import Testing

/// Says which workers of a run were lost, until it ends.
func watchWorkers(of run: String, say: (String) -> Void) async throws {
    let consumer = WorkerJournalConsumer(
        transport: JournalFileTransport(runDirectory: run), includeSentinel: true)
    for try await event in consumer.start().events {
        if event.isEmpty {
            say("all that was is told; from here on it is what happens")
        } else if let worker = event.worker, let cause = event.cause {
            say("worker \(worker) is gone: \(cause)")
        }
    }
}

struct WatchingSampleTests {
    @Test(.timeLimit(.minutes(1)))
    func `the program of the guide tells what became of workers`() async throws {
        let folder = try TemporaryFolder()
        let journal = try JournalWriter(path: folder.file("journal.jsonl"))
        try journal.record("worker-gone", ["worker": 1, "cause": "it crashed"])
        try journal.record("worker-gone", ["worker": 0, "cause": nil])
        try journal.close()
        let said = Mutex<[String]>([])
        try await watchWorkers(of: folder.path) { line in said.withLock { $0.append(line) } }
        #expect(
            said.withLock { $0 } == [
                "worker 1 is gone: it crashed",
                "all that was is told; from here on it is what happens",
            ])
    }
}
