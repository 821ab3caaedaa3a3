internal import ControllerRuntime
internal import Endpoints
internal import NDArrays

/// The source `failed:RUN`: frames of an earlier run, chosen by how they ended there.
struct EarlierFrames {
    /// How far frames may be followed from run to run: each one opens the source of the one before.
    static let maximumDepth = 16
    /// Outcomes that a frame may be chosen by.
    static let outcomes: [FrameReport.Outcome] = [.failed, .quarantined, .dropped]

    /// The run directory of the earlier run.
    let runDirectory: String
    /// How the frames ended there.
    let outcomes: Set<FrameReport.Outcome>

    /// What the settings of the source say; a relative run directory is taken from `folder`.
    init(_ settings: Structure, in folder: String? = nil) throws(CommandError) {
        guard case .scalar(let run)? = settings["run"], !run.description.isEmpty else {
            throw CommandError(
                "the source failed names no run directory: write \(SourceKind.failed.example)")
        }
        runDirectory = WorkingFolder.path(run.description, in: folder)
        let words: [String]
        switch settings["outcome"] {
        case nil: words = [FrameReport.Outcome.failed.rawValue]
        case .scalar(let text):
            words = text.description.split(separator: "+", omittingEmptySubsequences: false)
                .map { String($0).trimmed }
        case .list(let list):
            words = list.map { if case .scalar(let text) = $0 { text.description } else { "{…}" } }
        case .structure: words = ["{…}"]
        }
        outcomes = try Self.outcomes(words, of: "the outcome of the source failed")
    }

    /// The outcomes that `words` name; `owner` is what an error names.
    static func outcomes(
        _ words: [String], of owner: String
    ) throws(CommandError) -> Set<FrameReport.Outcome> {
        var found: Set<FrameReport.Outcome> = []
        for word in words {
            guard let outcome = outcomes.first(where: { $0.rawValue == word }) else {
                throw CommandError(
                    "\(owner) can't be `\(word)`"
                        + nearestNameHint(for: word, in: outcomes.map(\.rawValue)))
            }
            found.insert(outcome)
        }
        return found
    }

    /// The settings of `RUN,outcome=…`, the part after the colon.
    static func settings(_ rest: Substring) throws(CommandError) -> Structure {
        let owner = "the source failed"
        var scanner = SettingScanner(rest, owner: owner)
        guard let run = try scanner.nextItem(), !run.isEmpty else {
            throw CommandError(
                "\(owner) names no run directory: write \(SourceKind.failed.example)")
        }
        var settings = Structure(["run": .scalar(.string(run))])
        let known = SourceKind.failed.settings.map(\.name)
        while let item = try scanner.nextSetting() {
            guard known.contains(item.key) else {
                throw CommandError(
                    "\(owner) has no setting \(item.key)\(nearestNameHint(for: item.key, in: known))"
                )
            }
            guard settings[item.key] == nil else {
                throw CommandError("\(owner) has the setting \(item.key) twice: give it once")
            }
            settings[item.key] = .scalar(.string(item.value))
        }
        return settings
    }

    /// The outcomes in words: `failed`, `failed or dropped`.
    var outcomeText: String {
        Self.outcomes.filter(outcomes.contains).map(\.rawValue).joined(separator: " or ")
    }

    /// What to say before a run over a source that turned out to have no frames; nil: nothing.
    static func emptyLine(
        _ source: SourceSpecification?, _ information: SourceInformation
    ) throws(CommandError) -> String? {
        guard let source, source.isOfRun, information.frameCount == 0 else { return nil }
        let frames = try EarlierFrames(source.settings)
        return
            "no frame of \(frames.runDirectory) ended \(frames.outcomeText): there is nothing to do"
    }

    /// Opens the earlier run's own source and chooses its frames.
    func makeSource(depth: Int) throws(CommandError) -> any FrameSource {
        guard depth < Self.maximumDepth else {
            throw CommandError(
                "\(runDirectory) takes its frames from another run, and that from another, more than "
                    + "\(Self.maximumDepth) times: start from the first source")
        }
        let stored = try StoredRun(ended: runDirectory)
        let folder = try stored.folder()
        let base = try stored.source.makeSource(in: folder, depth: depth + 1)
        let positions: FrameIdRanges
        do {
            try checkSame(base.information)
            positions = try LedgerQuery.frameIds(runDirectory: runDirectory, outcomes: outcomes)
        } catch {
            throw CommandError(error)
        }
        return SelectedSource(
            base, positions: positions, name: "\(SourceKind.failed.name):\(runDirectory)")
    }

    /// Refuses a source that changed since: its frames have other places now.
    private func checkSame(_ information: SourceInformation) throws {
        let before = try LedgerQuery.fingerprint(runDirectory: runDirectory)
        guard let before, let now = information.fingerprint else {
            throw CommandError(
                "the source \(information.name) of the run in \(runDirectory) does not give its frames "
                    + "a second time")
        }
        guard before == now else {
            throw CommandError(
                "the source \(information.name) does not give the frames that the run in "
                    + "\(runDirectory) had: \(now) is not \(before)")
        }
    }
}
