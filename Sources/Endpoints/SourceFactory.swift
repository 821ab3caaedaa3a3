public import ControllerRuntime
internal import FrameReaders
public import NDArrays

/// Makes sources from the words of a command line or a configuration file.
public enum SourceFactory {
    /// All kinds, for help texts.
    public static let kinds: [SourceKind] = [.tiff, .npy, .sim]

    /// A source of the kind called `kind` with its settings; texts are parsed, numbers taken as they are.
    ///
    /// Files may come as `paths` or as the setting of that name (a text or a list of texts).
    ///
    /// - Throws: `SourceError` for what is unknown, out of range or not there.
    public static func makeSource(
        kind: String, settings: Structure = Structure(), paths: [String] = []
    ) throws(SourceError) -> any FrameSource {
        guard let found = kinds.first(where: { $0.name == kind }) else {
            let names = kinds.map(\.name)
            throw .unknownKind(kind, nearest: nearestName(to: kind, in: names), known: names)
        }
        var reader = try SourceSettings(settings, of: found)
        if !found.takesPaths {
            if let path = paths.first { throw .pathsNotTaken(kind: kind, path: path) }
            return SimulatedSource(try Simulation(&reader))
        }
        let all = paths + (try reader.texts("paths"))
        guard !all.isEmpty else { throw .noPaths(kind: kind) }
        return try FileSource(found.name == SourceKind.npy.name ? .npy : .tiff, paths: all)
    }

    /// The simulation that `settings` of a `sim` source describe, for writing its frames to files.
    ///
    /// - Throws: `SourceError` as `makeSource`.
    public static func makeSimulation(settings: Structure) throws(SourceError) -> Simulation {
        var reader = try SourceSettings(settings, of: .sim)
        return try Simulation(&reader)
    }
}

/// Reads typed settings of a source, and refuses those that its kind does not have.
struct SourceSettings {
    private let kind: SourceKind
    private let values: Structure

    init(_ values: Structure, of kind: SourceKind) throws(SourceError) {
        let known = kind.settings.map(\.name)
        for field in values.fields where !known.contains(field.name) {
            throw .unknownSetting(
                kind: kind.name, name: field.name, nearest: nearestName(to: field.name, in: known),
                known: known)
        }
        self.kind = kind
        self.values = values
    }

    /// The value called `name`, made from its text by `parse`; its default where none is given.
    func value<Value>(_ name: String, _ parse: (String) -> Value?) throws(SourceError) -> Value {
        let setting = kind.settings.first { $0.name == name }
        let text: String
        switch values[name] {
        case nil: text = setting?.defaultText ?? ""
        case .scalar(let scalar): text = scalar.description
        case .list(let list): text = Self.joined(list)
        case .structure: text = "{…}"
        }
        guard let value = parse(text) else {
            throw .invalidValue(
                kind: kind.name, name: name, value: text, allowed: setting?.allowed ?? "another")
        }
        return value
    }

    /// The texts called `name`: one text or a list of them; none where it is not given.
    func texts(_ name: String) throws(SourceError) -> [String] {
        switch values[name] {
        case nil: return []
        case .scalar(let scalar): return [scalar.description]
        case .list(let list):
            return try list.map { item throws(SourceError) in
                if case .scalar(let scalar) = item { return scalar.description }
                throw .invalidValue(
                    kind: kind.name, name: name, value: "{…}", allowed: "a list of texts")
            }
        case .structure:
            throw .invalidValue(
                kind: kind.name, name: name, value: "{…}", allowed: "a list of texts")
        }
    }

    /// A list as the text of a shape, so that YAML's `[1024, 1024]` is `1024x1024`.
    private static func joined(_ list: [StructureValue]) -> String {
        list.map { item in
            if case .scalar(let scalar) = item { scalar.description } else { "…" }
        }.joined(separator: "x")
    }
}
