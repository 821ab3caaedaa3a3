internal import ControllerRuntime
internal import Foundation

/// A run that its directory tells of: what it was asked to do, and where.
struct StoredRun {
    /// The run directory, as it was given.
    let directory: String
    /// What the run was asked to do last: the newest of `configuration.yaml`, `configuration-2.yaml` …
    let plan: RunPlan
    /// Where the source's frames come from.
    let source: SourceSpecification

    /// Reads what is kept in a run directory that no run holds.
    ///
    /// - Throws: `CommandError` when it is no run directory, the run goes on, or its configuration
    ///   can't be read.
    init(ended directory: String) throws(CommandError) {
        switch RunDirectory.state(of: directory) {
        case .missing: throw CommandError(ControlClientError.missing(path: directory))
        case .foreign: throw CommandError(ControlClientError.foreign(path: directory))
        case .running(let processId):
            let process = processId.map { " (process \($0))" } ?? ""
            throw CommandError(
                "the run in \(directory) goes on\(process): wait until it has ended, or end it with "
                    + "sluice stop \(directory)")
        case .ended: break
        }
        let file = try Self.newestConfiguration(in: directory)
        guard FileKind.exists(file) else {
            throw CommandError(
                "there is no \(file): where the run was killed before it was written, give the whole "
                    + "command again, without --resume")
        }
        let plan = try RunPlan.read(file: file)
        guard let source = plan.source else {
            throw CommandError("\(file) names no source: it was not written by sluice")
        }
        try plan.checkStages()
        self.directory = directory
        self.plan = plan
        self.source = source
    }

    /// The folder that relative paths have to be taken from, nil when it is the present one.
    ///
    /// - Throws: `CommandError` when it is not there any more.
    func folder() throws(CommandError) -> String? {
        guard let started = plan.startedIn, started != WorkingFolder.current else { return nil }
        guard FileKind.isFolder(started) else {
            throw CommandError(
                "the run in \(directory) was started in \(started), from which its relative paths are "
                    + "taken, and that folder is not there any more: go to the folder that has taken "
                    + "its place and repeat the whole command there, with --resume")
        }
        return started
    }

    /// Keeps another configuration beside those that are there, as the newest; its path.
    func keep(_ plan: RunPlan) throws(CommandError) -> String {
        let number = try Self.newestNumber(in: directory) + 1
        let path = Self.path(ofConfiguration: number, in: directory)
        do {
            try AtomicFile.write(
                Array(PipelineText.text(of: plan).utf8), to: path, isPrivate: plan.holdsSecret)
        } catch {
            throw CommandError(error)
        }
        return path
    }

    // MARK: - Files

    /// The newest configuration in a run directory, which may not be there.
    static func newestConfiguration(in directory: String) throws(CommandError) -> String {
        path(ofConfiguration: try newestNumber(in: directory), in: directory)
    }

    /// `configuration.yaml` is the first; later ones carry their number.
    private static func path(ofConfiguration number: Int, in directory: String) -> String {
        let first = RunDirectory.path(of: .configuration, in: directory)
        return number == 1
            ? first : first.replacing(".yaml", with: "-\(number).yaml", maxReplacements: 1)
    }

    private static func newestNumber(in directory: String) throws(CommandError) -> Int {
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: directory)
        } catch {
            throw CommandError(
                "can't read the run directory \(directory): \(SystemReason.of(error))")
        }
        let numbers = names.compactMap { name -> Int? in
            guard name.hasPrefix("configuration-"), name.hasSuffix(".yaml") else { return nil }
            return Int(name.dropFirst("configuration-".count).dropLast(".yaml".count))
        }
        return max(numbers.max() ?? 1, 1)
    }
}
