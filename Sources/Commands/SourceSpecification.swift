internal import ControllerRuntime
internal import Endpoints
internal import NDArrays

/// A source as a person gave it: kind, paths, settings.
struct SourceSpecification: Sendable, Hashable {
    /// `tiff`, `npy`, `sim`, `failed`.
    var kind: String
    /// Files, folders and patterns.
    var paths: [String] = []
    /// The other settings.
    var settings = Structure()

    /// All kinds that a person may give.
    static let kinds = SourceFactory.kinds + [SourceKind.failed]

    /// Whether its frames are those of an earlier run.
    var isOfRun: Bool { kind == SourceKind.failed.name }

    /// `kind:path,path` or `kind:key=value,…`, as the kind takes it; `sim` alone has its defaults.
    /// `failed:RUN,outcome=…` begins with the run directory.
    static func parse(_ text: String) throws(CommandError) -> SourceSpecification {
        let (first, behind) = text.divided(at: ":")
        let name = String(first)
        guard let kind = kinds.first(where: { $0.name == name }) else {
            throw unknownKind(name, in: text, hasColon: behind != nil)
        }
        var source = SourceSpecification(kind: name)
        let rest = behind ?? ""
        if kind.takesPaths {
            source.paths = try SettingText.paths(rest, of: "the source \(name)")
            if source.paths.isEmpty {
                throw CommandError("the source \(name) has no files: write \(kind.example)")
            }
        } else if source.isOfRun {
            source.settings = try EarlierFrames.settings(rest)
        } else {
            source.settings = try SettingText.settings(rest, of: "the source \(name)")
        }
        return source
    }

    /// Opens the source; relative paths are taken from `folder`, nil: from the present one. `depth`
    /// is how many runs were gone through to get here: the frames of a run may be those of another.
    func makeSource(
        in folder: String? = nil, depth: Int = 0
    ) throws(CommandError) -> any FrameSource {
        if isOfRun { return try EarlierFrames(settings, in: folder).makeSource(depth: depth) }
        do {
            return try SourceFactory.makeSource(
                kind: kind, settings: settings,
                paths: paths.map { WorkingFolder.path($0, in: folder) })
        } catch {
            throw CommandError(error)
        }
    }

    /// What is wrong with a word that is no kind: a path without its kind is the likeliest.
    static func unknownKind(
        _ name: String, in text: String, hasColon: Bool
    ) -> CommandError {
        let names = kinds.map(\.name)
        let lower = text.lowercased()
        if !hasColon || name.contains("/") {
            if lower.hasSuffix(".tif") || lower.hasSuffix(".tiff") {
                return CommandError("the source `\(text)` has no kind: write tiff:\(text)")
            }
            if lower.hasSuffix(".npy") {
                return CommandError("the source `\(text)` has no kind: write npy:\(text)")
            }
        }
        return CommandError(
            "there is no kind of source `\(name)`\(nearestNameHint(for: name, in: names)) "
                + "(a source is kind:rest, as \(kinds[0].example))")
    }
}
