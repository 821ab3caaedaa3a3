extension ProcessorChain {
    /// Makes the processors of a chain from names and settings.
    ///
    /// - Throws: `ProcessingError`, `ConfigurationError`, or what an `init` throws.
    package convenience init(
        _ entries: [(name: String, settings: Structure)], registry: ProcessorRegistry,
        memory: any FrameMemory
    ) throws {
        let links = try entries.map { entry in
            let factory = try registry.factory(named: entry.name)
            let configuration = try factory.configuration(entry.settings)
            return Link(try factory.make(configuration), configuration)
        }
        self.init(links, memory: memory)
    }

    /// Tells every processor its surroundings; `processorId` counts up from the given one.
    package func place(in surroundings: UserDataProcessor.Surroundings) {
        for (index, link) in links.enumerated() {
            var own = surroundings
            own.processorId += index
            own.logger = Logger(label: link.name) { _ in surroundings.logger.handler }
            own.logger[metadataKey: "processorId"] = "\(own.processorId)"
            link.processor.place(in: own)
        }
        staging = surroundings.outputFiles as? StagedOutputFiles
    }

    /// Configures and starts all processors in order; if one throws, those before it are stopped.
    package func start() throws(ProcessorFailure) {
        var startedCount = 0
        do {
            for link in links {
                try link.call(.configure) { try link.processor.configure(link.configuration) }
                try link.call(.start) { try link.processor.start() }
                startedCount += 1
            }
        } catch {
            for link in links[..<startedCount] {
                do {
                    try link.call(.stop) { try link.processor.stop() }
                } catch {
                    link.processor.logger.warning(
                        "Stopping after a failed start threw", metadata: ["error": "\(error)"])
                }
            }
            throw error
        }
    }

    /// The configuration that the processor at `index` would have after `change`, if it agrees to
    /// it; changes nothing.
    ///
    /// - Throws: `ConfigurationError`, or what `validate` throws.
    package func validate(_ change: Structure, at index: Int) throws -> Configuration {
        let link = links[index]
        let configuration = try link.configuration.changing(by: change)
        try link.processor.validate(configuration)
        return configuration
    }

    /// Gives the processor at `index` another configuration. When it throws, the configuration
    /// before is put back by calling `configure` with it; when that throws too, nobody knows what the
    /// processor does now, and `brokenBy` says so.
    package func configure(
        _ configuration: Configuration, at index: Int
    ) throws(ProcessorFailure) {
        let link = links[index]
        do {
            try link.call(.configure) { try link.processor.configure(configuration) }
            link.configuration = configuration
        } catch {
            let before = link.configuration
            do {
                try link.call(.configure) { try link.processor.configure(before) }
            } catch {
                brokenBy = brokenBy ?? error
            }
            throw error
        }
    }

    /// Stops all processors in order, also when one throws; the first error is thrown at the end.
    package func stop() throws(ProcessorFailure) {
        finish()
        var first: ProcessorFailure?
        for link in links where link.lifeCycle.state != .stopped {
            do {
                try link.call(.stop) { try link.processor.stop() }
            } catch {
                first = first ?? error
            }
        }
        if let first { throw first }
    }

    /// Framework's and own statistics of every processor.
    package func statistics() -> [ProcessorStatistics] {
        links.map { link in
            ProcessorStatistics(
                processorName: link.name, processorId: link.processor.processorId,
                counters: link.counters.snapshot, userStatistics: link.processor.userStatistics())
        }
    }

    /// Sets all statistics to zero.
    package func resetStats() throws(ProcessorFailure) {
        for link in links {
            try link.call(.resetStats) { try link.processor.resetStats() }
            link.counters.reset()
        }
    }
}
