import NDArrays
import TestSupport
import Testing
import WorkerProtocol

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
        let news = client.takeUnasked().compactMap { answer -> Configured? in
            guard case .configured(let configured) = answer else { return nil }
            return configured
        }
        #expect(news == [Configured(version: 2, failure: nil)])
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
}
