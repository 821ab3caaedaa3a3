import Glibc
import NDArrays
import Pipes
import Statistics
import TestSupport
import Testing
import WorkerProtocol

private let script = Checkout.fixtures + "/python_worker.py"
private let hasPython = access("/usr/bin/env", X_OK) == 0 && system("python3 -c 0") == 0

@Suite(
    "A worker in plain Python, written from the page",
    .enabled(if: hasPython, "python3 is not installed"), .timeLimit(.minutes(2)))
struct PythonWorkerTests {
    private static let pixels: [UInt16] = [0, 1, 1000, 30_000, 40_000, 65_535]

    private func bytes(_ pixels: [UInt16]) -> [UInt8] {
        pixels.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }
    }

    private func process(
        _ frameId: UInt64 = 0, version: UInt64 = 1, leases: [UInt32] = [],
        location: FrameLocation = .inline(byteOffset: 0, byteCount: 12)
    ) throws -> AnyMessage {
        let layout = try ArrayLayout(.uint16, width: 3, height: 2)
        return .process(
            ProcessCommand(
                key: FrameKey(frameId: frameId), configurationVersion: version,
                leasedSlots: leases,
                frame: FrameDescriptor(
                    uniqueId: 7, timeStamp: TimeStamp(secondsPastEpoch: 5, nanoseconds: 6),
                    payload: .image(layout), location: location,
                    attributes: NDAttributes([NDAttribute("ring", .float64(5.5))]),
                    sourceName: "sim")))
    }

    private func start(gain: String = "2", name: String = "PyScale") -> AnyMessage {
        .start(
            StartCommand(
                configurationVersion: 1,
                processors: [
                    ProcessorSpecification(
                        name: name, settings: Structure(["gain": .scalar(.string(gain))]))
                ]))
    }

    private func hello(_ capabilities: Capabilities = [], pools: [PoolDescription] = [])
        -> AnyMessage
    {
        .hello(
            Hello(
                capabilities: capabilities, controllerProcessId: UInt32(getpid()), runId: "run",
                wantsOutputs: true,
                statusDescriptor: capabilities.contains(.statusPage) ? 5 : Hello.noDescriptor,
                pools: pools))
    }

    private func result(_ answer: AnyMessage) throws -> FrameResult {
        guard case .result(let result) = answer else {
            Issue.record("not a result: \(answer)")
            throw CommandFailure(.unsupported, "not a result")
        }
        return result
    }

    @Test("It greets, describes itself, scales inline frames, and stops")
    func inline() throws {
        let session = try WorkerSession(executable: script)
        guard case .welcome(let welcome) = try session.ask(hello()).0 else {
            Issue.record("no welcome")
            return
        }
        #expect(welcome.version == 2)
        #expect(welcome.capabilities == [])
        guard case .description(let processors) = try session.ask(.describe).0 else {
            Issue.record("no description")
            return
        }
        #expect(processors.map(\.name) == ["PyScale"])
        #expect(processors.first?.settings.map(\.key) == ["gain"])
        #expect(try session.ask(start()).0 == .reply(.success))
        #expect(try session.ask(.ping).0 == .reply(.success))
        let (answer, payload) = try session.ask(try process(), payload: bytes(Self.pixels))
        let result = try result(answer)
        #expect(result.outcome == .processed)
        #expect(result.uniqueId == 7)
        #expect(result.bytesIn == 12)
        #expect(payload == bytes([0, 2, 2000, 60_000, 65_535, 65_535]))
        guard case .process(let sent) = try process() else { return }
        #expect(result.outputs == [sent.frame])
        #expect(try session.ask(.stop).0 == .reply(.success))
        #expect(try session.wait() == .exited(code: 0))
    }

    @Test(
        "It reads a read-only slot, writes a leased one, and says on the status page what it does")
    func slots() throws {
        let input = try SharedRegion(name: "input", byteCount: 8192)
        let output = try SharedRegion(name: "output", byteCount: 8192)
        let status = try SharedRegion(name: "status", byteCount: StatusPage.byteCount)
        let session = try WorkerSession(
            executable: script,
            descriptors: [
                3: input.readOnlyDescriptor, 4: output.descriptor, 5: status.descriptor,
            ])
        let pools = [
            PoolDescription(
                poolId: 0, descriptor: 3, isWritable: false, slotByteCount: 4096, slotCount: 2),
            PoolDescription(
                poolId: 9, descriptor: 4, isWritable: true, slotByteCount: 4096, slotCount: 2),
        ]
        guard
            case .welcome(let welcome) = try session.ask(
                hello([.sharedPools, .references, .statusPage], pools: pools)
            ).0
        else {
            Issue.record("no welcome")
            return
        }
        #expect(welcome.capabilities == [.sharedPools, .statusPage])
        #expect(try session.ask(start(gain: "1.5")).0 == .reply(.success))
        let pixels = bytes(Self.pixels)
        pixels.withUnsafeBytes {
            (input.base + 4096).copyMemory(from: $0.baseAddress!, byteCount: 12)
        }
        let (answer, payload) = try session.ask(
            try process(leases: [1], location: .slot(pool: 0, slot: 1, byteCount: 12)))
        let result = try result(answer)
        #expect(result.outputs.map(\.location) == [.slot(pool: 9, slot: 1, byteCount: 12)])
        #expect(payload.isEmpty)
        let written = UnsafeRawBufferPointer(start: output.base + 4096, count: 12)
        #expect(Array(written) == bytes([0, 2, 1500, 45_000, 60_000, 65_535]))
        let words = (0..<4).map { status.base.load(fromByteOffset: 8 * $0, as: UInt64.self) }
        #expect(words[0] == 0)
        #expect(words[1] > 0)
        #expect(words[2] == 1)
        #expect(words[3] == 1)
        #expect(try session.ask(.stop).0 == .reply(.success))
        #expect(try session.wait() == .exited(code: 0))
    }

    @Test("A change is prepared, applied by its first frame and told; older versions stay known")
    func configure() throws {
        func change(_ version: UInt64, of base: UInt64, gain: String, _ key: String = "gain")
            -> AnyMessage
        {
            .configure(
                ConfigureCommand(
                    version: version, baseVersion: base, phase: .prepare, processorIndex: 0,
                    changes: Structure([key: .scalar(.string(gain))])))
        }
        func isRefused(_ answer: AnyMessage) -> Bool {
            if case .reply(.failure(let failure)) = answer { return failure.code == .configuration }
            return false
        }
        let session = try WorkerSession(executable: script)
        _ = try session.ask(hello())
        _ = try session.ask(start(gain: "1"))
        #expect(try session.ask(change(2, of: 1, gain: "3")).0 == .reply(.success))
        #expect(isRefused(try session.ask(change(2, of: 1, gain: "3")).0))
        #expect(isRefused(try session.ask(change(3, of: 9, gain: "3")).0))
        #expect(isRefused(try session.ask(change(3, of: 1, gain: "-3")).0))
        #expect(isRefused(try session.ask(change(3, of: 1, gain: "3", "offset")).0))

        let id = try session.send(try process(version: 2), payload: bytes(Self.pixels))
        var seen: [AnyMessage] = []
        while let (message, requestId, payload) = try session.receive() {
            if requestId == id {
                #expect(payload == bytes([0, 3, 3000, 65_535, 65_535, 65_535]))
                break
            }
            seen.append(message)
        }
        #expect(
            seen == [
                .configured(Configured(version: 2, failure: nil)),
                .started(Started(requestId: id)),
            ])
        func apply(_ version: UInt64) throws -> AnyMessage {
            try session.ask(
                .configure(
                    ConfigureCommand(
                        version: version, baseVersion: 1, phase: .apply, processorIndex: 0))
            ).0
        }
        #expect(try apply(1) == .reply(.success))
        #expect(isRefused(try apply(9)))
        let older = try session.ask(try process(1, version: 1), payload: bytes(Self.pixels))
        #expect(older.payload == bytes(Self.pixels))
        let unknown = try result(try session.ask(try process(2, version: 8), payload: []).0)
        guard case .returned = unknown.outcome else {
            Issue.record("an unknown version was not returned: \(unknown)")
            return
        }
    }

    @Test("Statistics count, survive a failed frame, and go back to zero")
    func statistics() throws {
        let session = try WorkerSession(executable: script)
        _ = try session.ask(hello())
        _ = try session.ask(start())
        for frameId in 0..<3 {
            _ = try session.ask(try process(UInt64(frameId)), payload: bytes(Self.pixels))
        }
        let reference = try process(
            3, location: .reference(format: "tiff", path: "a.tif", index: 0))
        guard case .failed = try result(try session.ask(reference).0).outcome else {
            Issue.record("a file was read")
            return
        }
        for (isReset, received, processed) in [(false, 4, 3), (true, 0, 0)]
            as [(Bool, UInt64, UInt64)]
        {
            if isReset { #expect(try session.ask(.resetStats).0 == .reply(.success)) }
            guard case .statistics(let snapshot) = try session.ask(.getStats).0,
                let processor = snapshot.processors.first
            else {
                Issue.record("no statistics")
                return
            }
            #expect(processor.processorName == "PyScale")
            #expect(processor.counters.received == received)
            #expect(processor.counters.processed == processed)
            #expect(processor.counters.failed == received - processed)
            #expect(processor.counters.lastFrameId == (isReset ? nil : 3))
            #expect(processor.userValue("currentGain") == .real(2))
            #expect(snapshot.timestampNanoseconds > snapshot.resetNanoseconds)
        }
    }

    @Test("It refuses what it cannot do with the right code, and goes on")
    func refusals() throws {
        let session = try WorkerSession(executable: script)
        _ = try session.ask(hello())
        for (message, code) in [
            (start(name: "Other"), .unknownProcessor), (start(gain: "many"), .configuration),
        ] as [(AnyMessage, CommandFailure.Code)] {
            guard case .reply(.failure(let failure)) = try session.ask(message).0 else {
                Issue.record("\(message) was carried out")
                return
            }
            #expect(failure.code == code)
            #expect(!failure.reason.isEmpty)
        }
        #expect(try session.ask(start()).0 == .reply(.success))
    }

    @Test("It leaves when its input ends, and when the bytes are damaged")
    func ends() throws {
        let session = try WorkerSession(executable: script)
        _ = try session.ask(hello())
        session.closeInput()
        #expect(try session.receive() == nil)
        _ = try session.wait()

        let damaged = try WorkerSession(executable: script)
        _ = try damaged.ask(hello())
        var bytes = try start().encoded(requestId: 9)
        bytes[40] ^= 1
        try damaged.sendBytes(bytes)
        #expect(try damaged.receive() == nil)
        let status = try damaged.wait()
        #expect(!status.isSuccess)
    }
}
