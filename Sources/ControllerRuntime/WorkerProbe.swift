internal import Glibc
internal import Pipes
internal import Wire
package import WorkerProtocol

/// Asks a worker executable what it offers, without a run.
package enum WorkerProbe {
    /// Time that the executable has to answer, in milliseconds.
    private static let standardTimeLimitMilliseconds: Int32 = 10_000

    /// The processors of the worker at `executable` (nil: `sluice-worker`), with their settings.
    ///
    /// - Throws: `ControllerError(.worker)` when it can't be started, does not answer in time, or
    ///   speaks another protocol.
    package static func describe(executable: String?) throws -> [ProcessorDescription] {
        try describe(
            executable: executable, timeLimitMilliseconds: standardTimeLimitMilliseconds)
    }

    /// The same with another time to answer.
    static func describe(
        executable: String?, timeLimitMilliseconds: Int32
    ) throws -> [ProcessorDescription] {
        ProcessSignals.ignoreBrokenPipe()
        let path = try WorkerExecutable.resolve(executable)
        do {
            return try ask(path, timeLimitMilliseconds)
        } catch let error as ControllerError {
            throw error
        } catch {
            throw ControllerError(.worker, "\(path) can't be asked what it offers: \(error)")
        }
    }

    private static func ask(
        _ path: String, _ timeLimitMilliseconds: Int32
    ) throws -> [ProcessorDescription] {
        let dialogue = try WorkerDialogue(
            executable: path, errors: 2,
            timeLimit: .milliseconds(Int64(timeLimitMilliseconds)))
        try dialogue.send(.hello, requestId: 0) {
            Hello(controllerProcessId: UInt32(getpid()), logLevel: "warning").write(to: &$0)
        }
        try dialogue.send(.describe, requestId: 1) { _ in }
        return try dialogue.answer { type, body in
            switch type {
            case .welcome:
                guard ProtocolVersion.spoken.contains(try Welcome(from: &body).version) else {
                    throw ControllerError(
                        .worker,
                        "\(path) speaks another version of the worker protocol than "
                            + "\(ProtocolVersion.current); build it again with this release")
                }
                return nil
            case .description: return try ProcessorDescription.read(from: &body)
            default:
                throw ControllerError(.worker, "\(path) did not answer as a worker does")
            }
        }
    }
}
