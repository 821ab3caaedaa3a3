/// Why a run could not be started, or a request to it could not be carried out.
public struct ControllerError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What kind of reason, from which the command's exit code follows.
    public enum Code: String, Sendable, Hashable {
        /// The configuration of the run is wrong (unknown stage, no workers …).
        case configuration
        /// A processor or a setting was refused by a worker.
        case processor
        /// A worker executable can't be started or speaks another protocol.
        case worker
        /// The run directory is in use or can't be made.
        case runDirectory
        /// Memory or descriptors can't be had.
        case resources
        /// The source can't be opened.
        case source
        /// The request does not fit the state of the run (it has ended, say).
        case state
        /// A stage could not go on.
        case stage
    }

    /// The kind of reason.
    public let code: Code
    /// One sentence: what, where, what to do.
    public let reason: String

    /// An error with its sentence.
    public init(_ code: Code, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    /// The sentence.
    public var description: String { reason }
}
