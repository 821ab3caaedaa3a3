public import Journal
public import Logging

extension RoutingBackend {
    /// The router that a configuration describes, a tree of routers where it has `routes`:
    ///
    ///     processors: [{drop: {name: "frame.*"}}, {enrich: {beamline: 13-IDD}}]
    ///     backends: [log, {influx: {queue: 1024, whenFull: drop-oldest}}]
    ///     routes: {alarms: {processors: [{allow: {names: [exception]}}], backends: [pager]}}
    ///     unmatched: log
    ///     dropped: log
    ///
    /// `backends` are the ones there are, by the names that the configuration uses. Where it names none and has
    /// no routes, all of them are meant. Backends and routes together are registered in ascending order of
    /// their names. `place` is the path to the configuration, for messages and as the name of the router.
    public convenience init(
        from value: JournalValue, at place: String = "route",
        backends: [String: any EventBackend],
        processors registry: EventProcessorRegistry = .standard,
        logger: Logger = Logger(label: "sluice.routing")
    ) throws(RoutingError) {
        try self.init(
            RouteOptions(value, at: place, known: RouteReader.keys), depth: 1,
            RouteReader(backends: backends, registry: registry, logger: logger))
    }

    fileprivate convenience init(
        _ options: RouteOptions, depth: Int, _ reader: RouteReader
    ) throws(RoutingError) {
        guard depth <= Self.maximumDepth else {
            throw .configuration(
                place: options.place, problem: "is nested deeper than \(Self.maximumDepth)",
                advice: "make the tree flatter")
        }
        try self.init(
            name: options.place, processors: try reader.processors(options), logger: reader.logger)
        let members = try reader.members(options, depth: depth)
        for name in Self.ascending(members.keys) {
            guard let member = members[name] else { continue }
            try options.checked { () throws(RoutingError) in
                try register(member.backend, named: name, isolation: member.isolation)
            }
        }
        if let output = try reader.output("unmatched", options) {
            try setUnmatchedOutput(output.backend, isolation: output.isolation)
        }
        if let output = try reader.output("dropped", options) {
            try setDroppedOutput(output.backend, isolation: output.isolation)
        }
    }
}

/// Reads the parts of a route.
private struct RouteReader {
    static let keys = ["processors", "backends", "routes", "unmatched", "dropped"]
    private static let queueKeys = ["queue", "whenFull"]

    struct Member {
        var backend: any EventBackend
        var isolation: SinkIsolation?
    }

    let backends: [String: any EventBackend]
    let registry: EventProcessorRegistry
    let logger: Logger

    func processors(_ options: RouteOptions) throws(RoutingError) -> [any EventProcessor] {
        let elements = try options.array("processors") ?? []
        var made: [any EventProcessor] = []
        for (index, element) in elements.enumerated() {
            made.append(
                try registry.make(from: element, at: options.path("processors[\(index)]")))
        }
        return made
    }

    /// The backends and routes of a route, by name.
    func members(
        _ options: RouteOptions, depth: Int
    ) throws(RoutingError) -> [String: Member] {
        var members: [String: Member] = [:]
        let names = try options.array("backends")
        for (index, element) in (names ?? []).enumerated() {
            let place = options.path("backends[\(index)]")
            let (name, member) = try member(element, at: place)
            guard members.updateValue(member, forKey: name) == nil else {
                throw .configuration(
                    place: place, problem: "names \(name) a second time", advice: "keep one")
            }
        }
        let routes = options.value("routes")
        if names == nil, routes == nil {
            return backends.mapValues { Member(backend: $0, isolation: nil) }
        }
        guard let routes else { return members }
        for route in try RouteOptions.fields(routes, at: options.path("routes")) {
            let place = "\(options.path("routes")).\(route.key)"
            let inside = try RouteOptions(
                route.value, at: place, known: Self.keys + Self.queueKeys)
            let router = try RoutingBackend(inside, depth: depth + 1, self)
            let member = Member(backend: router, isolation: try isolation(inside))
            guard members.updateValue(member, forKey: route.key) == nil else {
                throw .configuration(
                    place: place, problem: "has the name of a backend",
                    advice: "give the route another one")
            }
        }
        return members
    }

    /// `name`, or `{name: {queue: 1024, whenFull: drop-oldest}}`.
    private func member(
        _ value: JournalValue, at place: String
    ) throws(RoutingError) -> (String, Member) {
        if case .string(let name) = value {
            return (name, Member(backend: try backend(name, at: place), isolation: nil))
        }
        let fields = try RouteOptions.fields(value, at: place)
        guard let field = fields.first, fields.count == 1 else {
            throw .configuration(
                place: place, problem: "names \(fields.count) backends",
                advice: "write the name of one, alone or with its queue: {log: {queue: 100}}")
        }
        let options = try RouteOptions(
            field.value, at: "\(place).\(field.key)", known: Self.queueKeys)
        return (
            field.key,
            Member(
                backend: try backend(field.key, at: place), isolation: try isolation(options))
        )
    }

    func output(
        _ key: String, _ options: RouteOptions
    ) throws(RoutingError) -> Member? {
        guard let value = options.value(key) else { return nil }
        return try member(value, at: options.path(key)).1
    }

    private func backend(
        _ name: String, at place: String
    ) throws(RoutingError) -> any EventBackend {
        if let backend = backends[name] { return backend }
        let known = RoutingBackend.ascending(backends.keys).joined(separator: ", ")
        throw .configuration(
            place: place, problem: "asks for the backend \"\(name)\", which there is not",
            advice: known.isEmpty ? "there are none" : "there are \(known)")
    }

    /// The queue that the options ask for; nil where they ask for none.
    private func isolation(_ options: RouteOptions) throws(RoutingError) -> SinkIsolation? {
        let limit = try options.integer("queue")
        let whenFull: SinkIsolation.WhenFull? = try options.word("whenFull")
        guard let limit else {
            guard whenFull == nil else {
                throw .configuration(
                    place: options.place, problem: "has whenFull without a queue",
                    advice: "say queue: 1024, too")
            }
            return nil
        }
        return try options.checked { () throws(RoutingError) in
            let isolation = SinkIsolation(queueLimit: limit, whenFull: whenFull ?? .dropOldest)
            try isolation.check()
            return isolation
        }
    }
}
