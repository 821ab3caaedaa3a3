import DataProcessing
import Glibc
import NDArrays
import Processors

/// `AdOutputFileProcessor.process()` alone, as a worker's chain calls it: no pipes, no controller.
///
/// With `--files immediate` files get their names at once and no checksum, as in PvaPy; `staged` ones are
/// written with a checksum under a hidden name, as in a worker, and `committed` ones are renamed, too, which
/// in a run the controller does.
func process(_ options: Options) throws -> TrialResult {
    let registry = try ProcessorRegistry([AdOutputFileProcessor.self])
    let settings = Structure([
        "outputDirectory": .scalar(.string(options.directory)),
        "outputFileNameFormat": .scalar(.string("{uniqueId:08}.tiff")),
    ])
    let memory = PrivateFrameMemory()
    let chain = try ProcessorChain(
        [(name: "AdOutputFileProcessor", settings: settings)], registry: registry, memory: memory)
    let staged = options.files == "immediate" ? nil : StagedOutputFiles(runName: "benchmark")
    chain.place(
        in: UserDataProcessor.Surroundings(outputFiles: staged ?? ImmediateOutputFiles()))
    try chain.start()
    let writer = try Writer(chain: chain, memory: memory, staged: staged, options: options)
    for _ in 0..<16 { try writer.writeOne() }

    let meter = ProcessMeter()
    let (before, begin) = (meter.reading(), monotonicNanoseconds())
    let end = begin + UInt64(options.seconds * 1e9)
    var (count, now) = (UInt64(0), begin)
    while now < end, count < UInt64(options.maximumFrames) {
        try writer.writeOne()
        count += 1
        now = monotonicNanoseconds()
    }
    var result = TrialResult()
    result.setUsage(from: before, to: meter.reading(), frames: count)
    result.setRate(frames: count, nanoseconds: now - begin, byteCount: options.byteCount)
    result.setMemory(meter.memory())
    try chain.stop()
    return result
}

/// Writes the same eight frames again and again under new names.
private final class Writer {
    private let chain: ProcessorChain
    private let memory: PrivateFrameMemory
    private let staged: StagedOutputFiles?
    private let commits: Bool
    private let layout: ArrayLayout
    private let slots: UnsafeMutableRawBufferPointer
    private let slotCount: Int
    private let frame = Frame()
    private var serial: UInt64 = 0

    init(
        chain: ProcessorChain, memory: PrivateFrameMemory, staged: StagedOutputFiles?,
        options: Options
    ) throws {
        self.chain = chain
        self.memory = memory
        self.staged = staged
        commits = options.files == "committed"
        layout = try ArrayLayout(.uint16, width: options.width, height: options.width)
        slotCount = options.inFlight
        slots = .allocate(byteCount: slotCount * layout.byteCount, alignment: 4096)
        var random: UInt32 = 1
        for offset in stride(from: 0, to: slots.count, by: 2) {
            random = random &* 1_664_525 &+ 1_013_904_223
            slots.storeBytes(
                of: UInt16(truncatingIfNeeded: random >> 16), toByteOffset: offset, as: UInt16.self)
        }
    }

    deinit { slots.deallocate() }

    func writeOne() throws {
        serial += 1
        let slot = Int(serial) % slotCount
        guard let base = slots.baseAddress else { return }
        let region = FrameRegion(
            base: base + slot * layout.byteCount, byteCount: layout.byteCount,
            origin: .input(pool: 0, slot: UInt32(slot)))
        frame.reset(
            key: FrameKey(frameId: serial), uniqueId: serial, content: .image(layout),
            region: region, byteCount: layout.byteCount, memory: memory)
        staged?.begin(attempt: 0)
        switch chain.process(frame) {
        case .failed(let failure): throw failure
        case .held(let reason): throw BenchmarkError(reason)
        case .processed, .filtered: break
        }
        chain.finish()
        for file in staged?.take() ?? [] where commits {
            guard rename(file.stagedPath, file.finalPath) == 0 else {
                throw BenchmarkError("\(file.finalPath) could not be named (errno \(errno))")
            }
        }
    }
}
