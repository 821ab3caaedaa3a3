import NDArrays
import TestSupport
import Testing
import WorkerProtocol
import WorkerRuntime

@Suite("Changes of configuration", .timeLimit(.minutes(1)))
struct ConfigureTests {
    /// A worker that adds 1, with the outputs inline.
    private func started() throws -> InProcessWorker {
        let worker = try InProcessWorker()
        _ = try worker.client.greet(Hello(wantsOutputs: true))
        #expect(try worker.client.start([.init(name: "AddAmount")]) == .success)
        return worker
    }

    /// What is added to a pixel under `version`; nil when the frame was returned.
    private func added(_ client: WorkerClient, version: UInt64) throws -> UInt8? {
        let (command, bytes) = try inlineFrame(1, [0, 0], version: version)
        let (result, payload) = try client.result(of: client.process(command, payload: bytes))
        guard case .processed = result.outcome else { return nil }
        return payload.first
    }

    private func prepare(
        _ client: WorkerClient, _ version: UInt64, base: UInt64 = 1, amount: Int64
    ) throws -> Reply {
        try client.configure(
            ConfigureCommand(
                version: version, baseVersion: base, phase: .prepare, processorIndex: 0,
                changes: Structure(["amount": .scalar(.int64(amount))])))
    }

    /// What the worker has said of versions without being asked.
    private func news(of client: WorkerClient) -> [Configured] {
        client.takeUnasked().compactMap { answer in
            guard case .configured(let configured) = answer else { return nil }
            return configured
        }
    }

    @Test func `A version is applied by its first frame, and older frames get the older one`()
        throws
    {
        let worker = try started()
        let client = worker.client
        #expect(try added(client, version: 1) == 1)
        #expect(try prepare(client, 2, amount: 20) == .success)
        #expect(try added(client, version: 1) == 1)
        #expect(try added(client, version: 2) == 20)
        #expect(try added(client, version: 1) == 1)
        #expect(try added(client, version: 2) == 20)
        #expect(news(of: client) == [Configured(version: 2, failure: nil)])
        client.hangUp()
        _ = worker.join()
    }

    @Test func `What validate refuses changes nothing`() throws {
        let worker = try started()
        let client = worker.client
        for amount in [Int64(2000), 70_000] {
            guard case .failure(let failure) = try prepare(client, 2, amount: amount) else {
                Issue.record("\(amount) was taken")
                continue
            }
            #expect(failure.code == .configuration)
        }
        #expect(try added(client, version: 2) == nil)
        #expect(try added(client, version: 1) == 1)
        client.hangUp()
        _ = worker.join()
    }

    @Test func `A throw while applying is told once, frames go back, the old one holds`() throws {
        let worker = try started()
        let client = worker.client
        #expect(try prepare(client, 2, amount: 500) == .success)
        #expect(try added(client, version: 2) == nil)
        #expect(try added(client, version: 2) == nil)
        #expect(try added(client, version: 1) == 1)
        let failures = client.takeUnasked().compactMap { answer -> CommandFailure? in
            guard case .configured(let configured) = answer else { return nil }
            #expect(configured.version == 2)
            return configured.failure
        }
        #expect(failures.count == 1)
        #expect(try prepare(client, 3, amount: 30) == .success)
        #expect(try added(client, version: 3) == 30)
        client.hangUp()
        _ = worker.join()
    }

    @Test func `An abandoned version is forgotten and may be prepared anew`() throws {
        let worker = try started()
        let client = worker.client
        #expect(try prepare(client, 2, amount: 20) == .success)
        #expect(try prepare(client, 2, amount: 21) != .success)
        let abandon = ConfigureCommand(
            version: 2, baseVersion: 1, phase: .abandon, processorIndex: 0)
        #expect(try client.configure(abandon) == .success)
        #expect(try added(client, version: 2) == nil)
        #expect(try prepare(client, 2, amount: 22) == .success)
        #expect(try added(client, version: 2) == 22)
        #expect(try prepare(client, 4, base: 99, amount: 1) != .success)
        client.hangUp()
        _ = worker.join()
    }

    private func step(
        _ client: WorkerClient, _ phase: ConfigureCommand.Phase, _ version: UInt64
    ) throws -> Reply {
        try client.configure(
            ConfigureCommand(version: version, baseVersion: 1, phase: phase, processorIndex: 0))
    }

    @Test func `A version is applied on request, and answered when the processors have it`()
        throws
    {
        let worker = try started()
        let client = worker.client
        #expect(try prepare(client, 2, amount: 20) == .success)
        #expect(try step(client, .apply, 2) == .success)
        #expect(try step(client, .apply, 2) == .success)
        #expect(try added(client, version: 2) == 20)
        #expect(try added(client, version: 1) == 1)
        #expect(try step(client, .apply, 2) == .success)
        #expect(try step(client, .apply, 1) == .success)
        #expect(try step(client, .apply, 9) != .success)
        // The answers said it all.
        #expect(news(of: client).isEmpty)
        client.hangUp()
        _ = worker.join()
    }

    @Test func `A throw on request is the answer, and again when it is asked again`() throws {
        let worker = try started()
        let client = worker.client
        #expect(try prepare(client, 2, amount: 500) == .success)
        let first = try step(client, .apply, 2)
        guard case .failure(let failure) = first else {
            Issue.record("500 was applied")
            return
        }
        #expect(failure.code == .hook)
        #expect(failure.reason.contains("version 2"))
        #expect(try step(client, .apply, 2) == first)
        #expect(try added(client, version: 2) == nil)
        #expect(try step(client, .apply, 1) == .success)
        #expect(try step(client, .abandon, 2) == .success)
        #expect(try prepare(client, 2, amount: 30) == .success)
        #expect(try step(client, .apply, 2) == .success)
        #expect(try added(client, version: 2) == 30)
        #expect(news(of: client).isEmpty)
        client.hangUp()
        _ = worker.join()
    }

    @Test func `What was applied by its first frame is found done`() throws {
        let worker = try started()
        let client = worker.client
        #expect(try prepare(client, 2, amount: 20) == .success)
        #expect(try added(client, version: 2) == 20)
        #expect(try step(client, .apply, 2) == .success)
        #expect(try prepare(client, 3, base: 2, amount: 500) == .success)
        #expect(try added(client, version: 3) == nil)
        #expect(try step(client, .apply, 3) != .success)
        #expect(try added(client, version: 2) == 20)
        client.hangUp()
        _ = worker.join()
    }

    @Test func `A worker whose processor takes neither configuration answers, and leaves`() throws {
        let worker = try InProcessWorker()
        let client = worker.client
        _ = try client.greet(Hello(wantsOutputs: true))
        #expect(try client.start([.init(name: "AddAmount"), .init(name: "Brittle")]) == .success)
        let command = ConfigureCommand(
            version: 2, baseVersion: 1, phase: .prepare, processorIndex: 1,
            changes: Structure(["amount": .scalar(.int64(2))]))
        #expect(try client.configure(command) == .success)
        #expect(try step(client, .apply, 2) != .success)
        #expect(worker.join() == .brokenConfiguration)
    }
}
