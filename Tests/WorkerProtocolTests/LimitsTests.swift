import NDArrays
import Testing
import Wire
import WorkerProtocol

@Suite("Limits of messages")
struct LimitsTests {
    private func frame(
        location: FrameLocation = .slot(pool: 0, slot: 0, byteCount: 8),
        payload: PayloadDescriptor? = nil, timeStamp: TimeStamp = TimeStamp(),
        attributes: NDAttributes = NDAttributes(), sourceName: String = ""
    ) throws -> AnyMessage {
        let layout = try ArrayLayout(.uint8, width: 4, height: 2)
        return .process(
            ProcessCommand(
                key: FrameKey(frameId: 1), configurationVersion: 1,
                frame: FrameDescriptor(
                    uniqueId: 1, timeStamp: timeStamp, payload: payload ?? .image(layout),
                    location: location, attributes: attributes, sourceName: sourceName)))
    }

    /// The body of `message` with `bytes` put in at `place`.
    private func body(_ message: AnyMessage, _ bytes: [UInt8], at place: Int) throws -> [UInt8] {
        var body = try message.body()
        body.replaceSubrange(place..<place + bytes.count, with: bytes)
        return body
    }

    private func isRefused(_ type: MessageType, _ body: [UInt8]) -> Bool {
        if case .failure = AnyMessage.decode(type, body) { return true }
        return false
    }

    @Test("A count that cannot be there is refused before anything of its size is reserved")
    func hostileCounts() throws {
        let huge: [UInt8] = [0xFF, 0xFF, 0xFF, 0x7F]
        let all: [UInt8] = [0xFF, 0xFF, 0xFF, 0xFF]
        for count in [huge, all, [0, 4, 0, 0]] {
            #expect(isRefused(.process, try body(frame(), count, at: 28)), "leases")
            #expect(isRefused(.process, try body(frame(), count, at: 52)), "source name")
            let attributes = try frame().body().count - 4
            #expect(isRefused(.process, try body(frame(), count, at: attributes)), "attributes")
            #expect(isRefused(.description, count), "processors")
            let start = AnyMessage.start(StartCommand(configurationVersion: 1, processors: []))
            #expect(isRefused(.start, try body(start, count, at: 8)), "chain")
            let result = AnyMessage.result(FrameResult(outcome: .processed, uniqueId: 1))
            for place in [33, 37, 41] where place > 33 || count != [0, 4, 0, 0] {
                #expect(isRefused(.result, try body(result, count, at: place)), "\(place)")
            }
        }
    }

    @Test("4096 attributes are read in linear time, and a name that comes twice is refused")
    func attributes() throws {
        let names = (0..<ProtocolLimits.maximumAttributeCount).map { "attribute \($0)" }
        let attributes = NDAttributes(names.map { NDAttribute($0, .uint8(1)) })
        #expect(attributes.count == names.count)
        let message = try frame(attributes: attributes)
        #expect(AnyMessage.decode(.process, try message.body()) == .success(message))
        let one = try frame(
            attributes: NDAttributes([NDAttribute("a", nil), NDAttribute("b", nil)]))
        var twice = try one.body()
        let place = try #require(twice.lastIndex(of: UInt8(ascii: "b")))
        twice[place] = UInt8(ascii: "a")
        #expect(isRefused(.process, twice))
        var tooMany = attributes
        tooMany.set("one more", .uint8(1))
        #expect(throws: WireError.self) { try frame(attributes: tooMany).body() }
    }

    @Test("Nesting up to the limit comes through, deeper is refused by writer and reader")
    func depth() throws {
        func start(_ levels: Int) -> AnyMessage {
            var value = StructureValue.scalar(.boolean(true))
            for _ in 1..<levels { value = .list([value]) }
            let processor = ProcessorSpecification(name: "P", settings: Structure(["x": value]))
            return .start(StartCommand(configurationVersion: 1, processors: [processor]))
        }
        let deepest = start(ProtocolLimits.maximumDepth)
        let body = try deepest.body()
        #expect(AnyMessage.decode(.start, body) == .success(deepest))
        #expect(throws: WireError.self) { try start(ProtocolLimits.maximumDepth + 1).body() }
        #expect(throws: WireError.self) { try start(5000).body() }
        // One list of one element more around the innermost value.
        let hostile = Array(body.dropLast(2)) + [12, 1, 0, 0, 0] + body.suffix(2)
        #expect(isRefused(.start, hostile))
        let deep =
            Array(body.dropLast(2)) + (0..<100_000).flatMap { _ in [12, 1, 0, 0, 0] as [UInt8] }
        #expect(isRefused(.start, deep))
    }

    @Test("Texts over their limit are refused by the writer, reasons are cut")
    func texts() throws {
        let name = String(repeating: "n", count: ProtocolLimits.maximumNameByteCount)
        #expect(throws: Never.self) { try frame(payload: .bytes(typeName: name)).body() }
        #expect(throws: WireError.self) { try frame(payload: .bytes(typeName: name + "n")).body() }
        let text = String(repeating: "t", count: ProtocolLimits.maximumTextByteCount)
        #expect(throws: Never.self) { try frame(sourceName: text).body() }
        #expect(throws: WireError.self) { try frame(sourceName: text + "t").body() }

        let reason = String(repeating: "€", count: ProtocolLimits.maximumReasonByteCount)
        let failure = AnyMessage.reply(.failure(CommandFailure(.hook, reason)))
        guard
            case .success(.reply(.failure(let cut))) = AnyMessage.decode(.reply, try failure.body())
        else {
            Issue.record("the reply is not read")
            return
        }
        #expect(cut.reason.utf8.count <= ProtocolLimits.maximumReasonByteCount)
        #expect(cut.reason.utf8.count >= ProtocolLimits.maximumReasonByteCount - 4)
        #expect(cut.reason.hasPrefix("€€€"))
    }

    @Test("Time stamps with which nanoseconds would overflow are refused by both sides")
    func timeStamps() throws {
        let limit = ProtocolLimits.maximumSeconds
        for seconds in [-limit, 0, limit] {
            let message = try frame(timeStamp: TimeStamp(secondsPastEpoch: seconds))
            #expect(AnyMessage.decode(.process, try message.body()) == .success(message))
            let (_, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
            #expect(!overflow)
        }
        for stamp in [
            TimeStamp(secondsPastEpoch: limit + 1), TimeStamp(secondsPastEpoch: .min),
            TimeStamp(nanoseconds: -1), TimeStamp(nanoseconds: 1_000_000_000),
        ] {
            #expect(throws: WireError.self) { try frame(timeStamp: stamp).body() }
        }
        #expect(isRefused(.process, try body(frame(), [0, 0, 0, 0, 0, 0, 0, 0x80], at: 40)))
        #expect(isRefused(.process, try body(frame(), [0xFF, 0xFF, 0xFF, 0xFF], at: 48)))
    }

    @Test("Bytes of a frame fit its layout and the numbers of the header")
    func byteCounts() throws {
        let image = PayloadDescriptor.image(try ArrayLayout(.uint8, width: 4, height: 2))
        let bytes = PayloadDescriptor.bytes(typeName: "t")
        let refused: [(FrameLocation, PayloadDescriptor)] = [
            (.slot(pool: 0, slot: 0, byteCount: 7), image),
            (.inline(byteOffset: 0, byteCount: 9), image),
            (.inline(byteOffset: .max, byteCount: 1), bytes),
            (.inline(byteOffset: 1, byteCount: .max), bytes),
            (.inline(byteOffset: 1, byteCount: UInt64(UInt32.max)), bytes),
            (.slot(pool: 0, slot: 0, byteCount: .max), bytes),
            (.slot(pool: 0, slot: 0, byteCount: 8), .image(nil)),
            (.sameAsInput, image),
        ]
        for (location, payload) in refused {
            #expect(throws: WireError.self, "\(location)") {
                try frame(location: location, payload: payload).body()
            }
        }
        #expect(isRefused(.process, try body(frame(), [9], at: 63)))
    }

    @Test("A place in a payload or pool is given only when it is there")
    func places() {
        let inline = FrameLocation.inline(byteOffset: 2, byteCount: 3)
        #expect(inline.payloadRange(payloadByteCount: 5) == 2..<5)
        #expect(inline.payloadRange(payloadByteCount: 4) == nil)
        let hostile = FrameLocation.inline(byteOffset: .max, byteCount: .max)
        #expect(hostile.payloadRange(payloadByteCount: 4) == nil)
        #expect(FrameLocation.sameAsInput.payloadRange(payloadByteCount: 4) == nil)
        let pool = PoolDescription(
            poolId: 0, descriptor: 3, isWritable: false, slotByteCount: 8192, slotCount: 3)
        #expect(pool.byteCount == 24576)
        #expect(pool.byteRange(slot: 2, byteCount: 8192) == 16384..<24576)
        #expect(pool.byteRange(slot: 3, byteCount: 1) == nil)
        #expect(pool.byteRange(slot: 0, byteCount: 8193) == nil)
        #expect(pool.byteRange(slot: .max, byteCount: .max) == nil)
    }

    @Test("Frame keys that no frame has are refused")
    func keys() throws {
        for branch: UInt64 in [1024, 1 << 60, .max, 5 << 20 | 1] {
            let message = AnyMessage.process(
                ProcessCommand(
                    key: FrameKey(frameId: 1, branch: branch), configurationVersion: 1,
                    frame: FrameDescriptor(
                        uniqueId: 1, payload: .bytes(typeName: ""),
                        location: .inline(byteOffset: 0, byteCount: 0))))
            #expect(throws: WireError.self) { try message.body() }
        }
        #expect(isRefused(.process, try body(frame(), [0, 4], at: 8)))
    }

    @Test("Layouts with regions that overflow arithmetic are refused")
    func regions() throws {
        // The first dimension begins after 32 + 20 + 4 + 15 + 1 + 2 + 4 + 1 bytes.
        let start = 79
        let most: [UInt8] = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F]
        let least: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0x80]
        for place in [start, start + 8, start + 16] {
            #expect(isRefused(.process, try body(frame(), most, at: place)), "\(place)")
            #expect(isRefused(.process, try body(frame(), least, at: place)), "\(place)")
        }
        for binning: [UInt8] in [[0, 0, 0, 0], [0xFF, 0xFF, 0xFF, 0xFF], [0, 0, 0, 0x7F]] {
            #expect(isRefused(.process, try body(frame(), binning, at: start + 24)))
        }
        #expect(isRefused(.process, try body(frame(), [2], at: start + 28)))
    }

    @Test("Pools that no worker could map are refused by both sides")
    func pools() throws {
        func hello(_ pools: PoolDescription..., status: UInt32 = Hello.noDescriptor) -> AnyMessage {
            .hello(Hello(statusDescriptor: status, pools: pools))
        }
        func pool(
            _ poolId: UInt16 = 0, descriptor: UInt32 = 3, isWritable: Bool = false,
            slot: UInt64 = 4096, count: UInt32 = 1
        ) -> PoolDescription {
            PoolDescription(
                poolId: poolId, descriptor: descriptor, isWritable: isWritable,
                slotByteCount: slot, slotCount: count)
        }
        #expect(throws: Never.self) { try hello(pool(), pool(1, isWritable: true)).body() }
        for message in [
            hello(pool(slot: 0)), hello(pool(slot: 4097)), hello(pool(count: 0)),
            hello(pool(slot: 1 << 63, count: 2)), hello(pool(slot: 1 << 46, count: 2)),
            hello(pool(descriptor: 1 << 31)), hello(status: 1 << 31), hello(pool(), pool()),
            hello(pool(isWritable: true), pool(1, isWritable: true)),
        ] {
            #expect(throws: WireError.self) { try message.body() }
        }
        // The slot size is the field before the last.
        let good = try hello(pool()).body()
        let place = good.count - 16
        #expect(isRefused(.hello, try body(hello(pool()), [1], at: place)))
        #expect(isRefused(.hello, try body(hello(pool()), [0xFF, 0xFF], at: place + 6)))
    }

    @Test("Results with which sums would overflow or outputs would be lost are refused")
    func results() throws {
        let output = FrameDescriptor(
            uniqueId: 1, payload: .bytes(typeName: ""),
            location: .inline(byteOffset: 0, byteCount: 0))
        var reference = output
        reference.location = .reference(format: "tiff", path: "a.tif", index: 0)
        var file = StagedFile(
            stagedPath: "a", finalPath: "b", byteCount: 1, checksum: nil, mayReplace: false)
        file.byteCount = .max
        let claim = FrameClaim(
            scope: String(repeating: "s", count: FrameClaim.maximumScopeByteCount),
            key: FrameKey(frameId: 2))
        for result in [
            FrameResult(outcome: .processed, uniqueId: 1, processingNanoseconds: .max),
            FrameResult(outcome: .processed, uniqueId: 1, bytesIn: .max),
            FrameResult(outcome: .processed, uniqueId: 1, bytesOut: .max),
            FrameResult(outcome: .processed, uniqueId: 1, outputCount: 1024),
            FrameResult(outcome: .processed, uniqueId: 1, outputCount: 2, outputs: [output]),
            FrameResult(outcome: .processed, uniqueId: 1, outputCount: 0, outputs: [output]),
            FrameResult(outcome: .processed, uniqueId: 1, outputCount: 1, outputs: [reference]),
            FrameResult(outcome: .processed, uniqueId: 1, files: [file]),
            FrameResult(outcome: .held(reason: ""), uniqueId: 1, claims: [claim]),
            FrameResult(
                outcome: .processed, uniqueId: 1, claims: Array(repeating: claim, count: 9)),
            FrameResult(
                outcome: .processed, uniqueId: 1,
                claims: [FrameClaim(scope: claim.scope, key: FrameKey(frameId: 0, branch: 1024))]),
            FrameResult(
                outcome: .processed, uniqueId: 1,
                claims: [FrameClaim(scope: claim.scope + "s", key: claim.key)]),
        ] {
            #expect(throws: WireError.self) { try AnyMessage.result(result).body() }
        }
        let message = AnyMessage.result(FrameResult(outcome: .processed, uniqueId: 1))
        for place in [8, 16, 24] {
            #expect(isRefused(.result, try body(message, [0xFF], at: place + 7)))
        }
        let claiming = AnyMessage.result(
            FrameResult(outcome: .filtered, uniqueId: 1, claims: [claim]))
        // The number of claims, their branch, and the outcome behind them.
        let end = 33 + 4 + 4 + claim.scope.utf8.count + 16
        #expect(isRefused(.result, try body(claiming, [0], at: 33)))
        #expect(isRefused(.result, try body(claiming, [0xFF], at: end - 1)))
        for code: UInt8 in [2, 3, 4, 5] {
            #expect(isRefused(.result, try body(claiming, [code], at: end)))
        }
    }

    @Test("A refused message leaves the writer as it was, ready for the next")
    func refusal() throws {
        var writer = ByteWriter()
        writer.beginMessage(type: 9, requestId: 1)
        try writer.endMessage()
        let before = writer.byteCount
        writer.beginMessage(type: MessageType.started.rawValue, requestId: 2)
        writer.refuse(.unknownValue(field: "first", value: 1))
        writer.refuse(.unknownValue(field: "second", value: 2))
        Started(requestId: 1).write(to: &writer)
        do throws(WireError) {
            try writer.endMessage()
            Issue.record("a refused message was ended")
        } catch {
            #expect(error.code == .unknownValue(field: "first", value: 1))
        }
        #expect(writer.byteCount == before)
        writer.beginMessage(type: 9, requestId: 3)
        writer.refuse(.unknownValue(field: "third", value: 1))
        writer.cancelMessage()
        writer.beginMessage(type: 9, requestId: 4)
        try writer.endMessage()
        #expect(writer.byteCount == 2 * before)
    }
}
