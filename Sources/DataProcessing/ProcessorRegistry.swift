/// One processor class with its name.
public struct ProcessorFactory: Sendable {
    /// The class.
    public let type: UserDataProcessor.Type
    /// The name of the class in configurations.
    public var name: String { type.processorName }
    /// One sentence for people.
    public var summary: String { type.summary }
    /// The settings with their defaults.
    public var settings: [any SettingDeclaration] { type.settings }

    /// The checked configuration for these settings.
    ///
    /// - Throws: `ConfigurationError`.
    public func configuration(_ given: Structure) throws(ConfigurationError) -> Configuration {
        try Configuration(given, for: type)
    }

    /// A processor with these settings, not yet placed in a pipeline.
    ///
    /// - Throws: `ConfigurationError`, or what the processor's `init` throws.
    public func make(_ configuration: Configuration) throws -> UserDataProcessor {
        try type.init(configuration: configuration)
    }
}

/// The processors that a worker offers, by name.
public struct ProcessorRegistry: Sendable {
    /// The processors in the order they were given.
    public let factories: [ProcessorFactory]
    private let aliases: [String: String]

    /// A registry of these classes; `aliases` are further names for them.
    ///
    /// - Throws: `ProcessingError.duplicateName` when two have the same name.
    public init(
        _ types: [UserDataProcessor.Type], aliases: [String: String] = [:]
    ) throws(ProcessingError) {
        factories = types.map(ProcessorFactory.init)
        self.aliases = aliases
        var seen: Set<String> = []
        for name in factories.map(\.name) + aliases.keys.sorted() {
            guard seen.insert(name).inserted else { throw .duplicateName(name) }
        }
        for target in aliases.values.sorted() { _ = try factory(named: target) }
    }

    /// The names of all processors, without aliases.
    public var names: [String] { factories.map(\.name) }

    /// The processor of that name or alias.
    ///
    /// - Throws: `ProcessingError.unknownProcessor` with the nearest name.
    public func factory(named name: String) throws(ProcessingError) -> ProcessorFactory {
        let target = aliases[name] ?? name
        guard let found = factories.first(where: { $0.name == target }) else {
            throw .unknownProcessor(
                name: name, nearest: nearestName(to: name, in: names + aliases.keys.sorted()),
                known: names)
        }
        return found
    }

    /// A processor with these settings, not yet placed in a pipeline.
    ///
    /// - Throws: `ProcessingError`, `ConfigurationError`, or what the processor's `init` throws.
    public func make(
        _ name: String, settings: Structure = Structure()
    ) throws -> UserDataProcessor {
        let factory = try factory(named: name)
        return try factory.make(try factory.configuration(settings))
    }
}
