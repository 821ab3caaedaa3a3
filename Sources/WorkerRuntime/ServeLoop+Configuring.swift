internal import DataProcessing
internal import WorkerProtocol

extension ServeLoop {
    /// Carries out one step of a change of configuration.
    mutating func configure(_ command: ConfigureCommand) throws(CommandFailure) {
        switch command.phase {
        case .prepare: try prepare(command)
        case .abandon: history.abandon(command.version)
        case .apply: try apply(command.version)
        }
    }

    private mutating func prepare(_ command: ConfigureCommand) throws(CommandFailure) {
        guard let chain, var all = history.configurations(of: command.baseVersion) else {
            throw CommandFailure(
                .configuration, "configuration version \(command.baseVersion) is not known here")
        }
        guard !history.isTaken(command.version) else {
            throw CommandFailure(
                .configuration, "configuration version \(command.version) is taken")
        }
        let index = Int(command.processorIndex)
        guard index < all.count else {
            throw CommandFailure(
                .configuration, "there is no processor \(index), the chain has \(all.count)")
        }
        do {
            all[index] = try all[index].changing(by: command.changes)
            try chain.links[index].processor.validate(all[index])
        } catch {
            throw CommandFailure(.configuration, "\(error)")
        }
        history.prepare(command.version, all)
    }

    /// Brings the processors to a version on request: the answer says what others are told unasked.
    private mutating func apply(_ version: UInt64) throws(CommandFailure) {
        let failure = bring(to: version)
        news = nil
        if let failure { throw failure }
    }

    /// Brings the processors to a version; why that is not possible, nil when they have it.
    mutating func bring(to version: UInt64) -> CommandFailure? {
        switch history.step(for: version) {
        case .ready: return nil
        case .refuse(let failure): return failure
        case .apply(let changes):
            if let failure = give(changes, of: version) {
                history.didFail(version, failure)
                news = Configured(version: version, failure: failure)
                return failure
            }
            if history.didApply(version) { news = Configured(version: version, failure: nil) }
            return nil
        }
    }

    /// Gives processors their configurations, or none of them another one than before.
    private mutating func give(
        _ changes: [ConfigurationHistory.Change], of version: UInt64
    ) -> CommandFailure? {
        var done: [ConfigurationHistory.Change] = []
        for change in changes {
            let before = ConfigurationHistory.Change(
                index: change.index, configuration: history.current(change.index))
            do {
                try chain?.configure(change.configuration, at: change.index)
                done.append(before)
            } catch {
                putBack(done)
                let isRefusal = error.error is ConfigurationError
                return CommandFailure(
                    isRefusal ? .configuration : .hook,
                    "configuration version \(version): \(error)")
            }
        }
        return nil
    }

    /// Gives processors their configuration of before; the one that refused has got it from the chain.
    /// One that can't have it back makes this worker unusable: nobody knows what it would do to frames.
    private mutating func putBack(_ changes: [ConfigurationHistory.Change]) {
        for change in changes.reversed() where chain?.brokenBy == nil {
            do {
                try chain?.configure(change.configuration, at: change.index)
            } catch {
                broken = .brokenConfiguration(by: error)
            }
        }
        if let failure = chain?.brokenBy { broken = .brokenConfiguration(by: failure) }
    }
}
