import NDArrays
import Statistics
import TestSupport
import Testing
import WorkerProtocol
import WorkerRuntime

/// An image of uint16 that goes inline, and its bytes.
func inlineFrame(
    _ id: UInt64, _ pixels: [UInt16] = [1, 2, 3, 4, 5, 6], version: UInt64 = 1
) throws -> (ProcessCommand, [UInt8]) {
    let bytes = pixels.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }
    let layout = try ArrayLayout(.uint16, width: pixels.count / 2, height: 2)
    let frame = FrameDescriptor(
        uniqueId: 1000 + id, payload: .image(layout),
        location: .inline(byteOffset: 0, byteCount: UInt64(bytes.count)))
    return (
        ProcessCommand(key: FrameKey(frameId: id), configurationVersion: version, frame: frame),
        bytes
    )
}

@Suite("The life of a worker", .timeLimit(.minutes(1)))
struct LifeTests {
    @Test
    func `A worker is greeted, describes itself, starts, processes, counts, and stops with 0`()
        throws
    {
        let worker = try InProcessWorker()
        let client = worker.client
        let welcome = try client.greet(
            Hello(capabilities: Capabilities(rawValue: .max), workerId: 3, incarnation: 2))
        #expect(welcome.version == 1)
        #expect(welcome.capabilities == [.sharedPools, .stagedFiles, .references])

        let described = try client.answer(to: try client.send(.describe))
        guard case .description(let processors) = described else {
            Issue.record("no description: \(described)")
            return
        }
        #expect(processors.map(\.name).contains("AddAmount"))
        let amount = processors.first { $0.name == "AddAmount" }?.settings.first
        #expect(amount?.kind == "integer")
        #expect(amount?.defaultValue == "1")

        #expect(try client.start([.init(name: "Untouched")]) == .success)
        for id in UInt64(1)...20 {
            let (command, bytes) = try inlineFrame(id)
            let (result, payload) = try client.result(of: client.process(command, payload: bytes))
            #expect(result.outcome == .processed)
            #expect(result.uniqueId == 1000 + id)
            #expect(result.outputCount == 1)
            #expect(result.bytesIn == 12)
            #expect(result.outputs.isEmpty)
            #expect(payload.isEmpty)
        }
        let snapshot = try client.statistics()
        #expect(snapshot.workerId == 3)
        #expect(snapshot.incarnation == 2)
        #expect(snapshot.processors.first?.counters.processed == 20)
        #expect(try client.command(.resetStats) == .success)
        #expect(try client.statistics().processors.first?.counters.received == 0)
        #expect(try client.command(.ping) == .success)
        #expect(try client.command(.stop) == .success)
        #expect(worker.join() == .stopped)
    }
}
