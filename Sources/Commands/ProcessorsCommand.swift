internal import ArgumentParser
internal import ControllerRuntime
internal import WorkerProtocol

/// `sluice processors`.
struct ProcessorsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "processors",
        abstract: "List the processors of a worker executable with their settings.")

    @Option(
        help: ArgumentHelp("Worker executable (otherwise sluice-worker).", valueName: "executable"),
        completion: .file())
    var worker: String?

    @Option(help: "table or json.")
    var format = OutputFormat.table

    @Argument(help: ArgumentHelp("Only these processors.", valueName: "Name"))
    var names: [String] = []

    func run() throws {
        let offered = try WorkerQuestion.processors(of: worker)
        for name in names where !offered.contains(where: { $0.name == name }) {
            throw CommandError(
                "the worker offers no processor \(name)"
                    + nearestNameHint(for: name, in: offered.map(\.name)))
        }
        let processors = offered.filter { names.isEmpty || names.contains($0.name) }
        switch format {
        case .table: Output.lines(ProcessorsText.lines(of: processors))
        case .json: Output.line(try JSONText.of(processors.map(ProcessorJSON.init)))
        }
    }
}

/// Asks a worker executable without a run.
enum WorkerQuestion {
    /// What it offers; nil is the standard worker.
    static func processors(of executable: String?) throws(CommandError) -> [ProcessorDescription] {
        do {
            return try WorkerProbe.describe(executable: executable)
        } catch {
            throw CommandError(error)
        }
    }
}

/// What a worker offers, for people.
enum ProcessorsText {
    /// Each processor with a table of its settings.
    static func lines(of processors: [ProcessorDescription]) -> [String] {
        if processors.isEmpty { return ["the worker offers no processors"] }
        var lines: [String] = []
        for processor in processors.sorted(by: { $0.name < $1.name }) {
            if !lines.isEmpty { lines.append("") }
            lines.append(processor.name)
            if !processor.summary.isEmpty { lines.append("  \(processor.summary)") }
            var table = TextTable([
                ("setting", .left), ("kind", .left), ("default", .left), ("allowed", .left),
                ("changeable", .left), ("meaning", .left),
            ])
            for setting in processor.settings {
                table.add([
                    setting.key, setting.kind, defaultText(of: setting), allowedText(of: setting),
                    setting.isChangeable ? "yes" : "no", setting.summary,
                ])
            }
            if !table.isEmpty { lines += [""] + table.lines(indent: 2) }
        }
        return lines
    }

    private static func defaultText(of setting: SettingDescription) -> String {
        guard let value = setting.defaultValue else { return "(required)" }
        return value.isEmpty ? "\"\"" : value
    }

    private static func allowedText(of setting: SettingDescription) -> String {
        let hasUnit = setting.unit.isEmpty || setting.allowed.hasSuffix(setting.unit)
        return hasUnit ? setting.allowed : "\(setting.allowed) \(setting.unit)".trimmed
    }
}

/// One processor in JSON.
struct ProcessorJSON: Encodable {
    let name: String
    let summary: String
    let settings: [Setting]

    /// One setting; `default` is null when a value must be given.
    struct Setting: Encodable {
        let key: String
        let kind: String
        let `default`: String?
        let allowed: String
        let unit: String
        let summary: String
        let changeable: Bool
    }

    init(_ processor: ProcessorDescription) {
        name = processor.name
        summary = processor.summary
        settings = processor.settings.map {
            Setting(
                key: $0.key, kind: $0.kind, default: $0.defaultValue, allowed: $0.allowed,
                unit: $0.unit, summary: $0.summary, changeable: $0.isChangeable)
        }
    }
}
