internal import ArgumentParser
internal import Endpoints
internal import FrameReaders
internal import NDArrays

/// `sluice simulate`.
struct SimulateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate", abstract: "Write simulated frames to files, for trying things.")

    @Option(help: ArgumentHelp("Number of frames.", valueName: "n"))
    var count = 100

    @Option(help: ArgumentHelp("Rows and columns.", valueName: "rowsxcolumns"))
    var shape = "1024x1024"

    @Option(
        help: ArgumentHelp("Type of a pixel.", valueName: "type"),
        completion: .list(ElementType.allCases.map(\.name)))
    var type = "uint16"

    @Option(
        help: ArgumentHelp("Pattern.", valueName: "pattern"),
        completion: .list(SimulatedPattern.allCases.map(\.rawValue)))
    var pattern = "rings"

    @Option(help: ArgumentHelp("Another seed gives other noise.", valueName: "n"))
    var seed = 1

    @Option(help: ArgumentHelp("Value of every pixel of the pattern flat.", valueName: "x"))
    var level: Double?

    @Option(
        help: ArgumentHelp("Files: tiff (one a frame) or npy (one for all).", valueName: "format"),
        completion: .list(["tiff", "npy"]))
    var format = "tiff"

    @Option(
        help: ArgumentHelp("Folder, made if need be.", valueName: "dir"), completion: .directory)
    var output: String

    @Flag(help: "Print errors only.")
    var quiet = false

    func run() throws {
        guard let fileFormat = FileFormat(rawValue: format) else {
            throw CommandError("--format is \(format): it must be tiff or npy")
        }
        var settings = Structure()
        func set(_ name: String, _ value: String) { settings[name] = .scalar(.string(value)) }
        set("count", "\(count)")
        set("shape", shape)
        set("type", type)
        set("pattern", pattern)
        set("seed", "\(seed)")
        if let level { set("level", "\(level)") }
        let byteCount: Int
        do {
            let simulation = try SourceFactory.makeSimulation(settings: settings)
            byteCount = try simulation.write(to: output, format: fileFormat)
        } catch {
            throw CommandError(error)
        }
        if !quiet {
            Output.line("\(count) frames, \(NumberText.bytes(Double(byteCount))), in \(output)")
        }
    }
}
