internal import ControllerRuntime
internal import Endpoints

/// Why a command ends without doing what it was asked for: one sentence and the exit code.
struct CommandError: Error, Hashable, CustomStringConvertible {
    /// What, where, what to do.
    var message: String
    /// The code with which the program ends.
    var exitCode: Int32

    /// An error with its sentence; 2 is the code for everything that a person can put right before
    /// the start.
    init(_ message: String, exitCode: Int32 = Outcome.usage) {
        self.message = message
        self.exitCode = exitCode
    }

    /// Any error of the layers below, as a sentence.
    init(_ error: any Error) {
        switch error {
        case let error as CommandError: self = error
        case let error as ControllerError:
            self.init(
                error.reason, exitCode: error.code == .stage ? Outcome.stageFailed : Outcome.usage)
        case let error as any CustomStringConvertible: self.init(error.description)
        default: self.init("\(error)")
        }
    }

    /// The sentence.
    var description: String { message }
}

/// Exit codes of the program.
enum Outcome {
    /// Every accepted frame was processed, filtered, or dropped by policy.
    static let success: Int32 = 0
    /// Some frames failed, were quarantined, or left undone by `--now`; the run's records could not be
    /// written; or `verify` found something.
    static let framesFailed: Int32 = 1
    /// Usage, configuration, run directory, worker or output folder.
    static let usage: Int32 = 2
    /// A stage, or the source, could not go on.
    static let stageFailed: Int32 = 3

    /// The code of a run that ended like this.
    static func exitCode(of summary: RunSummary) -> Int32 {
        switch summary.end {
        case .stageFailed, .sourceFailed: return stageFailed
        case .completed, .drained, .stopped:
            let leftUndone = summary.dropped["stopped"] ?? 0
            let isClean =
                summary.failed == 0 && summary.quarantined == 0 && leftUndone == 0
                && summary.problems.isEmpty
            return isClean && summary.certificate.balanced ? success : framesFailed
        }
    }
}
