/// The checked settings of one processor: every declared setting has an allowed value.
public struct Configuration: Sendable {
    /// The name of the processor, for messages.
    public let processorName: String
    /// The settings that the processor declares.
    public let settings: [any SettingDeclaration]
    private var values: [String: StructureValue]

    /// The configuration of a processor from what a person wrote; scalars may come as text, which
    /// the type of the setting parses. Settings that are not given have their defaults.
    ///
    /// - Throws: `ConfigurationError` for an unknown key, a wrong value or a missing one.
    public init(
        _ given: Structure = Structure(), for processor: UserDataProcessor.Type
    ) throws(ConfigurationError) {
        try self.init(given, processorName: processor.processorName, settings: processor.settings)
    }

    /// The configuration of a processor of that name with those settings; as the other one.
    public init(
        _ given: Structure, processorName: String, settings: [any SettingDeclaration]
    ) throws(ConfigurationError) {
        self.processorName = processorName
        self.settings = settings
        values = [:]
        try merge(given)
        for setting in settings where values[setting.name] == nil {
            guard let value = setting.defaultStructureValue else {
                throw .missing(
                    processor: processorName, key: setting.name, allowed: setting.allowedText)
            }
            values[setting.name] = value
        }
    }

    /// The value of a setting. A setting that the processor did not list in its `settings` has its
    /// default; asking for one that has none is an error of the program.
    public subscript<Value>(setting: Setting<Value>) -> Value {
        if let stored = values[setting.name], let value = Value(structureValue: stored) {
            return value
        }
        guard let value = setting.defaultValue else {
            preconditionFailure(
                "\(processorName): setting \(setting.name) is not in the processor's `settings`")
        }
        return value
    }

    /// This configuration with some values changed; nil in `settings` of the change is not
    /// possible, a setting is put back by giving its default.
    ///
    /// - Throws: `ConfigurationError` for an unknown key or a wrong value, and for another value of
    ///   a setting that can't be changed while the run goes on.
    public func changing(by change: Structure) throws(ConfigurationError) -> Configuration {
        var changed = self
        try changed.merge(change)
        for setting in settings where !setting.isChangeable {
            guard changed.values[setting.name] == values[setting.name] else {
                throw .notChangeable(processor: processorName, key: setting.name)
            }
        }
        return changed
    }

    /// All values, in the order of declaration.
    public var structure: Structure {
        var all = Structure()
        for setting in settings { all[setting.name] = values[setting.name] }
        return all
    }

    private mutating func merge(_ given: Structure) throws(ConfigurationError) {
        for field in given.fields {
            guard let setting = settings.first(where: { $0.name == field.name }) else {
                let names = settings.map(\.name)
                throw .unknownKey(
                    processor: processorName, key: field.name,
                    nearest: nearestName(to: field.name, in: names), known: names)
            }
            guard let value = setting.checked(field.value) else {
                throw .wrongValue(
                    processor: processorName, key: field.name, value: field.value.text,
                    allowed: setting.allowedText)
            }
            values[field.name] = value
        }
    }
}

extension Configuration: Equatable {
    /// Whether all values of the same processor are equal.
    public static func == (left: Configuration, right: Configuration) -> Bool {
        left.processorName == right.processorName && left.values == right.values
    }
}

extension StructureValue {
    /// The value as a person writes it: `5`, `[1, 2]`, `{a: 1}`.
    package var text: String {
        switch self {
        case .scalar(let value): value.description
        case .list(let list): "[" + list.map(\.text).joined(separator: ", ") + "]"
        case .structure(let structure):
            "{" + structure.fields.map { "\($0.name): \($0.value.text)" }.joined(separator: ", ")
                + "}"
        }
    }
}

/// Why settings were refused.
public enum ConfigurationError: Error, Sendable, Equatable {
    /// The processor has no setting of that name; `nearest` is what may have been meant.
    case unknownKey(processor: String, key: String, nearest: String?, known: [String])
    /// The value is of another type or out of range.
    case wrongValue(processor: String, key: String, value: String, allowed: String)
    /// A required setting is not given.
    case missing(processor: String, key: String, allowed: String)
    /// The setting can be set at the start only.
    case notChangeable(processor: String, key: String)
    /// The processor itself refused the value.
    case refused(processor: String, key: String, reason: String)
}

extension ConfigurationError: CustomStringConvertible {
    /// One sentence: which processor and key, what is wrong and what is allowed.
    public var description: String {
        switch self {
        case .unknownKey(let processor, let key, let nearest, let known):
            if let nearest {
                "\(processor) has no setting \(key); did you mean \(nearest)?"
            } else if known.isEmpty {
                "\(processor) has no setting \(key); it has no settings at all"
            } else {
                "\(processor) has no setting \(key); it has " + known.joined(separator: ", ")
            }
        case .wrongValue(let processor, let key, let value, let allowed):
            "\(processor): \(key) can't be '\(value)'; it has to be \(allowed)"
        case .missing(let processor, let key, let allowed):
            "\(processor): \(key) has to be given: \(allowed)"
        case .notChangeable(let processor, let key):
            "\(processor): \(key) can't be changed while the run goes on; set it at the start"
        case .refused(let processor, let key, let reason):
            "\(processor): \(key): \(reason)"
        }
    }
}
