import NDArrays
import Statistics
import Testing
import Wire
import WorkerProtocol

/// A message of `Tests/Fixtures/protocol` as `make_golden.py` describes it.
struct GoldenMessage: CustomTestStringConvertible, Sendable {
    var name: String
    var requestId: UInt64
    var message: @Sendable () throws -> AnyMessage
    var payload: [UInt8] = []

    var testDescription: String { name }
}

private let pixels: [UInt8] = [0, 20, 40, 60, 80, 100, 120, 140]

private func small() throws -> ArrayLayout { try ArrayLayout(.uint8, width: 4, height: 2) }

private let allValues: [(String, ScalarValue)] = [
    ("boolean", .boolean(true)), ("int8", .int8(-1)), ("int16", .int16(-2)),
    ("int32", .int32(-3)), ("int64", .int64(-4)), ("uint8", .uint8(5)), ("uint16", .uint16(6)),
    ("uint32", .uint32(7)), ("uint64", .uint64(8)), ("float32", .float32(0.5)),
    ("float64", .float64(-0.25)), ("string", .string("µm")),
]

private func process(
    _ frameId: UInt64, branch: UInt64 = 0, version: UInt64 = 1, attempt: UInt32 = 0,
    leases: [UInt32] = [], _ frame: FrameDescriptor
) -> AnyMessage {
    .process(
        ProcessCommand(
            key: FrameKey(frameId: frameId, branch: branch), configurationVersion: version,
            attempt: attempt, leasedSlots: leases, frame: frame))
}

private func result(_ outcome: FrameOutcome) -> AnyMessage {
    .result(FrameResult(outcome: outcome, uniqueId: 42))
}

private func inlineFrame() throws -> FrameDescriptor {
    FrameDescriptor(
        uniqueId: 1, payload: .image(try small()),
        location: .inline(byteOffset: 0, byteCount: 8))
}

let goldenMessages: [GoldenMessage] = goldenCommands + goldenFrames + goldenAnswers

private let goldenCommands: [GoldenMessage] = [
    GoldenMessage(name: "hello", requestId: 1) {
        .hello(
            Hello(
                versions: 1...1,
                capabilities: [.sharedPools, .references, .statusPage, .stagedFiles],
                controllerProcessId: 77, runId: "run-1", stageName: "save", workerId: 3,
                incarnation: 2, wantsOutputs: true, inputChannel: "in", outputChannel: "out",
                logLevel: "debug", statusDescriptor: 5,
                pools: [
                    PoolDescription(
                        poolId: 0, descriptor: 3, isWritable: false, slotByteCount: 1 << 21,
                        slotCount: 64),
                    PoolDescription(
                        poolId: 1, descriptor: 4, isWritable: true, slotByteCount: 4096,
                        slotCount: 1),
                ]))
    },
    GoldenMessage(name: "hello-2", requestId: 1) {
        .hello(
            Hello(
                versions: 1...2,
                capabilities: [
                    .sharedPools, .references, .statusPage, .stagedFiles, .syncedFiles,
                ]))
    },
    GoldenMessage(name: "hello-3", requestId: 1) {
        .hello(
            Hello(
                versions: 1...3,
                capabilities: [
                    .sharedPools, .references, .statusPage, .stagedFiles, .syncedFiles, .wipedSlots,
                ], workerId: 5, placeInStage: 2))
    },
    GoldenMessage(name: "describe", requestId: 2) { .describe },
    GoldenMessage(name: "start", requestId: 3) {
        var settings = Structure()
        for (name, value) in allValues { settings[name] = .scalar(value) }
        settings["list"] = .list([.scalar(.string("a")), .scalar(.boolean(false))])
        settings["inner"] = .structure(Structure(["x": .scalar(.float64(1.5))]))
        return .start(
            StartCommand(
                configurationVersion: 1,
                processors: [
                    ProcessorSpecification(
                        name: "PyScale", settings: Structure(["gain": .scalar(.string("2"))])),
                    ProcessorSpecification(name: "Pass", settings: settings),
                ]))
    },
    GoldenMessage(name: "configure-prepare", requestId: 4) {
        .configure(
            ConfigureCommand(
                version: 2, baseVersion: 1, phase: .prepare, processorIndex: 0,
                changes: Structure(["gain": .scalar(.string("3"))])))
    },
    GoldenMessage(name: "configure-abandon", requestId: 5) {
        .configure(
            ConfigureCommand(version: 2, baseVersion: 1, phase: .abandon, processorIndex: 0))
    },
    GoldenMessage(name: "configure-apply", requestId: 17) {
        .configure(
            ConfigureCommand(version: 2, baseVersion: 1, phase: .apply, processorIndex: 0))
    },
    GoldenMessage(name: "getStats", requestId: 13) { .getStats },
    GoldenMessage(name: "resetStats", requestId: 14) { .resetStats },
    GoldenMessage(name: "stop", requestId: 15) { .stop },
    GoldenMessage(name: "ping", requestId: 16) { .ping },
]

private let goldenFrames: [GoldenMessage] = [
    GoldenMessage(name: "process-slot", requestId: 6) {
        process(
            41, version: 2, attempt: 1, leases: [9, 10],
            FrameDescriptor(
                uniqueId: 42,
                timeStamp: TimeStamp(secondsPastEpoch: 1_700_000_000, nanoseconds: 5),
                payload: .image(try ArrayLayout(.uint16, width: 1024, height: 512)),
                location: .slot(pool: 0, slot: 7, byteCount: 1 << 20), sourceName: "sim"))
    },
    GoldenMessage(
        name: "process-inline", requestId: 7, message: { process(0, try inlineFrame()) },
        payload: pixels),
    GoldenMessage(
        name: "process-checksum", requestId: 7,
        message: {
            .process(
                ProcessCommand(
                    key: FrameKey(frameId: 0), configurationVersion: 1,
                    frame: try inlineFrame(),
                    payloadChecksum: pixels.withUnsafeBytes { PayloadChecksum.of($0) }))
        }, payload: pixels),
    GoldenMessage(name: "process-reference", requestId: 8) {
        process(
            5, branch: 1025,
            FrameDescriptor(
                uniqueId: 6, payload: .image(nil),
                location: .reference(format: "tiff", path: "scan/é.tif", index: 3),
                sourceName: "é.tif"))
    },
    GoldenMessage(
        name: "process-bytes", requestId: 9,
        message: {
            process(
                5,
                FrameDescriptor(
                    uniqueId: 6, payload: .bytes(typeName: "encrypted"),
                    location: .inline(byteOffset: 2, byteCount: 3)))
        }, payload: Array("..abc".utf8)),
    GoldenMessage(name: "process-structure", requestId: 10) {
        process(
            5,
            FrameDescriptor(
                uniqueId: 6,
                payload: .structure(Structure(["n": .scalar(.uint32(2))]), typeName: "peaks"),
                location: .inline(byteOffset: 0, byteCount: 0)))
    },
    GoldenMessage(name: "process-attributes", requestId: 11) {
        var attributes = NDAttributes(allValues.map { NDAttribute($0.0, $0.1) })
        attributes.set(
            NDAttribute(
                "ring", .float64(5.5), description: "Ring current",
                sourceType: .epicsProcessVariable, source: "S:SRcurrentAI"))
        attributes.set(NDAttribute("undefined", nil))
        let layout = try ArrayLayout(
            elementType: .uint16,
            dimensions: NDDimensions(
                NDDimension(size: 3),
                NDDimension(size: 3, offset: 10, fullSize: 1000, binning: 2, reverse: true),
                NDDimension(size: 1, offset: -1)))
        return process(
            5,
            FrameDescriptor(
                uniqueId: 6,
                timeStamp: TimeStamp(secondsPastEpoch: -1, nanoseconds: 999_999_999),
                payload: .image(layout), location: .slot(pool: 0, slot: 1, byteCount: 18),
                attributes: attributes))
    },
    GoldenMessage(name: "process-compressed", requestId: 12) {
        let layout = try ArrayLayout(
            elementType: .float32,
            dimensions: NDDimensions(
                NDDimension(size: 3), NDDimension(size: 100), NDDimension(size: 80)),
            colorMode: .rgb1, codecName: "bslz4")
        return process(
            5,
            FrameDescriptor(
                uniqueId: 6, payload: .image(layout),
                location: .slot(pool: 1, slot: 2, byteCount: 1000)))
    },
]

private let goldenAnswers: [GoldenMessage] = [
    GoldenMessage(name: "welcome-2", requestId: 1) {
        .welcome(
            Welcome(version: 2, capabilities: .syncedFiles, processId: 78, software: "worker"))
    },
    GoldenMessage(name: "welcome-3", requestId: 1) {
        .welcome(
            Welcome(
                version: 3, capabilities: [.syncedFiles, .wipedSlots], processId: 78,
                software: "worker"))
    },
    GoldenMessage(name: "welcome", requestId: 1) {
        .welcome(
            Welcome(
                version: 1, capabilities: [.sharedPools, .statusPage], processId: 78,
                software: "worker"))
    },
    GoldenMessage(name: "description", requestId: 2) {
        .description([
            ProcessorDescription(
                name: "PyScale", summary: "Multiplies pixels.", maximumOutputCount: 1,
                settings: [
                    SettingDescription(
                        key: "gain", kind: "number", defaultValue: "1", allowed: "0 … 1000",
                        unit: "", summary: "Factor.", isChangeable: true),
                    SettingDescription(
                        key: "mask", kind: "path", defaultValue: nil, allowed: "", unit: "px",
                        summary: "", isChangeable: false),
                ]),
            ProcessorDescription(name: "Pass", summary: "", maximumOutputCount: 0, settings: []),
        ])
    },
    GoldenMessage(name: "statistics", requestId: 13) { .statistics(try goldenSnapshot()) },
    GoldenMessage(name: "reply-success", requestId: 16) { .reply(.success) },
    GoldenMessage(name: "reply-failure", requestId: 4) {
        .reply(.failure(CommandFailure(.configuration, "gain is -1; the least is 0")))
    },
    GoldenMessage(name: "result-processed", requestId: 6) {
        .result(
            FrameResult(
                outcome: .processed, uniqueId: 42, processingNanoseconds: 1500,
                bytesIn: 1 << 20, bytesOut: 1 << 20, outputCount: 1))
    },
    GoldenMessage(name: "result-filtered", requestId: 6) { result(.filtered) },
    GoldenMessage(name: "result-failed", requestId: 6) {
        result(.failed(processorIndex: 1, reason: "no such file"))
    },
    GoldenMessage(name: "result-returned", requestId: 6) {
        result(.returned(reason: "version 2 is unknown"))
    },
    GoldenMessage(name: "result-held", requestId: 6) {
        result(.held(reason: "out: No space left on device"))
    },
    GoldenMessage(
        name: "result-outputs", requestId: 6, message: { try goldenOutputs() },
        payload: Array("ab".utf8)),
    GoldenMessage(
        name: "result-checksum", requestId: 6,
        message: {
            .result(
                FrameResult(
                    outcome: .processed, uniqueId: 42, outputCount: 1,
                    outputs: [
                        FrameDescriptor(
                            uniqueId: 43, payload: .bytes(typeName: "t"),
                            location: .inline(byteOffset: 0, byteCount: 2))
                    ],
                    // The CRC32C that the second program computes for "ab".
                    payloadChecksum: 0xE2A2_2936))
        }, payload: Array("ab".utf8)),
    GoldenMessage(name: "result-claims", requestId: 6) {
        .result(
            FrameResult(
                outcome: .processed, uniqueId: 42, outputCount: 1,
                claims: [
                    FrameClaim(scope: "key-run", key: FrameKey(frameId: 9)),
                    FrameClaim(scope: "", key: FrameKey(frameId: 8, branch: 1025)),
                ]))
    },
    GoldenMessage(name: "result-claims-filtered", requestId: 6) {
        .result(
            FrameResult(
                outcome: .filtered, uniqueId: 42,
                claims: [FrameClaim(scope: "key-run", key: FrameKey(frameId: 10))]))
    },
    GoldenMessage(name: "started", requestId: 0) { .started(Started(requestId: 6)) },
    GoldenMessage(name: "configured", requestId: 0) {
        .configured(Configured(version: 2, failure: nil))
    },
    GoldenMessage(name: "configured-failed", requestId: 0) {
        .configured(Configured(version: 2, failure: CommandFailure(.hook, "no mask")))
    },
    GoldenMessage(name: "staging", requestId: 0) { .staging(Staging(folder: "/data/münchen")) },
]

private func goldenOutputs() throws -> AnyMessage {
    .result(
        FrameResult(
            outcome: .processed, uniqueId: 42, outputCount: 3,
            outputs: [
                FrameDescriptor(
                    uniqueId: 42, payload: .image(try small()),
                    location: .slot(pool: 1, slot: 9, byteCount: 8)),
                FrameDescriptor(uniqueId: 42, payload: .image(nil), location: .sameAsInput),
                FrameDescriptor(
                    uniqueId: 43, payload: .bytes(typeName: "t"),
                    location: .inline(byteOffset: 0, byteCount: 2)),
            ],
            files: [
                StagedFile(
                    stagedPath: "out/.r1.tmp", finalPath: "out/42.tiff", byteCount: 1234,
                    checksum: 0xE306_9283, mayReplace: false),
                StagedFile(
                    stagedPath: "a", finalPath: "b", byteCount: 0, checksum: nil,
                    mayReplace: true),
            ]))
}

private func goldenSnapshot() throws -> WorkerSnapshot {
    var counters = ProcessorCounters()
    counters.received = 1
    counters.processed = 2
    counters.filtered = 3
    counters.failed = 4
    counters.missed = 5
    counters.outputs = 6
    counters.bytesIn = 7
    counters.bytesOut = 8
    counters.lastFrameId = 41
    counters.durations.record(nanoseconds: 5)
    counters.durations.record(nanoseconds: 100)
    counters.processingNanoseconds = 9
    let user: [(StatisticDeclaration, StatisticValue)] = [
        (
            StatisticDeclaration(
                key: "nFilesSaved", kind: .unsigned, unit: .count, description: "Files."),
            .unsigned(7)
        ),
        (StatisticDeclaration(key: "drift", kind: .signed, aggregation: .last), .signed(-7)),
        (
            StatisticDeclaration(key: "rate", kind: .real, unit: .perSecond, aggregation: .mean),
            .real(0.5)
        ),
        (StatisticDeclaration(key: "last", kind: .text, aggregation: .last), .text("é")),
        (StatisticDeclaration(key: "on", kind: .boolean, aggregation: .last), .boolean(true)),
    ]
    return WorkerSnapshot(
        workerId: 3, incarnation: 2, timestampNanoseconds: 2000, resetNanoseconds: 1000,
        processors: [
            ProcessorStatistics(
                processorName: "PyScale", processorId: 0, counters: counters, queueDepth: 4,
                userStatistics: user.map { Statistic($0.0, $0.1) }),
            ProcessorStatistics(processorName: "Pass", processorId: 1),
        ])
}
