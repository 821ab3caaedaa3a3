internal import DataProcessing
internal import Pipes
internal import Wire

/// Why a worker leaves without having been told to stop.
struct WorkerEnding: Error {
    /// The exit code.
    var exit: WorkerExit
    /// The line for standard error.
    var sentence: String
    /// Whether the other side speaks another version of the protocol, and is to be told so.
    var isForeignVersion = false

    /// The input ended or the output is closed.
    static let orphaned = WorkerEnding(
        .orphaned, "the controller is gone; leaving, frames at hand are left undone")

    /// A processor that took neither the new configuration nor the one before.
    static func brokenConfiguration(by failure: ProcessorFailure) -> WorkerEnding {
        WorkerEnding(
            .brokenConfiguration,
            "its state is unknown, leaving: after a change of configuration that failed it can't go "
                + "back to the one before: \(failure)")
    }

    init(_ exit: WorkerExit, _ sentence: String) {
        self.exit = exit
        self.sentence = sentence
    }

    /// Bytes that are not the protocol.
    init(_ error: WireError) {
        self.init(.damagedInput, "the input is damaged: \(error)")
        if case .unsupportedVersion = error.code { isForeignVersion = true }
    }

    /// A pipe that can't be used: for a worker its controller is then gone.
    init(_ error: PipeError) {
        if error == PipeError(.write, errorNumber: brokenPipeNumber) {
            self = .orphaned
        } else {
            self.init(.orphaned, "\(error); leaving")
        }
    }
}
