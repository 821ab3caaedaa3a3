import NDArrays
import Statistics
import TestSupport
import WorkerProtocol

/// Messages with contents of every kind and the sizes that a seed gives.
struct RandomMessages {
    var random: SeededNumbers

    init(seed: UInt64) { random = SeededNumbers(seed: seed) }

    private mutating func upTo(_ maximum: Int) -> Int {
        Int.random(in: 0...maximum, using: &random)
    }

    private mutating func list<Element>(
        _ maximum: Int, _ make: (inout RandomMessages) throws -> Element
    ) rethrows -> [Element] {
        var list: [Element] = []
        for _ in 0..<upTo(maximum) { list.append(try make(&self)) }
        return list
    }

    private mutating func any<Value>(_ values: [Value]) -> Value { values[upTo(values.count - 1)] }

    private mutating func flag() -> Bool { Bool.random(using: &random) }

    mutating func text() -> String {
        let pieces = ["", "a", "é", "検出器", "🔭", "\u{0}", "\n", "e\u{301}", "longer than fifteen"]
        return list(3) { $0.any(pieces) }.joined()
    }

    mutating func message(_ type: MessageType) throws -> AnyMessage {
        switch type {
        case .hello: .hello(hello())
        case .describe: .describe
        case .start:
            .start(
                StartCommand(
                    configurationVersion: random.next(),
                    processors: list(3) {
                        ProcessorSpecification(name: $0.text(), settings: $0.structure())
                    }))
        case .configure:
            .configure(
                ConfigureCommand(
                    version: random.next(), baseVersion: random.next(),
                    phase: .init(rawValue: UInt8(upTo(3))) ?? .apply,
                    processorIndex: UInt32(upTo(9)),
                    changes: structure()))
        case .process: .process(try process())
        case .getStats: .getStats
        case .resetStats: .resetStats
        case .stop: .stop
        case .ping: .ping
        case .welcome:
            .welcome(
                Welcome(
                    version: 1, capabilities: Capabilities(rawValue: random.next()),
                    processId: UInt32(upTo(1 << 22)), software: text()))
        case .description: .description(list(3) { $0.description() })
        case .reply: .reply(flag() ? .success : .failure(failure()))
        case .result: .result(try result())
        case .statistics: .statistics(snapshot())
        case .started: .started(Started(requestId: random.next()))
        case .configured:
            .configured(
                Configured(version: random.next(), failure: flag() ? nil : failure()))
        case .staging: .staging(Staging(folder: text()))
        }
    }

    private mutating func failure() -> CommandFailure {
        CommandFailure(any(CommandFailure.Code.allCases), text())
    }

    private mutating func hello() -> Hello {
        let count = upTo(4)
        let highest = UInt16(1 + upTo(3))
        return Hello(
            versions: 1...highest, capabilities: Capabilities(rawValue: random.next()),
            controllerProcessId: UInt32(upTo(1 << 22)), runId: text(), stageName: text(),
            workerId: UInt32(upTo(99)), incarnation: UInt32(upTo(99)), wantsOutputs: flag(),
            inputChannel: text(), outputChannel: text(), logLevel: text(),
            statusDescriptor: flag() ? Hello.noDescriptor : UInt32(upTo(99)),
            pools: (0..<count).map {
                PoolDescription(
                    poolId: UInt16($0), descriptor: UInt32(upTo(60)), isWritable: $0 == 2,
                    slotByteCount: UInt64(1 + upTo(1000)) * 4096, slotCount: UInt32(1 + upTo(99)))
            }, placeInStage: highest >= 3 ? UInt32(upTo(99)) : nil)
    }

    private mutating func description() -> ProcessorDescription {
        ProcessorDescription(
            name: text(), summary: text(), maximumOutputCount: UInt32(upTo(1023)),
            settings: list(3) {
                SettingDescription(
                    key: $0.text(), kind: $0.text(), defaultValue: $0.flag() ? nil : $0.text(),
                    allowed: $0.text(), unit: $0.text(), summary: $0.text(),
                    isChangeable: $0.flag())
            })
    }

    mutating func scalar() -> ScalarValue {
        let bits = random.next()
        return switch upTo(11) {
        case 0: .boolean(flag())
        case 1: .int8(Int8(truncatingIfNeeded: bits))
        case 2: .int16(Int16(truncatingIfNeeded: bits))
        case 3: .int32(Int32(truncatingIfNeeded: bits))
        case 4: .int64(Int64(bitPattern: bits))
        case 5: .uint8(UInt8(truncatingIfNeeded: bits))
        case 6: .uint16(UInt16(truncatingIfNeeded: bits))
        case 7: .uint32(UInt32(truncatingIfNeeded: bits))
        case 8: .uint64(bits)
        case 9: .float32(any([0, -0.5, .infinity, .leastNonzeroMagnitude]))
        case 10: .float64(any([1e300, -0.0, -.infinity, 0.1]))
        default: .string(text())
        }
    }

    private mutating func value(depth: Int) -> StructureValue {
        switch depth < 4 ? upTo(4) : 0 {
        case 1: .list(list(3) { $0.value(depth: depth + 1) })
        case 2: .structure(structure(depth: depth + 1))
        default: .scalar(scalar())
        }
    }

    mutating func structure(depth: Int = 0) -> Structure {
        var structure = Structure()
        for _ in 0..<upTo(4) { structure[text()] = value(depth: depth + 1) }
        return structure
    }

    mutating func layout() throws -> ArrayLayout {
        let mode = any(ColorMode.allCases)
        let region = { (own: inout RandomMessages, size: Int) in
            NDDimension(
                size: size, offset: own.upTo(2000) - 1000, fullSize: own.upTo(5000),
                binning: 1 + own.upTo(7), reverse: own.flag())
        }
        var dimensions = list(2) { region(&$0, 1 + $0.upTo(300)) }
        dimensions.append(region(&self, 1 + upTo(300)))
        if mode != .mono {
            dimensions = [region(&self, 1 + upTo(300)), region(&self, 1 + upTo(300))]
            dimensions.insert(
                region(&self, 3), at: mode == .rgb1 ? 0 : mode == .rgb2 ? 1 : 2)
        }
        return try ArrayLayout(
            elementType: any(ElementType.allCases),
            dimensions: NDDimensions(dimensions) ?? NDDimensions(NDDimension(size: 1)),
            colorMode: mode, codecName: any(["", "", "bslz4"]))
    }

    /// A frame that is an input, or one of the outputs of a frame.
    private mutating func frame(isOutput: Bool) throws -> FrameDescriptor {
        var byteCount = UInt64(upTo(1 << 20))
        let payload: PayloadDescriptor
        switch upTo(3) {
        case 0: payload = .bytes(typeName: text())
        case 1:
            payload = .structure(structure(), typeName: text())
            byteCount = 0
        default:
            let layout = try layout()
            payload = .image(layout)
            if layout.codecName.isEmpty { byteCount = UInt64(layout.byteCount) }
        }
        var frame = FrameDescriptor(
            uniqueId: random.next(),
            timeStamp: TimeStamp(
                secondsPastEpoch: Int64(upTo(1 << 33)), nanoseconds: Int32(upTo(999_999_999))),
            payload: payload,
            location: flag()
                ? .slot(pool: UInt16(upTo(3)), slot: UInt32(upTo(99)), byteCount: byteCount)
                : .inline(byteOffset: UInt64(upTo(99)), byteCount: byteCount),
            attributes: NDAttributes(
                list(5) {
                    NDAttribute(
                        $0.text(), $0.flag() ? nil : $0.scalar(), description: $0.text(),
                        sourceType: $0.any([.driver, .parameter, .constant, .undefined]),
                        source: $0.text())
                }), sourceName: text())
        if upTo(3) == 0 {
            frame.location =
                isOutput
                ? .sameAsInput
                : .reference(format: text(), path: text(), index: UInt64(upTo(1000)))
            if flag() { frame.payload = .image(nil) }
        }
        return frame
    }

    private mutating func process() throws -> ProcessCommand {
        var key = FrameKey(frameId: random.next())
        for _ in 0..<upTo(FrameKey.maximumDepth) { key = key.child(upTo(1022)) ?? key }
        return ProcessCommand(
            key: key, configurationVersion: random.next(), attempt: UInt32(upTo(5)),
            leasedSlots: list(4) { UInt32($0.upTo(99)) }, frame: try frame(isOutput: false),
            payloadChecksum: flag() ? nil : UInt32(upTo(1 << 31)))
    }

    private mutating func result() throws -> FrameResult {
        let outcomes: [FrameOutcome] = [
            .processed, .filtered, .failed(processorIndex: UInt32(upTo(5)), reason: text()),
            .returned(reason: text()), .held(reason: text()),
        ]
        let outputs = try list(3) { try $0.frame(isOutput: true) }
        let outcome = any(outcomes)
        let mayClaim = outcome == .processed || outcome == .filtered
        return FrameResult(
            outcome: outcome, uniqueId: random.next(),
            processingNanoseconds: UInt64(upTo(1 << 50)), bytesIn: UInt64(upTo(1 << 36)),
            bytesOut: UInt64(upTo(1 << 46)),
            outputCount: UInt32(outputs.isEmpty ? upTo(9) : outputs.count), outputs: outputs,
            files: list(3) {
                StagedFile(
                    stagedPath: $0.text(), finalPath: $0.text(), byteCount: UInt64($0.upTo(99)),
                    checksum: $0.flag() ? nil : UInt32($0.upTo(1 << 31)), mayReplace: $0.flag())
            },
            claims: mayClaim
                ? list(3) {
                    FrameClaim(
                        scope: $0.text(), key: FrameKey(frameId: $0.random.next(), branch: 1025))
                } : [], payloadChecksum: flag() ? nil : UInt32(upTo(1 << 31)))
    }

    private mutating func snapshot() -> WorkerSnapshot {
        WorkerSnapshot(
            workerId: upTo(99), incarnation: upTo(99), timestampNanoseconds: random.next(),
            resetNanoseconds: random.next(),
            processors: list(3) { own in
                var counters = ProcessorCounters()
                for _ in 0..<own.upTo(20) {
                    counters.recordProcessing(
                        nanoseconds: own.random.next() >> UInt64(own.upTo(63)))
                }
                counters.received = own.random.next()
                counters.bytesOut = own.random.next()
                counters.lastFrameId = own.flag() ? nil : own.random.next()
                return ProcessorStatistics(
                    processorName: own.text(), processorId: own.upTo(9), counters: counters,
                    queueDepth: own.random.next(), userStatistics: own.list(3) { $0.statistic() })
            })
    }

    private mutating func statistic() -> Statistic {
        let values: [StatisticValue] = [
            .unsigned(random.next()), .signed(Int64(bitPattern: random.next())), .real(0.25),
            .text(text()), .boolean(flag()),
        ]
        let value = any(values)
        return Statistic(
            StatisticDeclaration(
                key: text(), kind: value.kind, unit: any([.none, .count, "furlong"]),
                aggregation: any(Aggregation.allCases), isCounter: flag(), description: text()),
            value)
    }
}
