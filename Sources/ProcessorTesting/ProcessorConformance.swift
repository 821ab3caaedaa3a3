public import DataProcessing

/// A rule of the pipeline that a processor breaks.
public struct ConformanceError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The rules, one for each `verify…`.
    public enum Check: String, Sendable, Hashable, CaseIterable {
        case settings, lifeCycle, validation, determinism, input, elementTypes, statistics, reset
    }

    /// The name of the processor.
    public let processor: String
    /// The rule.
    public let check: Check
    /// What was seen and what to do.
    public let detail: String

    /// A broken rule.
    public init(processor: String, check: Check, detail: String) {
        self.processor = processor
        self.check = check
        self.detail = detail
    }

    /// One sentence.
    public var description: String { "\(processor), \(check.rawValue): \(detail)" }
}

/// Several broken rules.
public struct ConformanceErrors: Error, Sendable, Equatable, CustomStringConvertible {
    /// All that were found.
    public let errors: [ConformanceError]

    /// One line for each.
    public var description: String { errors.map(\.description).joined(separator: "\n") }
}

/// Checks what the pipeline relies on in a processor. In a test of Swift Testing or XCTest:
///
///     try ProcessorConformance(HotPixels.self).verify()
public struct ProcessorConformance<Processor: UserDataProcessor> {
    let configuration: [String: any SettingValue]
    let inputs: [NDArray]

    /// Checks `Processor` with these settings on these images; without any, on small `uint16` ones.
    public init(
        _ type: Processor.Type, configuration: [String: any SettingValue] = [:],
        inputs: [NDArray] = []
    ) throws {
        self.configuration = configuration
        self.inputs = inputs.isEmpty ? try FrameFactory.sequence(3) : inputs
    }

    /// All checks.
    ///
    /// - Throws: `ConformanceErrors` with every rule that is broken.
    public func verify() throws {
        let checks: [(ConformanceError.Check, () throws -> Void)] = [
            (.settings, verifySettings), (.lifeCycle, verifyLifeCycle),
            (.validation, verifyValidation), (.determinism, verifyDeterminism),
            (.elementTypes, verifyElementTypes), (.statistics, verifyStatistics),
            (.reset, verifyReset),
        ]
        var errors: [ConformanceError] = []
        for (check, body) in checks {
            do {
                try body()
            } catch let error as ConformanceError {
                errors.append(error)
            } catch {
                errors.append(failure(check, "it threw: \(error)"))
            }
        }
        if !errors.isEmpty { throw ConformanceErrors(errors: errors) }
    }

    /// The settings have names, descriptions and allowed defaults, and each name once.
    public func verifySettings() throws {
        var names: Set<String> = []
        for setting in Processor.settings {
            guard !setting.name.isEmpty, names.insert(setting.name).inserted else {
                throw failure(.settings, "two settings are called '\(setting.name)'")
            }
            guard !setting.summary.isEmpty else {
                throw failure(.settings, "\(setting.name) has no description")
            }
            guard let value = setting.defaultStructureValue else { continue }
            var given = Structure()
            given[setting.name] = value
            do {
                _ = try Configuration(
                    given, processorName: Processor.processorName, settings: [setting])
            } catch {
                throw failure(.settings, "the default is not allowed: \(error)")
            }
        }
    }

    /// The hooks work in the order of the pipeline, with and without frames, and for several
    /// instances.
    public func verifyLifeCycle() throws {
        try makeHarness().stop()
        let (first, second) = (try makeHarness(), try makeHarness())
        try run(first)
        try run(second)
        try first.configure(configuration)
        try run(first)
        _ = first.processor.getStats()
        try first.stop()
        try second.stop()
        _ = first.processor.getStats()
    }

    /// `validate` accepts the configuration in use and changes nothing.
    public func verifyValidation() throws {
        let (plain, asked) = (try makeHarness(), try makeHarness())
        for input in inputs {
            for _ in 0..<3 { try asked.validate(configuration) }
            let (left, right) = (try plain.process(input), try asked.process(input))
            guard left.text == right.text else {
                throw failure(.validation, "validate changed the output of the next frame")
            }
        }
    }

    /// Equal inputs give equal outputs, also where memory held something else before.
    public func verifyDeterminism() throws {
        let left = try makeHarness(garbage: 0xA5)
        let right = try makeHarness(garbage: 0x3C)
        var isAnyProcessed = false
        for input in inputs {
            let (one, other) = (try left.process(input), try right.process(input))
            isAnyProcessed = isAnyProcessed || one.failure == nil
            guard one.text == other.text else {
                throw failure(
                    .determinism,
                    "image \(input.uniqueId) gave two results; outputs may depend on nothing but "
                        + "input and configuration, and every pixel of a new image has to be written"
                )
            }
        }
        guard isAnyProcessed else {
            throw failure(
                .determinism, "no input was processed; give images that the processor takes")
        }
    }

    /// Every kind of image is processed or refused by throwing, and the next frame goes on as
    /// before.
    public func verifyElementTypes() throws {
        let harness = try makeHarness()
        for image in try FrameFactory.everyKind() { try harness.process(image) }
        let structure = Structure(["value": .scalar(.int32(1))])
        try harness.process(.structure(structure, typeName: "test"))
        try harness.process(.bytes([1, 2, 3], typeName: "test"))
        try run(harness)
    }

    /// The statistics are declared, each once, and have the declared kind.
    public func verifyStatistics() throws {
        let harness = try makeHarness()
        let declarations = harness.processor.getStatsTypes()
        let keys = declarations.map(\.key)
        guard Set(keys).count == keys.count else {
            throw failure(.statistics, "a key is declared twice in \(keys)")
        }
        try check(harness.processor.getStats(), declarations)
        try run(harness)
        try check(harness.processor.getStats(), declarations)
    }

    /// After `resetStats` the statistics are those of a new processor.
    public func verifyReset() throws {
        let (fresh, used) = (try makeHarness(), try makeHarness())
        try run(used)
        try used.resetStats()
        let wanted = fresh.processor.getStats()
        for (key, value) in used.processor.getStats()
        where wanted[key].map({ "\($0)" != "\(value)" }) ?? true {
            throw failure(
                .reset, "\(key) is \(value) after resetStats; it has to be as at the start")
        }
        try run(used)
    }

    private func check(
        _ stats: [String: StatisticValue], _ declarations: [StatisticDeclaration]
    ) throws {
        for (key, value) in stats.sorted(by: { $0.key < $1.key }) {
            guard let declaration = declarations.first(where: { $0.key == key }) else {
                throw failure(
                    .statistics, "getStats has \(key), which getStatsTypes does not declare")
            }
            guard declaration.kind == value.kind else {
                throw failure(
                    .statistics, "\(key) is declared \(declaration.kind) but is \(value.kind)")
            }
        }
    }

    private func makeHarness(garbage: UInt8 = 0xA5) throws -> ProcessorHarness<Processor> {
        try ProcessorHarness(Processor.self, configuration: configuration, garbage: garbage)
    }

    private func run(_ harness: ProcessorHarness<Processor>) throws {
        for input in inputs { try harness.process(input) }
    }

    private func failure(_ check: ConformanceError.Check, _ detail: String) -> ConformanceError {
        ConformanceError(processor: Processor.processorName, check: check, detail: detail)
    }
}

extension HarnessResult {
    /// Everything that can be compared, as text; equal texts are equal results, NaN included.
    var text: String {
        var parts = outputs.map { output in
            let payload =
                switch output.payload {
                case .image(let image): "\(image.layout) \(image.withUnsafeBytes { Array($0) })"
                case .bytes(let bytes, let typeName): "\(bytes) \(typeName)"
                case .structure(let structure, let typeName): "\(structure) \(typeName)"
                }
            let attributes = output.attributes.map { "\($0)" }
            return "\(output.key) \(output.uniqueId) \(output.timeStamp) \(attributes) \(payload)"
        }
        parts += files.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
        if let failure { parts.append(failure) }
        return parts.joined(separator: "\n")
    }
}
