internal import WorkerProtocol

/// How far a worker is: which commands it takes now.
struct WorkerLife: Equatable, Sendable {
    /// The states of the worker's side; the controller's machine has more.
    enum State: String, Sendable {
        /// No greeting yet.
        case spawned = "not greeted yet"
        /// Greeted, no processors.
        case ready = "not started"
        /// It has processors and takes frames.
        case started = "started"
        /// The stop hooks have been called.
        case stopped = "stopped"
    }

    /// How far it is.
    private(set) var state = State.spawned

    /// Whether frames are processed.
    var isStarted: Bool { state == .started }

    /// Why `command` does not fit now, nil when it does.
    func refusal(of command: MessageType) -> CommandFailure? {
        let fits =
            switch command {
            case .hello: state == .spawned
            case .ping: true
            case .describe: state != .spawned && state != .stopped
            case .start: state == .ready
            case .process, .configure, .getStats, .resetStats: state == .started
            case .stop: state == .ready || state == .started
            case .welcome, .description, .reply, .result, .statistics, .started, .configured,
                .staging:
                false
            }
        if fits { return nil }
        return CommandFailure(
            .wrongState, "the worker can't \(command) now: it is \(state.rawValue)")
    }

    /// The greeting was answered.
    mutating func greeted() { if state == .spawned { state = .ready } }
    /// All processors are started.
    mutating func started() { if state == .ready { state = .started } }
    /// The stop hooks have been called.
    mutating func stopped() { state = .stopped }
}
