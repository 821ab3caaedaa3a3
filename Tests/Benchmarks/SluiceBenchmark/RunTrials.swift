import ControllerRuntime
import NDArrays
import RunTelemetry
import Synchronization

/// The run that a load asks for: supervision, ledger, statistics and a run directory are on unless
/// the options say otherwise.
func configuration(_ options: Options, load: String, inFlight: Int, slots: Int) -> RunConfiguration
{
    let processor: ProcessorConfiguration
    switch load {
    case "sum": processor = ProcessorConfiguration("PixelSum")
    case "write":
        let settings = Structure([
            "outputDirectory": .scalar(.string(options.directory)),
            "outputFileNameFormat": .scalar(.string("{uniqueId:08}.tiff")),
        ])
        processor = ProcessorConfiguration("AdOutputFileProcessor", settings: settings)
    default: processor = ProcessorConfiguration("PassThrough")
    }
    var stage = StageConfiguration(
        name: "benchmark", workerCount: options.workers, processors: [processor],
        workerExecutable: options.worker, inFlight: inFlight)
    if !options.isSupervised {
        stage.frameTimeLimit = nil
        stage.responseTimeLimit = nil
    }
    return RunConfiguration(
        stages: [stage], runDirectory: options.runDirectory,
        plane: PixelPlane(rawValue: options.plane) ?? .shared, inputSlotCount: slots,
        statisticsPeriod: .milliseconds(options.statisticsPeriodMilliseconds), logLevel: "warning")
}

/// Frames as fast as they go: counted at the source between two moments of a run in full flow, so that
/// neither the start of the processes nor the drain at the end is part of it.
func stream(_ options: Options) async throws -> TrialResult {
    let layout = try ArrayLayout(.uint16, width: options.width, height: options.width)
    let source = PrefilledSource(layout: layout, maximumCount: options.maximumFrames)
    let destination = options.hasTelemetry ? try AbsentDestination() : nil
    let telemetry = try destination.map {
        try RunTelemetry(telemetryConfiguration(options, to: $0))
    }
    let controller = try Controller(
        configuration(
            options, load: options.load, inFlight: options.inFlight, slots: options.slots),
        source: source, observer: telemetry)
    try await telemetry?.start(controller)
    let run = Task { try await controller.run() }
    let window = Task.detached { measure(source, options) }
    let summary = try await run.value
    var result = await window.value
    if let telemetry { result.deliveries = try await finish(telemetry) }
    guard summary.certificate.balanced, summary.processed == summary.accepted else {
        throw BenchmarkError("the run did not go through: \(summary.certificate.statement)")
    }
    if result.frames == 0 { result.framesPerSecond = summary.framesPerSecond }
    return result
}

/// Waits for the flow, then measures it; ends the source.
private func measure(_ source: PrefilledSource, _ options: Options) -> TrialResult {
    var result = TrialResult()
    let isOver = { source.endedAt.load(ordering: .acquiring) != 0 }
    while source.count.load(ordering: .acquiring) == 0, !isOver() { pause(milliseconds: 1) }
    // All slots have been through every worker after that, so that their pages are there.
    let settledAt = monotonicNanoseconds() + UInt64(options.warmUp * 1e9)
    let most = options.maximumFrames
    let latest = UInt64(max(most / 4, min(24 * options.workers, most / 2)))
    while !isOver() {
        let count = source.count.load(ordering: .acquiring)
        let settled = source.lastNew.load(ordering: .acquiring) + UInt64(24 * options.workers)
        if count >= latest || (count >= settled && monotonicNanoseconds() >= settledAt) { break }
        pause(milliseconds: 1)
    }
    let meter = ProcessMeter()
    var memory = meter.memory()
    let before = meter.reading()
    let (first, begin) = (source.count.load(ordering: .acquiring), monotonicNanoseconds())
    let end = begin + UInt64(options.seconds * 1e9)
    while !isOver(), monotonicNanoseconds() < end {
        pause(milliseconds: 50)
        memory.formMaximum(meter.memory())
    }
    let endedAt = source.endedAt.load(ordering: .acquiring)
    let last = source.count.load(ordering: .acquiring)
    let elapsed = (endedAt == 0 ? monotonicNanoseconds() : endedAt) - begin
    result.setUsage(from: before, to: meter.reading(), frames: last - first)
    source.cancel()
    result.setRate(frames: last - first, nanoseconds: elapsed, byteCount: options.byteCount)
    result.setMemory(memory)
    return result
}

/// One frame in flight: a thousand frames a second at most, far below what goes. The time is the run's own,
/// from acceptance to the closed entry.
func latency(_ options: Options) async throws -> TrialResult {
    let layout = try ArrayLayout(.uint16, width: options.width, height: options.width)
    let source = PrefilledSource(layout: layout, maximumCount: options.maximumFrames)
    var settings = configuration(options, load: "hand-over", inFlight: 1, slots: 2)
    settings.rateLimit = 1000
    let controller = try Controller(settings, source: source)
    let run = Task { try await controller.run() }
    let window = Task.detached { measure(source, options) }
    let summary = try await run.value
    var result = await window.value
    if let p50 = summary.latency.p50, let p99 = summary.latency.p99 {
        result.latencySeconds = ["p50": p50, "p99": p99]
    }
    return result
}

/// Start, statistics and stop of one idle worker.
func control(_ options: Options) async throws -> TrialResult {
    let layout = try ArrayLayout(.uint16, width: options.width, height: options.width)
    let source = PrefilledSource(
        layout: layout, maximumCount: 8, waitsAtEnd: true)
    var settings = configuration(options, load: "hand-over", inFlight: 1, slots: 1)
    settings.statisticsPeriod = .milliseconds(100)
    let controller = try Controller(settings, source: source)
    var result = TrialResult()
    let begin = monotonicNanoseconds()
    let run = Task { try await controller.run() }
    while source.endedAt.load(ordering: .acquiring) == 0 { pause(milliseconds: 1) }
    pause(milliseconds: 100)
    let meter = ProcessMeter()
    let before = meter.reading()
    pause(milliseconds: 1000)
    let after = meter.reading()
    result.gatheringCpuSeconds =
        (after.controller.cpuSeconds - before.controller.cpuSeconds + after.workers.cpuSeconds
            - before.workers.cpuSeconds) / 10
    var times: [UInt64] = []
    for _ in 0..<20 {
        let asked = monotonicNanoseconds()
        _ = try await controller.statistics()
        times.append(monotonicNanoseconds() - asked)
    }
    result.getStatsSeconds = Double(times.sorted()[times.count / 2]) * 1e-9
    let stopped = monotonicNanoseconds()
    controller.stop()
    _ = try await run.value
    result.stopSeconds = Double(monotonicNanoseconds() - stopped) * 1e-9
    // The second fill gets the slot that the first frame's close has freed.
    result.startSeconds = source.secondFillAt.map { Double($0 - begin) * 1e-9 }
    return result
}
