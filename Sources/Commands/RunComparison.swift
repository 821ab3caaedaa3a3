internal import ControllerRuntime
internal import Endpoints
internal import NDArrays

/// What two plans would do to frames: a run that is taken up must mean the same.
///
/// Numbers of workers, limits, rates, planes and log levels may differ: no output depends on them.
enum RunComparison {
    /// How many differences an error names; more of them say nothing new.
    static let maximumDifferenceCount = 5

    /// Everything that differs, one phrase each with the old and the new value.
    static func differences(from old: RunPlan, to new: RunPlan) -> [String] {
        var found = sourceDifferences(old.source, new.source)
        let (before, after) = (old.configuration.stages, new.configuration.stages)
        guard before.map(\.name) == after.map(\.name) else {
            return found + [
                phrase("the stages", names(before.map(\.name)), names(after.map(\.name)))
            ]
        }
        for (before, after) in zip(before, after) {
            found += stageDifferences(before, after, folder: old.startedIn)
        }
        return found
    }

    private static func sourceDifferences(
        _ old: SourceSpecification?, _ new: SourceSpecification?
    ) -> [String] {
        guard let old, let new, old.kind == new.kind else {
            return old == new
                ? [] : [phrase("the source", old?.kind ?? "none", new?.kind ?? "none")]
        }
        if old.paths != new.paths {
            return [phrase("the source", names(old.paths), names(new.paths))]
        }
        let kind = SourceSpecification.kinds.first { $0.name == old.kind }
        var found: [String] = []
        for key in keys(old.settings, new.settings) {
            let standard = kind?.settings.first { $0.name == key }?.defaultText
            let (before, after) = (old.settings[key], new.settings[key])
            let (was, now) = (text(before, or: standard), text(after, or: standard))
            if was != now { found.append(phrase("the source's \(key)", was, now)) }
        }
        return found
    }

    private static func stageDifferences(
        _ old: StageConfiguration, _ new: StageConfiguration, folder: String?
    ) -> [String] {
        let source = PipelineFile.sourceWord
        var found: [String] = []
        if old.from != new.from {
            found.append(
                phrase("from of stage \(old.name)", old.from ?? source, new.from ?? source))
        }
        let (was, now) = (old.overload ?? .block, new.overload ?? .block)
        if was != now {
            found.append(
                phrase("overload of stage \(old.name)", was.text, now.text))
        }
        if program(old, in: folder) != program(new, in: WorkingFolder.current) {
            let standard = WorkerExecutable.standardName
            found.append(
                phrase(
                    "the worker of stage \(old.name)", old.workerExecutable ?? standard,
                    new.workerExecutable ?? standard))
        }
        guard old.processors.map(\.name) == new.processors.map(\.name) else {
            let (was, now) = (old.processors.map(\.name), new.processors.map(\.name))
            return found + [phrase("the chain of stage \(old.name)", names(was), names(now))]
        }
        for (before, after) in zip(old.processors, new.processors) {
            for key in keys(before.settings, after.settings)
            where before.settings[key] != after.settings[key] {
                let (was, now) = (text(before.settings[key]), text(after.settings[key]))
                if was != now {
                    found.append(phrase("\(old.name).\(before.name).\(key)", was, now))
                }
            }
        }
        return found
    }

    /// A path in one form, so that two ways to write it are the same.
    private static func program(_ stage: StageConfiguration, in folder: String?) -> String? {
        guard let worker = stage.workerExecutable, worker.contains("/") else {
            return stage.workerExecutable
        }
        return WorkingFolder.standardized(worker, in: folder ?? WorkingFolder.current)
    }

    private static func keys(_ old: Structure, _ new: Structure) -> [String] {
        let first = old.fields.map(\.name)
        return first + new.fields.map(\.name).filter { !first.contains($0) }
    }

    private static func phrase(_ what: String, _ old: String, _ new: String) -> String {
        "\(what) was \(old) and is \(new) now"
    }

    private static func names(_ names: [String]) -> String { names.joined(separator: ", ") }

    private static func text(_ value: StructureValue?, or standard: String? = nil) -> String {
        switch value {
        case nil: standard.map { $0.isEmpty ? "not set" : $0 } ?? "not set"
        case .scalar(let scalar): scalar.description.isEmpty ? "empty" : scalar.description
        case .list(let values): "[\(values.map { text($0) }.joined(separator: ", "))]"
        case .structure(let structure):
            "{\(structure.fields.map { "\($0.name): \(text($0.value))" }.joined(separator: ", "))}"
        }
    }
}
