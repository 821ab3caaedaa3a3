/// The order in which the hooks of a processor are called: made, `configure`, `start`, then any
/// number of `configure`, `process`, `getStats` and `resetStats`, and `stop` once.
public struct ProcessorLifeCycle: Sendable, Hashable {
    /// How far a processor is.
    public enum State: String, Sendable, Hashable, CaseIterable {
        /// Its `init` has returned.
        case made
        /// It has its configuration.
        case configured
        /// It is between `start` and `stop`.
        case started
        /// It has been stopped, for good.
        case stopped
    }

    /// A hook that is asked for.
    public enum Command: String, Sendable, Hashable, CaseIterable {
        case configure, start, process, getStats, resetStats, stop
    }

    /// How far the processor is.
    public private(set) var state: State = .made

    /// The life of a processor that has just been made.
    public init() {}

    /// Goes on to what the processor is after `command`; when the hook throws, call `undo` with
    /// what this returned.
    ///
    /// - Throws: `ProcessingError.wrongOrder`, and nothing changes.
    @discardableResult
    public mutating func accept(
        _ command: Command, processor: String
    ) throws(ProcessingError) -> State {
        let before = state
        switch (state, command) {
        case (.made, .configure), (.configured, .configure): state = .configured
        case (.configured, .start): state = .started
        case (.started, .configure), (.started, .process), (.started, .getStats),
            (.started, .resetStats), (.configured, .getStats), (.stopped, .getStats):
            break
        case (.configured, .stop), (.started, .stop): state = .stopped
        case (.made, _), (.configured, _), (.started, .start), (.stopped, _):
            throw .wrongOrder(processor: processor, command: command, state: state)
        }
        return before
    }

    /// Takes back a command whose hook threw.
    public mutating func undo(to state: State) { self.state = state }
}
