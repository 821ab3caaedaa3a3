extension Controller: ControlHandler {
    /// Carries out what somebody asks over the control socket.
    package func handle(_ command: ControlCommand) async throws -> ControlAnswer {
        switch command {
        case .status:
            guard let status = await status() else {
                throw ControllerError(.state, "the run is over")
            }
            return .status(status)
        case .statistics: return .statistics(try await statistics())
        case .configure(let processor, let stage, let changes):
            return .configured(
                version: try await configure(processor: processor, stage: stage, changes: changes))
        case .resetStatistics:
            try await resetStatistics()
            return .done
        case .stop(let now):
            stop(now: now)
            return .done
        case .events:
            // A stream is no answer: the server of the socket reads the journal itself.
            throw ControllerError(.state, "events are served by the control socket of the run")
        }
    }
}
