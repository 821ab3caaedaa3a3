internal import ControllerRuntime
internal import Endpoints
internal import Journal
internal import NDArrays

/// The configuration file of a run. Every key is in `Docs/Reference/Configuration.md`.
enum PipelineFile {
    /// Keys of the file.
    static let keys = [
        "source", "stages", "rate", "plane", "pool", "memory", "statistics", "logLevel",
        "runDirectory",
        "stallTimeLimit", "durability", "journal", "telemetry",
        "startedIn",
    ]
    /// Keys of a stage.
    static let stageKeys = [
        "name", "from", "workers", "processors", "worker", "inFlight", "policy", "overload",
        "queueLimit", "outputSlotBytes", "startTimeLimit", "stopTimeLimit", "frameTimeLimit",
        "memoryLimit", "responseTimeLimit", "maximumAttempts", "maximumFruitlessLives",
    ]
    /// Keys of `pool`.
    static let poolKeys = ["inputSlots", "inputSlotBytes"]
    /// Keys of `memory`.
    static let memoryKeys = ["maximumBytes"]
    /// Keys of `journal`.
    static let journalKeys = ["maximumBytes", "keep", "durability"]
    /// Keys of `statistics`.
    static let statisticsKeys = ["period"]
    /// Levels of log lines, lowest first.
    static let logLevels = ["trace", "debug", "info", "notice", "warning", "error", "critical"]
    /// The word that stands for the source in `from`.
    static let sourceWord = "source"

    /// The plan that `text` describes; `file` is named in errors.
    static func parse(_ text: String, file: String) throws(CommandError) -> RunPlan {
        let root = try YAMLValue.parse(text, file: file)
        let values = try root.values(keys: keys)
        var plan = RunPlan(configuration: RunConfiguration(stages: []))
        if let value = values["source"] { plan.source = try source(value) }
        guard let stages = values["stages"] else { throw root.error("has no stages: add them") }
        plan.configuration.stages = try self.stages(stages)
        if let value = values["rate"] {
            plan.configuration.rateLimit = try value.parsed("frames per second, above 0") {
                QuantityText.real($0).flatMap { $0 > 0 ? $0 : nil }
            }
        }
        if let value = values["plane"] {
            plan.configuration.plane = try value.parsed(
                PixelPlane.allCases.map(\.rawValue).joined(separator: " or "),
                PixelPlane.init(rawValue:))
        }
        if let value = values["pool"] { try pool(value, &plan.configuration) }
        if let bytes = try values["memory"]?.values(keys: memoryKeys)["maximumBytes"] {
            plan.configuration.maximumMemoryByteCount = try byteCount(bytes)
        }
        if let period = try values["statistics"]?.values(keys: statisticsKeys)["period"] {
            plan.configuration.statisticsPeriod = try duration(period, minimum: .milliseconds(10))
        }
        if let value = values["logLevel"] {
            plan.configuration.logLevel = try value.parsed(
                "one of \(logLevels.joined(separator: ", "))"
            ) { logLevels.contains($0) ? $0 : nil }
        }
        if let value = values["stallTimeLimit"] {
            plan.configuration.stallTimeLimit = try value.parsed(
                StallTimeLimit.expected, StallTimeLimit.init(text:)
            ).duration
        }
        if let value = values["durability"] {
            plan.configuration.durability = try value.parsed(
                Durability.expected, Durability.init(rawValue:))
        }
        if let value = values["journal"] { plan.configuration.journal = try journal(value) }
        if let value = values["runDirectory"] {
            plan.configuration.runDirectory = try value.text()
        }
        if let value = values["telemetry"] { plan.telemetry = try telemetry(value) }
        plan.startedIn = try values["startedIn"]?.text()
        return plan
    }

    // MARK: - Parts

    /// `tiff:scan/*.tif`, or `{tiff: {paths: […]}}`, `{tiff: scan/*.tif}`, `{sim: {count: 5}}`.
    private static func source(_ value: YAMLValue) throws(CommandError) -> SourceSpecification {
        if value.isScalar {
            do {
                return try SourceSpecification.parse(value.text())
            } catch {
                throw value.error("is wrong: \(error.message)")
            }
        }
        let entries = try value.entries()
        guard entries.count == 1, let entry = entries.first else {
            throw value.error("must hold one kind with its settings, as `{tiff: {paths: [a.tif]}}`")
        }
        guard let kind = SourceSpecification.kinds.first(where: { $0.name == entry.key }) else {
            throw value.error(
                "has the unknown kind \(entry.key)"
                    + nearestNameHint(for: entry.key, in: SourceSpecification.kinds.map(\.name)),
                line: entry.line)
        }
        var source = SourceSpecification(kind: kind.name)
        if kind.takesPaths {
            if entry.value.isMapping {
                let values = try entry.value.values(keys: kind.settings.map(\.name))
                guard let paths = values["paths"] else { throw entry.value.error("has no paths") }
                source.paths = try paths.texts()
            } else {
                source.paths = try entry.value.texts()
            }
            guard !source.paths.isEmpty else { throw entry.value.error("has no paths") }
        } else {
            source.settings = try entry.value.structure()
            _ = entry.value.isNull ? [:] : try entry.value.values(keys: kind.settings.map(\.name))
        }
        return source
    }

    private static func stages(
        _ value: YAMLValue
    ) throws(CommandError) -> [StageConfiguration] {
        let list = try value.list()
        var stages: [StageConfiguration] = []
        for (index, item) in list.enumerated() {
            let values = try item.values(keys: stageKeys)
            let stage = try stage(item, values, isOnly: list.count == 1)
            if index > 0, values["from"] == nil {
                throw item.error(
                    "(\(stage.name)) has no from: write from: \(stages[index - 1].name) to take "
                        + "what that stage gives, or from: source for the frames of the source")
            }
            stages.append(stage)
        }
        if stages.isEmpty { throw value.error("is empty: a run needs a stage") }
        return stages
    }

    private static func stage(
        _ item: YAMLValue, _ values: [String: YAMLValue], isOnly: Bool
    ) throws(CommandError) -> StageConfiguration {
        guard let processors = values["processors"] else {
            throw item.error("has no processors: add them")
        }
        var stage = StageConfiguration(
            name: StageConfiguration.onlyStageName, processors: try self.processors(processors))
        if let name = values["name"] {
            stage.name = try name.parsed(
                "letters, digits, - and _, and not `source`", Self.stageName)
        } else if !isOnly {
            throw item.error("has no name: each of several stages needs one")
        }
        if let from = try values["from"]?.text(), from != sourceWord { stage.from = from }
        if let workers = values["workers"] {
            stage.workerCount = try workers.integer(in: 1...StageConfiguration.maximumWorkerCount)
        }
        if let worker = values["worker"] { stage.workerExecutable = try worker.text() }
        if let inFlight = values["inFlight"] {
            stage.inFlight = try inFlight.integer(in: 1...StageConfiguration.maximumInFlight)
        }
        if let policy = values["policy"] { stage.policy = try self.policy(policy) }
        if let overload = values["overload"] {
            stage.overload = try overload.parsed(
                OverloadPolicy.expected, OverloadPolicy.init(text:))
        }
        if let limit = values["queueLimit"] {
            stage.queueLimit = try limit.integer(in: 1...StageConfiguration.maximumQueueLimit)
        }
        if let bytes = values["outputSlotBytes"] {
            stage.outputSlotByteCount = try byteCount(bytes)
        }
        if let limit = values["startTimeLimit"] {
            stage.startTimeLimit = try duration(limit, minimum: .milliseconds(1))
        }
        if let limit = values["stopTimeLimit"] {
            stage.stopTimeLimit = try duration(limit, minimum: .milliseconds(1))
        }
        try supervision(values, &stage)
        return stage
    }

    /// What the workers of a stage may take, and how often they may be lost.
    private static func supervision(
        _ values: [String: YAMLValue], _ stage: inout StageConfiguration
    ) throws(CommandError) {
        if let limit = values["frameTimeLimit"] {
            stage.frameTimeLimit = try limit.parsed(
                Self.expectedTimeLimit, Self.timeLimit)
        }
        if let limit = values["memoryLimit"] {
            stage.memoryLimit = try limit.parsed(Self.expectedMemoryLimit, Self.memoryLimit)
        }
        if let limit = values["responseTimeLimit"] {
            stage.responseTimeLimit = try limit.parsed(Self.expectedTimeLimit, Self.timeLimit)
        }
        if let count = values["maximumAttempts"] {
            stage.maximumAttempts = try count.integer(in: 1...maximumCount)
        }
        stage.maximumFruitlessLives = StageConfiguration.standardFruitlessLives(
            maximumAttempts: stage.maximumAttempts)
        if let count = values["maximumFruitlessLives"] {
            stage.maximumFruitlessLives = try count.integer(in: 1...maximumCount)
        }
    }

    /// The word for "no limit".
    static let noLimitWord = "none"
    /// What limits that may be absent have to be, for errors.
    static let expectedTimeLimit = "a time above 0, as 30s, 500ms or 5min, or none"
    static let expectedMemoryLimit = "a size above 0, as 2GiB or 500MB, or none"
    /// Largest number of attempts and of lives: more is no limit.
    private static let maximumCount = 1_000_000

    /// A time or `none`; the outer nil is for anything else.
    static func timeLimit(_ text: String) -> Duration?? {
        if text == noLimitWord { return .some(nil) }
        guard let limit = QuantityText.duration(text), limit > .zero else { return nil }
        return .some(limit)
    }

    /// A size or `none`; the outer nil is for anything else.
    static func memoryLimit(_ text: String) -> Int?? {
        if text == noLimitWord { return .some(nil) }
        guard let limit = QuantityText.byteCount(text), limit > 0 else { return nil }
        return .some(limit)
    }

    /// A name that may stand before a dot in `--set`.
    static func stageName(_ text: String) -> String? {
        let isGood = text.allSatisfy { $0.isLetter || $0.isNumber || $0 == "-" || $0 == "_" }
        return isGood && !text.isEmpty && text != sourceWord ? text : nil
    }

    private static func processors(
        _ value: YAMLValue
    ) throws(CommandError) -> [ProcessorConfiguration] {
        var processors: [ProcessorConfiguration] = []
        for item in try value.list() {
            if item.isScalar {
                do {
                    processors.append(try SettingText.processor(item.text()))
                } catch {
                    throw item.error("is wrong: \(error.message)")
                }
                continue
            }
            let entries = try item.entries()
            guard entries.count == 1, let entry = entries.first else {
                throw item.error("must hold one processor, as `Name` or `{Name: {key: value}}`")
            }
            processors.append(
                ProcessorConfiguration(entry.key, settings: try entry.value.structure()))
        }
        if processors.isEmpty { throw value.error("is empty: a stage needs a processor") }
        return processors
    }

    private static func policy(_ value: YAMLValue) throws(CommandError) -> DispatchPolicy {
        if value.isMapping {
            let values = try value.values(keys: ["hash"])
            return .hash(attribute: try values["hash"]?.text())
        }
        return try value.parsed(DispatchPolicy.expected, DispatchPolicy.init(text:))
    }

    private static func pool(
        _ value: YAMLValue, _ configuration: inout RunConfiguration
    ) throws(CommandError) {
        let values = try value.values(keys: poolKeys)
        if let slots = values["inputSlots"] {
            configuration.inputSlotCount = try slots.integer(in: 0...65_536)
        }
        if let bytes = values["inputSlotBytes"] {
            configuration.inputSlotByteCount = try byteCount(bytes)
        }
    }

    private static func journal(_ value: YAMLValue) throws(CommandError) -> JournalPolicy {
        let values = try value.values(keys: journalKeys)
        var policy = JournalPolicy()
        if let value = values["durability"] {
            policy.durability = try value.parsed(
                JournalPolicy.expectedDurability, JournalDurability.init(text:))
        }
        if let value = values["maximumBytes"] {
            policy.rotation = try value.parsed(
                JournalPolicy.expectedByteCount, JournalPolicy.byteCount
            ).map { JournalRotation(maximumByteCount: $0) }
        }
        if let value = values["keep"] {
            guard policy.rotation != nil else {
                throw value.error("has no sense with maximumBytes: none: give a size")
            }
            policy.rotation?.keptFileCount = try value.integer(in: 0...100_000)
        }
        return policy
    }

    static func byteCount(_ value: YAMLValue) throws(CommandError) -> Int {
        try value.parsed("a size, as 4GiB, 100MB or a number of bytes", QuantityText.byteCount)
    }

    static func duration(
        _ value: YAMLValue, minimum: Duration
    ) throws(CommandError) -> Duration {
        try value.parsed(
            "a time of at least \(QuantityText.text(of: minimum)), as 1s, 500ms or 2min"
        ) { QuantityText.duration($0).flatMap { $0 >= minimum ? $0 : nil } }
    }
}

extension StageConfiguration {
    /// Name of a stage that is the only one and was given no other.
    static let onlyStageName = "main"
}

/// How long a stage may be held, as people write it.
struct StallTimeLimit {
    /// What it has to be, for errors.
    static let expected = "a time of at least 1ms, as 10min or 30s, or none"

    /// Nil: for ever.
    var duration: Duration?

    /// The limit of a text, nil for others.
    init?(text: String) {
        if text == "none" { return }
        guard let time = QuantityText.duration(text), time >= .milliseconds(1) else { return nil }
        duration = time
    }

    /// The text of a limit.
    static func text(of limit: Duration?) -> String {
        limit.map { QuantityText.text(of: $0) } ?? "none"
    }
}

extension Durability {
    /// What it has to be, for errors.
    static let expected = allCases.map(\.rawValue).joined(separator: " or ")
}

extension OverloadPolicy {
    /// What a policy has to be, for errors.
    static let expected = "block, drop-oldest, drop-newest or sample=1/N"

    /// The policy of its words, nil for others.
    init?(text: String) {
        switch text {
        case "block": self = .block
        case "drop-oldest": self = .dropOldest
        case "drop-newest": self = .dropNewest
        default:
            let prefix = "sample=1/"
            guard text.hasPrefix(prefix), let everyNth = Int(text.dropFirst(prefix.count)),
                everyNth > 0
            else { return nil }
            self = .sample(everyNth: everyNth)
        }
    }

    /// The words that `init(text:)` reads.
    var text: String {
        switch self {
        case .block: "block"
        case .dropOldest: "drop-oldest"
        case .dropNewest: "drop-newest"
        case .sample(let everyNth): "sample=1/\(everyNth)"
        }
    }
}

extension DispatchPolicy {
    /// What a policy has to be, for errors.
    static let expected = "least-loaded, round-robin, hash or hash:ATTRIBUTE"

    /// The policy of its words, nil for others.
    init?(text: String) {
        switch text {
        case "least-loaded": self = .leastLoaded
        case "round-robin": self = .roundRobin
        case "hash": self = .hash(attribute: nil)
        default:
            guard text.hasPrefix("hash:"), text.count > 5 else { return nil }
            self = .hash(attribute: String(text.dropFirst(5)))
        }
    }

    /// The words that `init(text:)` reads.
    var text: String {
        switch self {
        case .leastLoaded: "least-loaded"
        case .roundRobin: "round-robin"
        case .hash(let attribute): attribute.map { "hash:\($0)" } ?? "hash"
        }
    }
}
