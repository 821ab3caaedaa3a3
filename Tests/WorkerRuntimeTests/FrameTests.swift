import Glibc
import NDArrays
import Statistics
import TestSupport
import Testing
import WorkerProtocol
import WorkerRuntime

/// Two pools as a controller makes them: 4 input slots and 4 output slots of one page.
final class Pools {
    let input: SharedRegion
    let output: SharedRegion
    let status: SharedRegion

    init() throws {
        input = try SharedRegion(name: "input", byteCount: 4 * 4096)
        output = try SharedRegion(name: "output", byteCount: 4 * 4096)
        status = try SharedRegion(name: "status", byteCount: 4096)
    }

    /// A greeting that names them by numbers of this process.
    func hello(wantsOutputs: Bool = true, hasStatus: Bool = true) -> Hello {
        Hello(
            capabilities: Capabilities(rawValue: 15), runId: "run", stageName: "stage",
            wantsOutputs: wantsOutputs,
            statusDescriptor: hasStatus ? UInt32(status.descriptor) : Hello.noDescriptor,
            pools: [
                PoolDescription(
                    poolId: 0, descriptor: UInt32(input.readOnlyDescriptor), isWritable: false,
                    slotByteCount: 4096, slotCount: 4),
                PoolDescription(
                    poolId: 7, descriptor: UInt32(output.descriptor), isWritable: true,
                    slotByteCount: 4096, slotCount: 4),
            ])
    }

    /// A word of the status page.
    func statusWord(_ byteOffset: Int) -> UInt64 {
        status.base.load(fromByteOffset: byteOffset, as: UInt64.self)
    }
}

/// A uint16 image of 8 × 4 pixels in an input slot.
func slotFrame(
    _ id: UInt64, slot: UInt32 = 0, leases: [UInt32] = [], pool: UInt16 = 0,
    byteCount: UInt64 = 64
) throws -> ProcessCommand {
    let layout = try ArrayLayout(.uint16, width: 8, height: 4)
    return ProcessCommand(
        key: FrameKey(frameId: id), configurationVersion: 1, leasedSlots: leases,
        frame: FrameDescriptor(
            uniqueId: id, payload: .image(layout),
            location: .slot(pool: pool, slot: slot, byteCount: byteCount)))
}

@Suite("Frames in a worker", .timeLimit(.minutes(1)))
struct FrameTests {
    @Test func `An unchanged frame of a slot comes back as the same as the input`() throws {
        let pools = try Pools()
        let worker = try InProcessWorker()
        let client = worker.client
        let welcome = try client.greet(pools.hello())
        #expect(welcome.capabilities == Capabilities(rawValue: 15))
        #expect(try client.start([.init(name: "Untouched")]) == .success)
        let (result, _) = try client.result(of: client.process(slotFrame(5, slot: 2, leases: [1])))
        #expect(result.outcome == .processed)
        #expect(result.outputs.map(\.location) == [.sameAsInput])
        #expect(result.outputs.first?.uniqueId == 5)
        #expect(pools.statusWord(StatusPage.requestIdOffset) == 0)
        #expect(pools.statusWord(StatusPage.begunOffset) == 1)
        #expect(pools.statusWord(StatusPage.finishedOffset) == 1)
        #expect(pools.statusWord(StatusPage.startedOffset) > 0)
        #expect(try client.command(.stop) == .success)
        #expect(worker.join() == .stopped)
    }

    @Test func `A changed frame lies in the leased slot and the input is as it was`() throws {
        let pools = try Pools()
        let worker = try InProcessWorker()
        let client = worker.client
        for index in 0..<32 {
            pools.input.base.storeBytes(
                of: UInt16(index), toByteOffset: 4096 + 2 * index, as: UInt16.self)
        }
        _ = try client.greet(pools.hello())
        let settings = Structure(["amount": .scalar(.string("5"))])
        #expect(try client.start([.init(name: "AddAmount", settings: settings)]) == .success)
        let (result, _) = try client.result(of: client.process(slotFrame(1, slot: 1, leases: [3])))
        #expect(result.outputs.map(\.location) == [.slot(pool: 7, slot: 3, byteCount: 64)])
        for index in 0..<32 {
            let old = pools.input.base.load(fromByteOffset: 4096 + 2 * index, as: UInt16.self)
            let new = pools.output.base.load(
                fromByteOffset: 3 * 4096 + 2 * index, as: UInt16.self)
            #expect(old == UInt16(index))
            #expect(new == UInt16(index + 5))
        }
        client.hangUp()
        #expect(worker.join() == .orphaned)
    }

    @Test func `Without a lease the changed pixels come inline`() throws {
        let pools = try Pools()
        let worker = try InProcessWorker()
        let client = worker.client
        _ = try client.greet(pools.hello())
        #expect(try client.start([.init(name: "AddAmount")]) == .success)
        let (result, payload) = try client.result(of: client.process(slotFrame(1)))
        #expect(result.outputs.map(\.location) == [.inline(byteOffset: 0, byteCount: 64)])
        #expect(payload == (0..<64).map { $0 % 2 == 0 ? 1 : 0 })
        client.hangUp()
        #expect(worker.join() == .orphaned)
    }

    @Test func `Several outputs use leases in order, then come inline; a structure has no bytes`()
        throws
    {
        let pools = try Pools()
        let worker = try InProcessWorker()
        let client = worker.client
        _ = try client.greet(pools.hello())
        #expect(try client.start([.init(name: "ThreeOutputs")]) == .success)
        let (result, payload) = try client.result(of: client.process(slotFrame(1, leases: [2])))
        #expect(result.outputCount == 3)
        #expect(
            result.outputs.map(\.location) == [
                .slot(pool: 7, slot: 2, byteCount: 8), .inline(byteOffset: 0, byteCount: 8),
                .inline(byteOffset: 8, byteCount: 0),
            ])
        #expect(payload == Array(repeating: 9, count: 8))
        #expect(pools.output.base.load(fromByteOffset: 2 * 4096, as: UInt8.self) == 7)
        guard case .structure(let structure, _) = result.outputs.last?.payload else {
            Issue.record("no structure")
            return
        }
        #expect(structure["answer"] == .scalar(.int32(42)))
        client.hangUp()
        #expect(worker.join() == .orphaned)
    }

    @Test func `Filtered and failed frames say so, and a throw does not stop the next frame`()
        throws
    {
        let worker = try InProcessWorker()
        let client = worker.client
        _ = try client.greet()
        #expect(try client.start([.init(name: "Untouched"), .init(name: "EvenOnly")]) == .success)
        var outcomes: [FrameOutcome] = []
        for id in UInt64(12)...15 {
            let (command, bytes) = try inlineFrame(id)
            outcomes.append(
                try client.result(of: client.process(command, payload: bytes)).0.outcome)
        }
        #expect(
            outcomes == [
                .processed,
                .failed(processorIndex: 1, reason: "EvenOnly: thirteen is unlucky"),
                .processed, .filtered,
            ])
        let counters = try client.statistics().processors.map(\.counters)
        #expect(counters.map(\.received) == [4, 4])
        #expect(counters.map(\.failed) == [0, 1])
        #expect(counters.map(\.filtered) == [0, 1])
        client.hangUp()
        #expect(worker.join() == .orphaned)
    }

    @Test func `Wrong places fail the frame with a reason`() throws {
        let pools = try Pools()
        let worker = try InProcessWorker()
        let client = worker.client
        _ = try client.greet(pools.hello())
        #expect(try client.start([.init(name: "Untouched")]) == .success)
        var outside = try slotFrame(4)
        outside.frame.location = .inline(byteOffset: 1 << 20, byteCount: 64)
        var nowhere = try slotFrame(6)
        nowhere.frame.location = .reference(format: "tiff", path: "/nowhere.tif", index: 0)
        var unknown = try slotFrame(7)
        unknown.frame.location = .reference(format: "jpeg", path: "/x.jpg", index: 0)
        var large = try slotFrame(3)
        large.frame.payload = .bytes(typeName: "any")
        large.frame.location = .slot(pool: 0, slot: 0, byteCount: 4097)
        let wrong = [
            try slotFrame(1, pool: 99), try slotFrame(2, slot: 4), large, outside, nowhere,
            unknown,
        ]
        for command in wrong {
            let (result, _) = try client.result(of: client.process(command))
            guard case .failed(_, let reason) = result.outcome else {
                Issue.record("\(command.frame.location) gave \(result.outcome)")
                continue
            }
            #expect(!reason.isEmpty)
        }
        let (result, _) = try client.result(of: client.process(slotFrame(9)))
        #expect(result.outcome == .processed)
        client.hangUp()
        #expect(worker.join() == .orphaned)
    }

    @Test func `A batch is answered in order, each request once`() throws {
        let worker = try InProcessWorker()
        let client = worker.client
        _ = try client.greet()
        #expect(try client.start([.init(name: "Untouched")]) == .success)
        var ids: [UInt64] = []
        for id in UInt64(0)..<500 {
            let (command, bytes) = try inlineFrame(id, Array(repeating: 3, count: 200))
            ids.append(try client.collect(.process, payload: bytes) { command.write(to: &$0) })
            if id % 8 == 7 { try client.flush() }
        }
        try client.flush()
        var answered: [UInt64] = []
        while answered.count < ids.count {
            let (id, answer) = try client.receive()
            if case .result = answer { answered.append(id) }
        }
        #expect(answered == ids)
        client.hangUp()
        #expect(worker.join() == .orphaned)
    }

    @Test func `Staged files come with the result, and those of a failed frame are removed`() throws
    {
        let folder = try TemporaryFolder()
        for isFailing in [false, true] {
            let worker = try InProcessWorker()
            let client = worker.client
            _ = try client.greet(Hello(runId: "r/1", stageName: "save"))
            let settings = Structure([
                "directory": .scalar(.string(folder.path)),
                "isFailing": .scalar(.boolean(isFailing)),
            ])
            #expect(try client.start([.init(name: "OneFile", settings: settings)]) == .success)
            let (command, bytes) = try inlineFrame(8)
            let (result, _) = try client.result(of: client.process(command, payload: bytes))
            if isFailing {
                #expect(result.files.isEmpty)
                #expect(try folder.files().isEmpty)
            } else {
                let file = try #require(result.files.first)
                #expect(file.finalPath.hasSuffix("/8.txt"))
                #expect(access(file.stagedPath, F_OK) == 0)
                #expect(access(file.finalPath, F_OK) != 0)
                unlink(file.stagedPath)
            }
            client.hangUp()
            #expect(worker.join() == .orphaned)
        }
    }

    @Test(arguments: [1, 2] as [UInt16])
    func `A folder is told before its first file, once in a life, to who knows that message`(
        version: UInt16
    ) throws {
        let folder = try TemporaryFolder()
        let worker = try InProcessWorker()
        let client = worker.client
        _ = try client.greet(
            Hello(
                versions: 1...version, capabilities: .stagedFiles, runId: "r", stageName: "save"))
        let settings = Structure(["directory": .scalar(.string(folder.path))])
        #expect(try client.start([.init(name: "OneFile", settings: settings)]) == .success)
        var told: [String] = []
        for id in [8, 9] as [UInt64] {
            let (command, bytes) = try inlineFrame(id)
            let (result, _) = try client.result(of: client.process(command, payload: bytes))
            let directory = folder.path + "/"
            #expect(result.files.map { $0.stagedPath.hasPrefix(directory) } == [true])
            for case .staging(let staging) in client.takeUnasked() { told.append(staging.folder) }
            #expect(told.count == Int(version) - 1)
        }
        let real = try #require(realpath(folder.path, nil))
        defer { free(real) }
        #expect(told == (version == 1 ? [] : [String(cString: real)]))
        client.hangUp()
        #expect(worker.join() == .orphaned)
    }
}

/// Something that a test needs.
struct Missing: Error {
    var what: String
}
