internal import ControllerRuntime
internal import NDArrays

/// Writes a plan as a configuration file, so that what ran can be run again.
enum PipelineText {
    /// The text of `configuration.yaml`: every stage in full, what is not the standard otherwise.
    static func text(of plan: RunPlan) -> String {
        let configuration = plan.configuration
        let standard = RunConfiguration(stages: [])
        var lines = ["# Written by sluice: what this run was asked to do."]
        if let folder = plan.startedIn { lines.append("startedIn: \(quoted(folder))") }
        if let source = plan.source { lines.append("source: \(text(of: source))") }
        lines.append("stages:")
        for (index, stage) in configuration.stages.enumerated() {
            lines += self.lines(of: stage, isFirst: index == 0)
        }
        if let rate = configuration.rateLimit { lines.append("rate: \(rate)") }
        if configuration.plane != standard.plane {
            lines.append("plane: \(configuration.plane.rawValue)")
        }
        var pool: [String] = []
        if configuration.inputSlotCount != 0 {
            pool.append("inputSlots: \(configuration.inputSlotCount)")
        }
        if configuration.inputSlotByteCount != 0 {
            pool.append("inputSlotBytes: \(configuration.inputSlotByteCount)")
        }
        if !pool.isEmpty { lines.append("pool: {\(pool.joined(separator: ", "))}") }
        if configuration.maximumMemoryByteCount != 0 {
            lines.append("memory: {maximumBytes: \(configuration.maximumMemoryByteCount)}")
        }
        lines.append(
            "statistics: {period: \(QuantityText.text(of: configuration.statisticsPeriod))}")
        lines.append("logLevel: \(configuration.logLevel)")
        if configuration.stallTimeLimit != standard.stallTimeLimit {
            lines.append(
                "stallTimeLimit: \(StallTimeLimit.text(of: configuration.stallTimeLimit))")
        }
        if configuration.durability != standard.durability {
            lines.append("durability: \(configuration.durability.rawValue)")
        }
        if let text = configuration.journal.text { lines.append("journal: \(text)") }
        if let telemetry = plan.telemetry { lines.append("telemetry: \(telemetry.text)") }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func text(of source: SourceSpecification) -> String {
        var settings = source.settings
        if !source.paths.isEmpty {
            settings["paths"] = .list(source.paths.map { .scalar(.string($0)) })
        }
        return "{\(source.kind): \(text(of: settings))}"
    }

    private static func lines(of stage: StageConfiguration, isFirst: Bool) -> [String] {
        let standard = StageConfiguration(name: "", processors: [])
        var lines = ["  - name: \(quoted(stage.name))"]
        if let from = stage.from {
            lines.append("    from: \(quoted(from))")
        } else if !isFirst {
            lines.append("    from: \(PipelineFile.sourceWord)")
        }
        lines.append("    workers: \(stage.workerCount)")
        if let worker = stage.workerExecutable { lines.append("    worker: \(quoted(worker))") }
        lines.append("    inFlight: \(stage.inFlight)")
        lines.append("    policy: \(quoted(stage.policy.text))")
        if let overload = stage.overload { lines.append("    overload: \(quoted(overload.text))") }
        if let limit = stage.queueLimit { lines.append("    queueLimit: \(limit)") }
        if stage.outputSlotByteCount != 0 {
            lines.append("    outputSlotBytes: \(stage.outputSlotByteCount)")
        }
        if stage.startTimeLimit != standard.startTimeLimit {
            lines.append("    startTimeLimit: \(QuantityText.text(of: stage.startTimeLimit))")
        }
        if stage.stopTimeLimit != standard.stopTimeLimit {
            lines.append("    stopTimeLimit: \(QuantityText.text(of: stage.stopTimeLimit))")
        }
        lines += supervision(of: stage, standard)
        lines.append("    processors:")
        for processor in stage.processors {
            lines.append("      - \(quoted(processor.name)): \(text(of: processor.settings))")
        }
        return lines
    }

    private static func supervision(
        of stage: StageConfiguration, _ standard: StageConfiguration
    ) -> [String] {
        var lines: [String] = []
        if stage.frameTimeLimit != standard.frameTimeLimit {
            let limit = stage.frameTimeLimit.map(QuantityText.text) ?? PipelineFile.noLimitWord
            lines.append("    frameTimeLimit: \(limit)")
        }
        if let limit = stage.memoryLimit { lines.append("    memoryLimit: \(limit)") }
        if stage.responseTimeLimit != standard.responseTimeLimit {
            let limit = stage.responseTimeLimit.map(QuantityText.text) ?? PipelineFile.noLimitWord
            lines.append("    responseTimeLimit: \(limit)")
        }
        if stage.maximumAttempts != standard.maximumAttempts {
            lines.append("    maximumAttempts: \(stage.maximumAttempts)")
        }
        if stage.maximumFruitlessLives != standard.maximumFruitlessLives {
            lines.append("    maximumFruitlessLives: \(stage.maximumFruitlessLives)")
        }
        return lines
    }

    private static func text(of structure: Structure) -> String {
        let fields = structure.fields.map { "\(quoted($0.name)): \(text(of: $0.value))" }
        return "{\(fields.joined(separator: ", "))}"
    }

    private static func text(of value: StructureValue) -> String {
        switch value {
        case .scalar(let scalar): quoted(scalar.description)
        case .list(let values): "[\(values.map(text(of:)).joined(separator: ", "))]"
        case .structure(let structure): text(of: structure)
        }
    }

    /// A YAML scalar: as it is when it is a plain word, else in double quotes (YAML 1.2 §7.3.1).
    static func quoted(_ text: String) -> String {
        let isPlain = text.unicodeScalars.allSatisfy {
            $0.isASCII
                && ($0.properties.isAlphabetic || ("0"..."9").contains($0)
                    || "_./-".unicodeScalars.contains($0))
        }
        let words = ["null", "true", "false", "yes", "no", "on", "off"]
        if isPlain, let first = text.first, first.isLetter || first.isNumber || first == "/",
            !words.contains(text.lowercased())
        {
            return text
        }
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\t": quoted += "\\t"
            case "\r": quoted += "\\r"
            case _ where isEscaped(scalar.value):
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }

    /// What YAML 1.2 §5.1 does not let stand as it is, and line breaks (§5.4), which would be folded.
    private static func isEscaped(_ scalar: UInt32) -> Bool {
        switch scalar {
        case 0..<0x20, 0x7F..<0xA0, 0x2028, 0x2029, 0xFEFF, 0xFFFE, 0xFFFF: true
        default: false
        }
    }
}
