public import Journal

/// The kinds of processors that a configuration may name, each with what makes one from its options.
public struct EventProcessorRegistry: Sendable {
    /// Makes a processor from its options, which stand at the path `place`.
    public typealias Maker =
        @Sendable (_ options: JournalValue, _ place: String) throws(RoutingError) ->
        any EventProcessor

    private var makers: [String: Maker]

    /// Our own kinds: `regex`, `allow`, `drop`, `rename`, `enrich`, `sample`, `rateLimit`.
    public static let standard = EventProcessorRegistry(makers: [
        "regex": makeRegex, "allow": makeAllow, "drop": makeDrop, "rename": makeRename,
        "enrich": makeEnrich, "sample": makeSample, "rateLimit": makeRateLimit,
    ])

    private init(makers: [String: Maker]) { self.makers = makers }

    /// Adds a kind; refuses an empty name and one that is taken.
    public mutating func register(
        _ kind: String, make: @escaping Maker
    ) throws(RoutingError) {
        guard !kind.isEmpty else { throw .emptyName("kind of processor") }
        guard makers[kind] == nil else {
            throw .invalidOption(
                "kind of processor", problem: "\(kind) is there already",
                advice: "use another name")
        }
        makers[kind] = make
    }

    /// The names of all kinds, in order.
    public var kinds: [String] { makers.keys.sorted() }

    /// The processor that `{kind: options}` asks for, or the word `kind` alone for one without options. `place`
    /// is the path to it for messages.
    public func make(
        from value: JournalValue, at place: String
    ) throws(RoutingError) -> any EventProcessor {
        let kind: String
        let options: JournalValue
        if case .string(let word) = value {
            (kind, options) = (word, .object([]))
        } else {
            let fields = try RouteOptions.fields(value, at: place)
            guard let field = fields.first, fields.count == 1 else {
                throw .configuration(
                    place: place, problem: "names \(fields.count) kinds of processor",
                    advice: "write one kind with its options, such as {sample: {every: 10}}")
            }
            (kind, options) = (field.key, field.value)
        }
        guard let maker = makers[kind] else {
            throw .configuration(
                place: place, problem: "asks for \"\(kind)\", which is no kind of processor",
                advice: "known are \(kinds.joined(separator: ", "))")
        }
        let inside = "\(place).\(kind)"
        do {
            return try maker(options, inside)
        } catch {
            throw RouteOptions.located(error, at: inside)
        }
    }

    private static let makeRegex: Maker = { value, place throws(RoutingError) in
        let options = try RouteOptions(
            value, at: place, known: ["type", "expressions", "onError"])
        _ = try options.required("expressions")
        return try RegexFilter(
            try options.word("type") ?? .allowlist,
            expressions: try options.strings("expressions") ?? [],
            onError: try options.word("onError") ?? .drop)
    }

    private static let makeAllow: Maker = { value, place throws(RoutingError) in
        let options = try RouteOptions(value, at: place, known: ["names", "onError"])
        let onError: ProcessorErrorPolicy = try options.word("onError") ?? .drop
        let names = try options.required("names")
        switch names {
        case .array:
            return NameWhitelistProcessor(
                whitelist: try options.strings("names") ?? [], onError: onError)
        case .object:
            let fields = try RouteOptions.fields(names, at: options.path("names"))
            return NameWhitelistProcessor(whitelist: fields.map(\.key), onError: onError)
        default: throw options.wrong("names", names, "a list of allowed names")
        }
    }

    private static let makeDrop: Maker = { value, place throws(RoutingError) in
        let options = try RouteOptions(value, at: place, known: ["name"])
        var texts: [String] = []
        switch try options.required("name") {
        case .array: texts = try options.strings("name") ?? []
        default: texts = [try options.string("name") ?? ""]
        }
        var patterns: [NamePattern] = []
        for text in texts { patterns.append(try NamePattern(text)) }
        return DropProcessor(names: patterns)
    }

    private static let makeRename: Maker = { value, place throws(RoutingError) in
        var names: [(from: String, to: String)] = []
        for field in try RouteOptions.fields(value, at: place) {
            guard case .string(let to) = field.value else {
                throw .configuration(
                    place: "\(place).\(field.key)", problem: "is \(field.value.kind)",
                    advice: "write the new name there")
            }
            names.append((field.key, to))
        }
        return try RenameProcessor(names)
    }

    private static let makeEnrich: Maker = { value, place throws(RoutingError) in
        EnrichProcessor(try RouteOptions.fields(value, at: place))
    }

    private static let makeSample: Maker = { value, place throws(RoutingError) in
        let options = try RouteOptions(value, at: place, known: ["every", "seed"])
        _ = try options.required("every")
        let seed = try options.integer("seed")
        return try SampleProcessor(
            every: try options.integer("every") ?? 1,
            seed: seed.map { UInt64(bitPattern: Int64($0)) })
    }

    private static let makeRateLimit: Maker = { value, place throws(RoutingError) in
        let options = try RouteOptions(value, at: place, known: ["perSecond", "burst"])
        _ = try options.required("perSecond")
        return try RateLimitProcessor(
            perSecond: try options.number("perSecond") ?? 0, burst: try options.integer("burst"))
    }
}
