internal import ArgumentParser
internal import ControllerRuntime
internal import Foundation
internal import NDArrays

/// The options of `sluice run`, and the plan they make.
struct RunOptions: ParsableArguments {
    @Argument(
        help: ArgumentHelp(
            "Configuration file (YAML); with --resume it may be the run directory.",
            valueName: "pipeline.yaml"),
        completion: .file(extensions: ["yaml", "yml"]))
    var file: String?

    @Option(
        help: ArgumentHelp(
            "Where frames come from: tiff:PATH,…, npy:PATH,…, sim:key=value,…, failed:RUN.",
            valueName: "kind:rest"))
    var source: String?

    @Option(
        help: ArgumentHelp(
            "Worker processes: a number, or STAGE=N for one of several stages. Can be repeated.",
            valueName: "n"))
    var workers: [String] = []

    @Option(
        help: ArgumentHelp(
            "A processor with its settings. Can be repeated; the order is that of the chain.",
            valueName: "Name:key=value,…"))
    var processor: [String] = []

    @Option(
        help: ArgumentHelp(
            "Worker executable for the stages that name none (otherwise sluice-worker).",
            valueName: "executable"), completion: .file())
    var worker: String?

    @Option(
        name: .customLong("set"),
        help: ArgumentHelp(
            "Override a setting of the file. Can be repeated.",
            valueName: "stage.processor.key=value"))
    var settings: [String] = []

    @Option(
        help: ArgumentHelp(
            "Folder that the run leaves (otherwise runs/DATE-TIME-xxxx here).", valueName: "dir"),
        completion: .directory)
    var runDir: String?

    @Flag(
        help: """
            Take up the run of the run directory where it was interrupted: do what is missing, \
            and nothing twice.
            """)
    var resume = false

    @Option(
        help: ArgumentHelp("Write the summary (JSON) there, too.", valueName: "file"),
        completion: .file(extensions: ["json"]))
    var summary: String?

    @Option(help: ArgumentHelp("Take at most so many frames a second.", valueName: "frames/s"))
    var rate: Double?

    @Option(help: ArgumentHelp("Most frames of one worker in flight.", valueName: "n"))
    var inFlight: Int?

    @Option(
        help: ArgumentHelp(
            "How the worker of a frame is picked: \(DispatchPolicy.expected).",
            valueName: "policy"), completion: .list(["least-loaded", "round-robin", "hash"]))
    var policy: String?

    @Option(
        help: ArgumentHelp(
            "Time that a worker may take for one frame (otherwise 5min), or none.",
            valueName: "time"))
    var frameTimeLimit: String?

    @Option(
        help: ArgumentHelp(
            "Most memory of its own that a worker may take, or none.", valueName: "size"))
    var memoryLimit: String?

    @Option(
        help: ArgumentHelp(
            "What the stages that say nothing do with frames for which they have no room: "
                + "\(OverloadPolicy.expected).",
            valueName: "policy"),
        completion: .list(["block", "drop-oldest", "drop-newest", "sample=1/10"]))
    var overload: String?

    @Option(
        help: ArgumentHelp(
            "Most memory of pools and queued pixels: 2GiB, 500MB (otherwise 4 GiB, or three quarters "
                + "of what the machine can give).",
            valueName: "bytes"))
    var memory: String?

    @Option(
        help: ArgumentHelp("How pixels get to workers: shared or inline.", valueName: "plane"),
        completion: .list(PixelPlane.allCases.map(\.rawValue)))
    var plane: String?

    @Option(
        help: ArgumentHelp(
            "Lowest level of the workers' log lines: "
                + "\(PipelineFile.logLevels.joined(separator: ", ")).",
            valueName: "level"), completion: .list(PipelineFile.logLevels))
    var logLevel: String?

    @Option(
        help: ArgumentHelp(
            "Longest time that a stage waits for a full or vanished folder: a time, or none.",
            valueName: "time"))
    var stallTimeLimit: String?

    @Option(
        help: ArgumentHelp(
            "When files are forced to the disk: \(Durability.expected).", valueName: "when"),
        completion: .list(Durability.allCases.map(\.rawValue)))
    var durability: String?

    @Flag(help: "Print errors only.")
    var quiet = false

    /// The plan of file and options together; options win.
    func plan() throws(CommandError) -> RunPlan { try plan(from: basis()) }

    /// The plan that options make of another one.
    func plan(from basis: RunPlan) throws(CommandError) -> RunPlan {
        var plan = basis
        plan.startedIn = WorkingFolder.current
        if let source { plan.source = try SourceSpecification.parse(source) }
        for setting in settings {
            try PlanOptions.apply(setting: setting, to: &plan.configuration)
        }
        for count in workers { try PlanOptions.apply(workers: count, to: &plan.configuration) }
        for index in plan.configuration.stages.indices {
            try applyStageOptions(&plan.configuration.stages[index])
        }
        try applyRunOptions(&plan.configuration)
        guard plan.source != nil else {
            throw CommandError(
                "there is no source: give --source, as tiff:scan/*.tif or sim:count=200"
                    + (file == nil ? "" : ", or a source in \(file ?? "")"))
        }
        try plan.checkStages()
        plan.configuration.configurationText = PipelineText.text(of: plan)
        return plan
    }

    /// What a file, or the processors of the command line, say.
    func basis() throws(CommandError) -> RunPlan {
        if let file {
            guard processor.isEmpty else {
                throw CommandError(
                    "the processors are in \(file): change their settings with "
                        + "--set stage.processor.key=value, or leave out the file")
            }
            return try RunPlan.read(file: file)
        }
        guard !processor.isEmpty else {
            throw CommandError(
                "there is nothing to do: give a configuration file, or --source and --processor")
        }
        var processors: [ProcessorConfiguration] = []
        for text in processor { processors.append(try SettingText.processor(text)) }
        let stage = StageConfiguration(
            name: StageConfiguration.onlyStageName, processors: processors)
        return RunPlan(configuration: RunConfiguration(stages: [stage]))
    }

    private func applyStageOptions(_ stage: inout StageConfiguration) throws(CommandError) {
        if let worker, stage.workerExecutable == nil { stage.workerExecutable = worker }
        if let inFlight {
            guard (1...StageConfiguration.maximumInFlight).contains(inFlight) else {
                throw CommandError(
                    "--in-flight is \(inFlight): it must be from 1 to "
                        + "\(StageConfiguration.maximumInFlight)")
            }
            stage.inFlight = inFlight
        }
        if let overload {
            guard let value = OverloadPolicy(text: overload) else {
                throw CommandError(
                    "--overload is \(overload): it must be \(OverloadPolicy.expected)")
            }
            if stage.overload == nil { stage.overload = value }
        }
        if let policy {
            guard let value = DispatchPolicy(text: policy) else {
                throw CommandError(
                    "--policy is \(policy): it must be \(DispatchPolicy.expected)")
            }
            stage.policy = value
        }
        try applyLimits(&stage)
    }

    private func applyLimits(_ stage: inout StageConfiguration) throws(CommandError) {
        if let frameTimeLimit {
            guard let limit = PipelineFile.timeLimit(frameTimeLimit) else {
                throw CommandError(
                    "--frame-time-limit is \(frameTimeLimit): it must be "
                        + PipelineFile.expectedTimeLimit)
            }
            stage.frameTimeLimit = limit
        }
        if let memoryLimit {
            guard let limit = PipelineFile.memoryLimit(memoryLimit) else {
                throw CommandError(
                    "--memory-limit is \(memoryLimit): it must be "
                        + PipelineFile.expectedMemoryLimit)
            }
            stage.memoryLimit = limit
        }
    }

    private func applyRunOptions(_ configuration: inout RunConfiguration) throws(CommandError) {
        if let rate {
            guard rate > 0, rate.isFinite else {
                throw CommandError("--rate is \(rate): it must be frames per second, above 0")
            }
            configuration.rateLimit = rate
        }
        if let memory {
            guard let value = QuantityText.byteCount(memory), value > 0 else {
                throw CommandError(
                    "--memory is \(memory): it must be a size, as 2GiB, 500MB or a number of bytes")
            }
            configuration.maximumMemoryByteCount = value
        }
        if let plane {
            guard let value = PixelPlane(rawValue: plane) else {
                throw CommandError("--plane is \(plane): it must be shared or inline")
            }
            configuration.plane = value
        }
        if let logLevel {
            guard PipelineFile.logLevels.contains(logLevel) else {
                throw CommandError(
                    "--log-level is \(logLevel): it must be one of "
                        + PipelineFile.logLevels.joined(separator: ", "))
            }
            configuration.logLevel = logLevel
        }
        if let stallTimeLimit {
            guard let value = StallTimeLimit(text: stallTimeLimit) else {
                throw CommandError(
                    "--stall-time-limit is \(stallTimeLimit): it must be "
                        + StallTimeLimit.expected)
            }
            configuration.stallTimeLimit = value.duration
        }
        if let durability {
            guard let value = Durability(rawValue: durability) else {
                throw CommandError(
                    "--durability is \(durability): it must be \(Durability.expected)")
            }
            configuration.durability = value
        }
        configuration.runDirectory =
            runDir ?? configuration.runDirectory ?? RunNames.directory(at: Date())
    }

}

/// Options that change a part of a plan, for all commands that have them.
enum PlanOptions {
    /// `--workers`: `N` for all stages, `STAGE=N` for one.
    static func apply(
        workers text: String, to configuration: inout RunConfiguration
    ) throws(CommandError) {
        let sign = text.firstIndex(of: "=")
        let number = sign.map { String(text[text.index(after: $0)...]) } ?? text
        guard let count = Int(number), (1...StageConfiguration.maximumWorkerCount).contains(count)
        else {
            throw CommandError(
                "--workers is \(text): it must be a number from 1 to "
                    + "\(StageConfiguration.maximumWorkerCount), or STAGE=N")
        }
        guard let sign else {
            for index in configuration.stages.indices {
                configuration.stages[index].workerCount = count
            }
            return
        }
        let index = try stage(String(text[..<sign]), of: configuration, option: "--workers")
        configuration.stages[index].workerCount = count
    }

    private static func stage(
        _ name: String, of configuration: RunConfiguration, option: String
    ) throws(CommandError) -> Int {
        if let index = configuration.stages.firstIndex(where: { $0.name == name }) { return index }
        throw CommandError(
            "\(option) names the unknown stage \(name)"
                + nearestNameHint(for: name, in: configuration.stages.map(\.name)))
    }

    /// `--worker`: `EXECUTABLE` where all stages have the same, `STAGE=EXECUTABLE` for one. A relative
    /// path is taken from `folder`, nil: from the folder of the plan.
    static func replace(
        worker text: String, from folder: String?, in configuration: inout RunConfiguration
    ) throws(CommandError) {
        let names = configuration.stages.map(\.name)
        if let sign = text.firstIndex(of: "="),
            let index = names.firstIndex(of: String(text[..<sign]))
        {
            configuration.stages[index].workerExecutable = WorkingFolder.program(
                String(text[text.index(after: sign)...]), in: folder)
            return
        }
        guard Set(configuration.stages.map(\.workerExecutable)).count == 1 else {
            throw CommandError(
                "--worker \(text): the stages have different workers; write STAGE=EXECUTABLE with "
                    + "one of \(names.joined(separator: ", "))")
        }
        for index in names.indices {
            configuration.stages[index].workerExecutable = WorkingFolder.program(text, in: folder)
        }
    }

    /// `--set`: `stage.processor.key=value`; the stage may be left out where the processor is in one
    /// only.
    static func apply(
        setting text: String, to configuration: inout RunConfiguration
    ) throws(CommandError) {
        let (path, value) = try SettingText.assignment(text, of: "--set")
        let parts = path.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2 || parts.count == 3, parts.allSatisfy({ !$0.isEmpty }) else {
            throw CommandError(
                "--set \(text) has no place: write --set stage.processor.key=value")
        }
        let name = parts[parts.count - 2]
        var places: [(stage: Int, processor: Int)] = []
        let only =
            parts.count == 3 ? try stage(parts[0], of: configuration, option: "--set") : nil
        for (stage, entry) in configuration.stages.enumerated() where only ?? stage == stage {
            for (place, processor) in entry.processors.enumerated() where processor.name == name {
                places.append((stage, place))
            }
        }
        guard let place = places.first else {
            let known = configuration.stages.flatMap { $0.processors.map(\.name) }
            throw CommandError(
                "--set names the processor \(name), which is not there"
                    + nearestNameHint(for: name, in: known))
        }
        guard places.count == 1 else {
            throw CommandError(
                only == nil
                    ? "--set \(path): \(name) is in several places; write stage.\(name).\(parts[1])"
                    : "--set \(path): the stage \(parts[0]) has \(name) twice; change the file")
        }
        configuration.stages[place.stage].processors[place.processor].settings[
            parts[parts.count - 1]] =
            .scalar(.string(value))
    }
}

/// Names that a run gets where the person gives none.
enum RunNames {
    /// `runs/20261121-034500-k7m2`: local time, and four letters so that two runs of one second
    /// differ.
    static func directory(at date: Date) -> String {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.dateFormat = "yyyyMMdd-HHmmss"
        let letters = Array("abcdefghjkmnpqrstuvwxyz23456789")
        let suffix = String((0..<4).map { _ in letters.randomElement() ?? "x" })
        return "runs/\(formatter.string(from: date))-\(suffix)"
    }
}
