import FrameReaders
import Glibc
import NDArrays
import Statistics
import TestSupport
import Testing
import WorkerProtocol
import WorkerRuntime

@Suite("References and limits", .timeLimit(.minutes(1)))
struct ReferenceTests {
    /// A NumPy file of two frames of 8 × 4 uint16: all 1 and all 2.
    private func makeFile(in folder: TemporaryFolder) throws -> String {
        let path = folder.file("two.npy")
        let layout = try ArrayLayout(.uint16, width: 8, height: 4)
        try withDescriptor(path) { descriptor in
            var writer = try NumPyWriter(descriptor: descriptor, path: path, layout: layout)
            for value in [UInt16(1), 2] {
                try [UInt16](repeating: value, count: 32).withUnsafeBytes { try writer.append($0) }
            }
            try writer.finish()
        }
        return path
    }

    private func reference(_ path: String, _ index: UInt64, leases: [UInt32]) -> ProcessCommand {
        var attributes = NDAttributes()
        attributes.set("from", .string("source"))
        return ProcessCommand(
            key: FrameKey(frameId: 1), configurationVersion: 1, leasedSlots: leases,
            frame: FrameDescriptor(
                uniqueId: 77, payload: .image(nil),
                location: .reference(format: "npy", path: path, index: index),
                attributes: attributes))
    }

    @Test func `A referenced frame is read into the leased slot and is an output there`() throws {
        let folder = try TemporaryFolder()
        let path = try makeFile(in: folder)
        let pools = try Pools()
        let worker = try InProcessWorker()
        let client = worker.client
        _ = try client.greet(pools.hello())
        #expect(try client.start([.init(name: "Untouched")]) == .success)
        let command = reference(path, 1, leases: [2])
        let (result, payload) = try client.result(of: client.process(command))
        #expect(result.outcome == .processed)
        #expect(result.uniqueId == 77)
        #expect(result.bytesIn == 64)
        #expect(payload.isEmpty)
        let output = try #require(result.outputs.first)
        #expect(output.location == .slot(pool: 7, slot: 2, byteCount: 64))
        #expect(output.payload == .image(try ArrayLayout(.uint16, width: 8, height: 4)))
        #expect(output.attributes["from"]?.value == .string("source"))
        #expect(pools.output.base.load(fromByteOffset: 2 * 4096, as: UInt16.self) == 2)

        let (inline, pixels) = try client.result(of: client.process(reference(path, 0, leases: [])))
        #expect(
            inline.outputs.map(\.location) == [.inline(byteOffset: 0, byteCount: 64)])
        #expect(pixels.prefix(4) == [1, 0, 1, 0])
        let (missing, _) = try client.result(of: client.process(reference(path, 2, leases: [1])))
        guard case .failed(_, let reason) = missing.outcome else {
            Issue.record("\(missing.outcome)")
            return
        }
        #expect(reason.contains("two.npy"))
        client.hangUp()
        #expect(worker.join() == .orphaned)
    }

    @Test func `What the protocol can't carry fails the frame and not the worker`() throws {
        let worker = try InProcessWorker()
        let client = worker.client
        _ = try client.greet(Hello(wantsOutputs: true))
        #expect(try client.start([.init(name: "LongAttribute")]) == .success)
        var outcomes: [Bool] = []
        for id in [UInt64(100), 262_144, 262_145, 100] {
            let (command, bytes) = try inlineFrame(id)
            let (result, _) = try client.result(of: client.process(command, payload: bytes))
            outcomes.append(result.outcome == .processed)
        }
        #expect(outcomes == [true, true, false, true])
        let own = try client.statistics().processors[0].userStatistics
        #expect(own.map(\.declaration.key) == ["good"])
        client.hangUp()
        #expect(worker.join() == .orphaned)
    }
}
