internal import ControllerRuntime
internal import NDArrays

/// What `sluice run` or `retry` shall do, made out of options, files and perhaps an earlier run.
struct RunRequest {
    /// The plan, whose configuration names the run directory.
    var plan: RunPlan
    /// The folder that relative paths of the plan are taken from; nil: the present one.
    var folder: String?
    /// The run that is taken up; nil: a new one.
    var resumed: StoredRun?

    /// The run directory.
    var runDirectory: String? { plan.configuration.runDirectory }

    /// Goes to the folder of the plan, after paths that the person gave now were made absolute.
    mutating func enterFolder() throws(CommandError) {
        guard let folder else { return }
        let present = WorkingFolder.current
        if let path = plan.configuration.runDirectory {
            plan.configuration.runDirectory = WorkingFolder.path(path, in: present)
        }
        try WorkingFolder.enter(folder)
        self.folder = nil
    }
}

extension RunOptions {
    /// What the options ask for: a new run, or to take one up.
    func request() throws(CommandError) -> RunRequest {
        if resume { return try resumption() }
        if let file, FileKind.isFolder(file) {
            if case .foreign = RunDirectory.state(of: file) {
                throw CommandError("\(file) is a folder: give a configuration file")
            }
            throw CommandError(
                "\(file) is a run directory: take its run up with sluice run \(file) --resume, or do "
                    + "it again with sluice run \(file)/configuration.yaml")
        }
        let request: RunRequest
        if let repetition = try repetition() {
            request = repetition
        } else {
            request = RunRequest(plan: try plan())
        }
        try Self.refuseInterrupted(request.plan.configuration.runDirectory)
        return request
    }

    /// Frames of an earlier run through that run's own pipeline; nil where a pipeline is given.
    private func repetition() throws(CommandError) -> RunRequest? {
        guard file == nil, processor.isEmpty, let source else { return nil }
        var specification = try SourceSpecification.parse(source)
        guard specification.isOfRun else { return nil }
        let frames = try EarlierFrames(specification.settings)
        let stored = try StoredRun(ended: frames.runDirectory)
        let folder = try stored.folder()
        var request = RunRequest(plan: try plan(from: stored.plan), folder: folder)
        if let folder {
            let present = WorkingFolder.current
            specification.settings["run"] = .scalar(
                .string(WorkingFolder.path(frames.runDirectory, in: present)))
            request.plan.source = specification
            for (index, stage) in stored.plan.configuration.stages.enumerated() {
                guard stage.workerExecutable == nil, let worker else { continue }
                request.plan.configuration.stages[index].workerExecutable =
                    WorkingFolder.program(worker, in: present)
            }
            request.plan.startedIn = folder
            request.plan.configuration.configurationText = PipelineText.text(of: request.plan)
        }
        return request
    }

    private static func refuseInterrupted(_ directory: String?) throws(CommandError) {
        guard let directory, case .ended = RunDirectory.state(of: directory),
            FileKind.exists(RunDirectory.path(of: .ledger, in: directory)),
            try RunQuestion.summary(at: directory) == nil
        else { return }
        throw CommandError(
            "the run in \(directory) was interrupted: take it up with --resume, or give another "
                + "--run-dir")
    }

    // MARK: - Taking up a run

    private func resumption() throws(CommandError) -> RunRequest {
        let (directory, isRepeated) = try placeOfRun()
        let stored = try StoredRun(ended: directory)
        if worker != nil, !isRepeated {
            throw CommandError(
                "--worker can't be given to --resume alone: a run that is taken up keeps its workers "
                    + "(sluice retry may change them)")
        }
        var basis = isRepeated ? try basis() : stored.plan
        if basis.source == nil { basis.source = stored.source }
        var plan = try plan(from: basis)
        let folder = try folder(of: stored, isRepeated: isRepeated)
        plan.startedIn = stored.plan.startedIn
        let differences = RunComparison.differences(from: stored.plan, to: plan)
        guard differences.isEmpty else { throw Self.difference(differences, directory) }
        plan.configuration.runDirectory = directory
        plan.configuration.resumes = true
        // A machine that stopped may have lost the end of the ledger, and not the files of those frames.
        plan.configuration.acceptsIdenticalOutputs = true
        return RunRequest(plan: plan, folder: folder, resumed: stored)
    }

    /// The run directory, and whether the command that made it is repeated.
    private func placeOfRun() throws(CommandError) -> (directory: String, isRepeated: Bool) {
        if let file, FileKind.isFolder(file) {
            guard runDir == nil || runDir == file, processor.isEmpty else {
                throw CommandError(
                    "\(file) is a folder: give the run directory once, as sluice run \(file) --resume"
                )
            }
            return (file, false)
        }
        let isRepeated = file != nil || !processor.isEmpty
        if let runDir { return (runDir, isRepeated) }
        if let file, let directory = try RunPlan.read(file: file).configuration.runDirectory {
            return (directory, isRepeated)
        }
        throw CommandError(
            "--resume needs the run directory: write sluice run --run-dir RUN --resume")
    }

    /// Where relative paths are taken from. A command that is repeated means the present folder: that
    /// has to be the one in which the run was started, as long as there is one.
    private func folder(
        of stored: StoredRun, isRepeated: Bool
    ) throws(CommandError) -> String? {
        guard isRepeated else { return try stored.folder() }
        guard let started = stored.plan.startedIn, started != WorkingFolder.current,
            FileKind.isFolder(started)
        else { return nil }
        throw CommandError(
            "the run in \(stored.directory) was started in \(started), and relative paths would mean "
                + "other files here: go there, or leave out all but --run-dir "
                + "\(stored.directory) --resume")
    }

    private static func difference(_ differences: [String], _ directory: String) -> CommandError {
        let shown = differences.prefix(RunComparison.maximumDifferenceCount)
        let more = differences.count - shown.count
        return CommandError(
            "the run in \(directory) was another: \(shown.joined(separator: "; "))"
                + (more > 0 ? "; and \(more) more" : "")
                + ". Give what it was begun with, or only --run-dir \(directory) --resume")
    }
}
