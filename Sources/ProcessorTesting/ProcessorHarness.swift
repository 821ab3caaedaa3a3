public import DataProcessing
import Glibc

/// One output of a processor, copied.
public struct HarnessOutput: Sendable {
    /// Image, bytes or structure.
    public let payload: Payload
    /// The id that the frame had.
    public let uniqueId: UInt64
    /// Its time stamp.
    public let timeStamp: TimeStamp
    /// Its attributes.
    public let attributes: NDAttributes
    /// Source frame and place among the outputs.
    public let key: FrameKey

    /// The image, nil for another payload.
    public var image: NDArray? {
        guard case .image(let image) = payload else { return nil }
        return image
    }
}

/// What became of one frame.
public struct HarnessResult: Sendable {
    /// Why the processor failed the frame, nil when it did not.
    public let failure: String?
    /// The outputs in order; empty for a filtered or failed frame.
    public let outputs: [HarnessOutput]
    /// The files that were written for the frame, with their names and contents; none is left on
    /// disk.
    public let files: [String: [UInt8]]

    /// Whether there was no output and no failure.
    public var isFiltered: Bool { outputs.isEmpty && failure == nil }
    /// The first output's image, nil where there is none.
    public var image: NDArray? { outputs.first?.image }
}

/// Runs a processor as a worker does, one frame at a time:
///
///     let harness = try ProcessorHarness(HotPixels.self, configuration: ["threshold": 100])
///     let result = try harness.process(FrameFactory.image(pattern: .ramp))
public final class ProcessorHarness<Processor: UserDataProcessor> {
    /// The processor, started.
    public let processor: Processor
    private let chain: ProcessorChain
    private let memory: PrivateFrameMemory
    private let files = StagedOutputFiles(runName: "harness")
    private let frame = Frame()
    private var nextFrameId: UInt64 = 1

    /// Makes, configures and starts a processor. `garbage` is what memory holds before the
    /// processor writes into it.
    ///
    /// - Throws: `ConfigurationError`, or what the processor throws.
    public convenience init(
        _ type: Processor.Type, configuration: [String: any SettingValue] = [:],
        garbage: UInt8 = 0xA5
    ) throws {
        var settings = Structure()
        for (key, value) in configuration { settings[key] = value.structureValue }
        try self.init(type, settings: settings, garbage: garbage)
    }

    /// The same with settings as they come from a configuration file.
    public init(_ type: Processor.Type, settings: Structure, garbage: UInt8 = 0xA5) throws {
        let configuration = try Configuration(settings, for: type)
        processor = try type.init(configuration: configuration)
        memory = PrivateFrameMemory(garbage: garbage)
        chain = ProcessorChain([ProcessorChain.Link(processor, configuration)], memory: memory)
        chain.place(in: UserDataProcessor.Surroundings(outputFiles: files))
        try chain.start()
    }

    /// Runs `process` on an image.
    ///
    /// - Throws: `ConformanceError` when the processor wrote into its input or kept memory; a
    ///   failure of the frame is part of the result.
    @discardableResult
    public func process(_ image: NDArray, sourceName: String = "test.tif") throws -> HarnessResult {
        try process(
            .image(image), uniqueId: image.uniqueId, timeStamp: image.timeStamp,
            attributes: image.attributes, sourceName: sourceName)
    }

    /// Runs `process` on any payload.
    ///
    /// - Throws: as the other.
    @discardableResult
    public func process(
        _ payload: Payload, uniqueId: UInt64 = 1, timeStamp: TimeStamp = TimeStamp(),
        attributes: NDAttributes = NDAttributes(), sourceName: String = "test.tif"
    ) throws -> HarnessResult {
        let (content, bytes) = Self.parts(of: payload)
        var input = bytes
        let result = try input.withUnsafeMutableBytes { buffer in
            try run(
                content, buffer, uniqueId: uniqueId, timeStamp: timeStamp, attributes: attributes,
                sourceName: sourceName)
        }
        guard input == bytes else {
            throw ConformanceError(
                processor: Processor.processorName, check: .input,
                detail: "process wrote into its input, which other workers may read")
        }
        guard memory.takenCount == 0 else {
            throw ConformanceError(
                processor: Processor.processorName, check: .input,
                detail: "frame memory was not given back")
        }
        return result
    }

    /// Changes settings while the processor runs, as `sluice configure` does.
    ///
    /// - Throws: `ConfigurationError`, or what the processor throws.
    public func configure(_ change: [String: any SettingValue]) throws {
        var settings = Structure()
        for (key, value) in change { settings[key] = value.structureValue }
        let configuration = try chain.validate(settings, at: 0)
        try chain.configure(configuration, at: 0)
    }

    /// Asks whether a change would be accepted, without making it.
    ///
    /// - Throws: as `configure`.
    public func validate(_ change: [String: any SettingValue]) throws {
        var settings = Structure()
        for (key, value) in change { settings[key] = value.structureValue }
        _ = try chain.validate(settings, at: 0)
    }

    /// The processor's own statistics with their declarations, and the framework's counters.
    public var statistics: ProcessorStatistics { chain.statistics()[0] }

    /// Sets all statistics to zero.
    ///
    /// - Throws: when the processor is not running.
    public func resetStats() throws { try chain.resetStats() }

    /// Stops the processor, for good.
    ///
    /// - Throws: what `stop` throws.
    public func stop() throws { try chain.stop() }

    private func run(
        _ content: FrameContent, _ buffer: UnsafeMutableRawBufferPointer, uniqueId: UInt64,
        timeStamp: TimeStamp, attributes: NDAttributes, sourceName: String
    ) throws -> HarnessResult {
        let region = buffer.baseAddress.map {
            FrameRegion(base: $0, byteCount: buffer.count, origin: .input(pool: 0, slot: 0))
        }
        frame.reset(
            key: FrameKey(frameId: nextFrameId), uniqueId: uniqueId, timeStamp: timeStamp,
            attributes: attributes, sourceName: sourceName, content: content, region: region,
            byteCount: buffer.count, memory: memory)
        nextFrameId += 1
        files.begin(attempt: 0)
        let outcome = chain.process(frame)
        defer {
            chain.finish()
            files.discard()
        }
        switch outcome {
        case .failed(let failure):
            return HarnessResult(failure: failure.reason, outputs: [], files: [:])
        case .held(let reason):
            return HarnessResult(failure: reason, outputs: [], files: [:])
        case .filtered, .processed:
            let outputs = try chain.outputs.map(Self.copied)
            return HarnessResult(failure: nil, outputs: outputs, files: try takenFiles())
        }
    }

    /// Reads the staged files, removes them and returns them by their final names.
    private func takenFiles() throws -> [String: [UInt8]] {
        var contents: [String: [UInt8]] = [:]
        for file in files.take() {
            let name = file.finalPath.split(separator: "/").last.map(String.init) ?? ""
            contents[name] = try readFile(file.stagedPath)
            unlink(file.stagedPath)
        }
        return contents
    }

    private static func parts(of payload: Payload) -> (FrameContent, [UInt8]) {
        switch payload {
        case .image(let image): (.image(image.layout), image.withUnsafeBytes { Array($0) })
        case .bytes(let bytes, let typeName): (.bytes(typeName: typeName), bytes)
        case .structure(let structure, let typeName):
            (.structure(structure, typeName: typeName), [])
        }
    }

    private static func copied(_ frame: Frame) throws -> HarnessOutput {
        let payload: Payload
        switch frame.content {
        case .image: payload = .image(try frame.copiedImage())
        case .bytes(let typeName):
            payload = .bytes(frame.withUnsafeBytes { Array($0) }, typeName: typeName)
        case .structure(let structure, let typeName):
            payload = .structure(structure, typeName: typeName)
        }
        return HarnessOutput(
            payload: payload, uniqueId: frame.uniqueId, timeStamp: frame.timeStamp,
            attributes: frame.attributes, key: frame.key)
    }
}

/// The bytes of a small file.
private func readFile(_ path: String) throws -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
        throw ProcessingError.refused(operation: "reading", path: path, errno: errno)
    }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    while true {
        let part = [UInt8](unsafeUninitializedCapacity: 1 << 16) { buffer, count in
            count = max(0, read(descriptor, buffer.baseAddress, buffer.count))
        }
        guard !part.isEmpty else { return bytes }
        bytes += part
    }
}
