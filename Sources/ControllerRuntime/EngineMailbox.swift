internal import NDArrays
internal import Pipes
internal import Synchronization

/// What other threads want of the engine; completions are called on its thread, exactly once.
enum EngineRequest: Sendable {
    case stop(now: Bool)
    case started(@Sendable (Result<Void, ControllerError>) -> Void)
    case status(@Sendable (RunStatus?) -> Void)
    case statistics(@Sendable (Result<RunStatisticsRecord, ControllerError>) -> Void)
    case configure(ConfigureRequest)
    case resetStatistics(@Sendable (Result<Void, ControllerError>) -> Void)
}

/// A change of settings that somebody wants.
struct ConfigureRequest: Sendable {
    var stage: String?
    var processor: String
    var changes: Structure
    var completion: @Sendable (Result<UInt64, ControllerError>) -> Void
}

/// The way to the engine from other threads.
final class EngineMailbox: Sendable {
    private struct State {
        var requests: [EngineRequest] = []
        var isClosed = false
    }

    private let state = Mutex(State())
    /// Up when the engine should look: for requests, frames or commits.
    let flag: EventFlag

    init() throws(PipeError) { flag = try EventFlag() }

    /// Hands a request over; false when the engine takes no more.
    func post(_ request: EngineRequest) -> Bool {
        let isOpen = state.withLock { state in
            if !state.isClosed { state.requests.append(request) }
            return !state.isClosed
        }
        if isOpen { flag.signal() }
        return isOpen
    }

    /// The requests that wait.
    func take() -> [EngineRequest] {
        state.withLock { state in
            defer { state.requests = [] }
            return state.requests
        }
    }

    /// Takes no more requests and returns those that wait.
    func close() -> [EngineRequest] {
        state.withLock { state in
            state.isClosed = true
            defer { state.requests = [] }
            return state.requests
        }
    }
}
