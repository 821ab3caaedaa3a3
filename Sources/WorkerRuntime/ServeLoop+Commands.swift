internal import DataProcessing
internal import Glibc
internal import Logging
internal import NDArrays
internal import Pipes
internal import Statistics
internal import Synchronization
internal import Wire
internal import WorkerProtocol

extension ServeLoop {
    /// Carries out the command at hand, outside the lock, and writes the answer.
    mutating func carryOut() {
        let id = requestId
        do throws(CommandFailure) {
            switch command {
            case .hello(let hello):
                try greet(hello)
                return
            case .describe:
                try describe()
                return
            case .getStats:
                refreshStatistics()
                runtime.core.withLock { core in
                    core.writeStatistics(to: id, nanoseconds: monotonicNanoseconds())
                }
                return
            case .start(let start): try self.start(start)
            case .configure(let configure): try self.configure(configure)
            case .resetStats: try resetStatistics()
            case .stop: try stop()
            case .ping, .unknown: break
            }
            answer(.success, to: id)
        } catch {
            answer(.failure(error), to: id)
        }
    }

    /// Answers at once: who asked does not wait for the frames behind the command.
    private func answer(_ reply: Reply, to id: UInt64) {
        runtime.core.withLock { core in
            core.reply(reply, to: id)
            do throws(WorkerEnding) {
                try core.flush(to: runtime.output)
            } catch {
                core.ending = core.ending ?? error
            }
        }
    }

    // MARK: Greeting

    private mutating func greet(_ hello: Hello) throws(CommandFailure) {
        let id = requestId
        let software = runtime.software
        let version = min(hello.versions.upperBound, ProtocolVersion.current)
        guard hello.versions.contains(version), version > 0 else {
            return end(.unusable, "no common version of the protocol") { core in
                core.welcome(requestId: id, version: 0, software: software)
            }
        }
        guard isChild(of: hello.controllerProcessId) else {
            return end(.orphaned, WorkerEnding.orphaned.sentence) { _ in }
        }
        LineLogHandler.setThreshold(hello.logLevel)
        do throws(CommandFailure) {
            try map(hello)
        } catch {
            return end(.unusable, error.reason) { core in core.reply(.failure(error), to: id) }
        }
        greeting = hello
        self.version = version
        var offered: Capabilities = [.sharedPools, .stagedFiles, .references, .syncedFiles]
        if status != nil { offered.insert(.statusPage) }
        if runtime.keepsFramesSecret { offered.insert(.wipedSlots) }
        let used = offered.intersection(hello.capabilities)
        runtime.core.withLock { core in
            core.workerId = Int(hello.workerId)
            core.incarnation = Int(hello.incarnation)
            core.life.greeted()
            core.welcome(
                requestId: id, version: version, capabilities: used, software: software)
        }
    }

    /// Ends with an answer and a line for people.
    private mutating func end(
        _ exit: WorkerExit, _ sentence: String, _ answer: (inout WorkerCore) -> Void
    ) {
        runtime.tell("error", sentence)
        self.exit = exit
        hasStopped = true
        runtime.core.withLock { core in answer(&core) }
    }

    /// Ties this process to the controller; 0 stands for "do not compare".
    private mutating func isChild(of processId: UInt32) -> Bool {
        if processId == 0 { return true }
        do throws(PipeError) {
            return try ParentDeath.arm(expectedParent: Int32(clamping: processId))
        } catch {
            runtime.tell("warning", "\(error)")
            return getppid() == Int32(clamping: processId)
        }
    }

    /// Maps pools and status page; the descriptors are closed then, so that user code can't reach them.
    private mutating func map(_ hello: Hello) throws(CommandFailure) {
        defer {
            if runtime.ownsInheritedDescriptors {
                let all = hello.pools.map(\.descriptor) + [hello.statusDescriptor]
                for descriptor in Set(all) where descriptor > 2 && descriptor <= UInt32(Int32.max) {
                    close(Int32(descriptor))
                }
            }
        }
        pools = try MappedPools(hello.pools)
        memory.use(pools.output)
        guard hello.statusDescriptor != Hello.noDescriptor else { return }
        do throws(NDArrayError) {
            status = try StatusWords(descriptor: Int32(clamping: hello.statusDescriptor))
        } catch {
            throw CommandFailure(.resources, "status page: \(error)")
        }
    }

    // MARK: Describing

    private mutating func describe() throws(CommandFailure) {
        let id = requestId
        let processors = runtime.registry.factories.map { factory in
            ProcessorDescription(
                name: factory.name, summary: factory.summary,
                maximumOutputCount: UInt32(clamping: factory.type.maximumOutputCount),
                settings: factory.settings.map(SettingDescription.init))
        }
        let failure = runtime.core.withLock { core -> CommandFailure? in
            core.writer.beginMessage(type: MessageType.description.rawValue, requestId: id)
            ProcessorDescription.write(processors, to: &core.writer)
            do throws(WireError) {
                try core.writer.endMessage()
                return nil
            } catch {
                return CommandFailure(.resources, "the description: \(error)")
            }
        }
        if let failure { throw failure }
    }

    // MARK: Starting and stopping

    private mutating func start(_ start: StartCommand) throws(CommandFailure) {
        staging = StagedOutputFiles(
            runName: stagingName, syncsFiles: greeting.capabilities.contains(.syncedFiles),
            announce: announceFolder)
        let links = try makeLinks(start.processors)
        let chain = ProcessorChain(links, memory: memory)
        chain.place(
            in: UserDataProcessor.Surroundings(
                logger: Logger(label: "processor"), inputChannel: greeting.inputChannel,
                outputChannel: greeting.outputChannel, outputFiles: staging,
                runName: "\(greeting.runId)/\(greeting.stageName)",
                isFirstWorker: greeting.placeInStage == 0 && greeting.incarnation == 0))
        // The first worker of a place has made the folders: one that is missing now has vanished.
        let areExpected = greeting.incarnation > 0
        let failure = OutputDirectory.$areExpected.withValue(areExpected) {
            do throws(ProcessorFailure) {
                try chain.start()
                return nil as CommandFailure?
            } catch {
                return CommandFailure(error)
            }
        }
        if let failure { throw failure }
        self.chain = chain
        history = ConfigurationHistory(
            version: start.configurationVersion, configurations: links.map(\.configuration))
        let members = links.map { link in
            WorkerCore.Member(
                name: link.name, processorId: link.processor.processorId, counters: link.counters,
                userStatistics: [])
        }
        runtime.core.withLock { core in
            core.members = members
            core.resetNanoseconds = monotonicNanoseconds()
            core.life.started()
        }
    }

    /// Part of the names of staged files: two stages of a run may write into the same directory.
    private var stagingName: String {
        let run = greeting.runId.isEmpty ? "\(getpid())" : greeting.runId
        let name = greeting.stageName.isEmpty ? run : "\(run).\(greeting.stageName)"
        return String(name.map { $0 == "/" || $0 == "\0" ? "_" : $0 })
    }

    private mutating func makeLinks(
        _ processors: [ProcessorSpecification]
    ) throws(CommandFailure) -> [ProcessorChain.Link] {
        guard !processors.isEmpty else {
            throw CommandFailure(.configuration, "a chain has at least one processor")
        }
        var links: [ProcessorChain.Link] = []
        for processor in processors {
            do {
                let factory = try runtime.registry.factory(named: processor.name)
                let configuration = try factory.configuration(processor.settings)
                links.append(
                    ProcessorChain.Link(try factory.make(configuration), configuration))
            } catch let error as ProcessingError {
                throw CommandFailure(error)
            } catch let error as ConfigurationError {
                throw CommandFailure(.configuration, "\(error)")
            } catch {
                throw CommandFailure(.hook, "\(processor.name) (init): \(error)")
            }
        }
        return links
    }

    private mutating func stop() throws(CommandFailure) {
        hasStopped = true
        runtime.core.withLock { $0.life.stopped() }
        do {
            try chain?.stop()
        } catch {
            throw CommandFailure(error)
        }
    }

    // MARK: Statistics

    /// Asks the processors for their own statistics; between frames, outside the lock.
    mutating func refreshStatistics() {
        guard let chain else { return }
        let own = chain.links.map { $0.processor.userStatistics().withinLimits }
        refreshedNanoseconds = monotonicNanoseconds()
        runtime.core.withLock { core in
            for index in core.members.indices { core.members[index].userStatistics = own[index] }
        }
    }

    private mutating func resetStatistics() throws(CommandFailure) {
        do {
            try chain?.resetStats()
        } catch {
            throw CommandFailure(error)
        }
        runtime.core.withLock { $0.resetNanoseconds = monotonicNanoseconds() }
        refreshStatistics()
    }
}

extension CommandFailure {
    /// What a hook threw.
    init(_ failure: ProcessorFailure) {
        let isRefusal = failure.error is ConfigurationError
        self.init(isRefusal ? .configuration : .hook, "\(failure)")
    }

    fileprivate init(_ error: ProcessingError) {
        if case .unknownProcessor = error {
            self.init(.unknownProcessor, "\(error)")
        } else {
            self.init(.hook, "\(error)")
        }
    }
}

extension SettingDescription {
    /// A setting as its processor declares it.
    fileprivate init(_ setting: any SettingDeclaration) {
        let isChoice = if case .choices = setting.limit { true } else { false }
        let kind =
            switch setting.kind {
            case .boolean: "boolean"
            case .integer: "integer"
            case .real: "number"
            case .text: isChoice ? "choice" : "text"
            case .path: "path"
            case .textList, .integerList, .realList: "list"
            }
        let isFree = if case .any = setting.limit { true } else { false }
        self.init(
            key: setting.name, kind: kind, defaultValue: setting.defaultStructureValue?.text,
            allowed: isFree ? "" : setting.allowedText, unit: setting.unit,
            summary: setting.summary, isChangeable: setting.isChangeable)
    }
}
