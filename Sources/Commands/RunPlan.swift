internal import ControllerRuntime
internal import Foundation
internal import NDArrays
internal import RunTelemetry

/// What a run shall do: its configuration and its source, as given by a file, options, or both.
struct RunPlan: Sendable, Hashable {
    /// Where frames come from; nil while nobody has said it.
    var source: SourceSpecification?
    /// Everything else.
    var configuration: RunConfiguration
    /// Where statistics and events go; nil: into the run directory alone.
    var telemetry: TelemetryPlan?
    /// The folder that relative paths of the plan were taken from, as a run directory keeps it; nil
    /// where nobody has said it. A new run takes them from the present folder whatever this is.
    var startedIn: String?

    /// Whether a password, a token or a key stands in it.
    var holdsSecret: Bool { telemetry?.configuration.holdsSecret ?? false }

    /// The longest configuration file in bytes: thousands of stages; more is not a configuration.
    static let maximumFileByteCount = 1 << 20

    /// Reads a configuration file.
    static func read(file: String) throws(CommandError) -> RunPlan {
        try PipelineFile.parse(text(ofFile: file, kind: "configuration"), file: file)
    }

    /// The text of a file that somebody wrote; `kind` is what it should be, for messages.
    static func text(ofFile file: String, kind: String) throws(CommandError) -> String {
        let data: Data
        do {
            data = try Data(contentsOf: URL(fileURLWithPath: file))
        } catch {
            throw CommandError("can't read the \(kind) \(file): \(SystemReason.of(error))")
        }
        guard data.count <= maximumFileByteCount else {
            throw CommandError(
                "the \(kind) \(file) has \(data.count) bytes, more than "
                    + "\(maximumFileByteCount): is it the right file?")
        }
        guard let text = String(bytes: data, encoding: .utf8) else {
            throw CommandError("the \(kind) \(file) is no UTF-8 text: is it the right file?")
        }
        return text
    }

    /// Fits the stages together: names are unique, every `from` is a stage, there is no circle, and
    /// with several stages only the first may leave `from` out.
    func checkStages() throws(CommandError) {
        let stages = configuration.stages
        if stages.isEmpty {
            throw CommandError("there are no stages: give --processor, or stages in a file")
        }
        let names = stages.map(\.name)
        for (index, stage) in stages.enumerated() {
            if names[..<index].contains(stage.name) {
                throw CommandError("two stages are called \(stage.name): give each its own name")
            }
            if let from = stage.from, !names.contains(from) {
                throw CommandError(
                    "the stage \(stage.name) takes from \(from), which is no stage"
                        + nearestNameHint(for: from, in: names.filter { $0 != stage.name }))
            }
        }
        for stage in stages {
            var seen: Set<String> = [stage.name]
            var current = stage
            while let from = current.from, let next = stages.first(where: { $0.name == from }) {
                guard seen.insert(from).inserted else {
                    throw CommandError(
                        "the stages \(seen.sorted().joined(separator: ", ")) take from each other "
                            + "in a circle: one must take from the source")
                }
                current = next
            }
        }
    }
}

/// The system's reason for a failed file operation, without Foundation's words around it.
enum SystemReason {
    /// `No such file or directory` and the like.
    static func of(_ error: any Error) -> String {
        let error = error as NSError
        if let under = error.userInfo[NSUnderlyingErrorKey] as? NSError,
            under.domain == NSPOSIXErrorDomain
        {
            return String(cString: strerror(Int32(under.code)))
        }
        if let under = error.userInfo[NSUnderlyingErrorKey] as? POSIXError {
            return String(cString: strerror(under.code.rawValue))
        }
        switch error.code {
        case CocoaError.fileReadNoSuchFile.rawValue, CocoaError.fileNoSuchFile.rawValue:
            return "No such file or directory"
        case CocoaError.fileReadNoPermission.rawValue: return "Permission denied"
        default: return error.localizedDescription
        }
    }
}
