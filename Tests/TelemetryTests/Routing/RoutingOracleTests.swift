import Journal
import Synchronization
import Telemetry
import TestSupport
import Testing

/// The Python package of which `RoutingBackend` comes, where the interpreter of the tests has it.
enum EventTracking {
    static let isThere =
        Python.isThere && (try? Python.run("import eventtracking.backends.routing")) != nil

    static let hint: Comment =
        "needs Python with event-tracking: run scripts/test or set SLUICE_PYTHON"
}

/// A router as both sides build it.
private indirect enum Tree {
    case backend(String)
    case router(processors: [(kind: String, option: JournalValue)], members: [(String, Tree)])

    var value: JournalValue {
        switch self {
        case .backend(let kind): .string(kind)
        case .router(let processors, let members):
            [
                "processors": .array(processors.map { [.string($0.kind), $0.option] }),
                "backends": .object(members.map { JournalField($0.0, $0.1.value) }),
            ]
        }
    }
}

/// Keeps what it is sent, then does what its kind says; the words are those of event_tracking.py.
private struct Recording: MutatingEventBackend {
    let name: String
    let kind: String
    let deliveries: Kept<JournalValue>

    func send(changing event: inout TelemetryEvent) throws {
        deliveries.add([.string(name), event.plain])
        switch kind {
        case "fails": throw Trouble()
        case "exits": throw EventEmissionExit()
        case "disabled": throw NoBackendEnabled()
        case "transformer": throw NoTransformerImplemented()
        case "changes": try event.data.set("changedBy", .string(name))
        default: break
        }
    }
}

extension TelemetryEvent {
    /// The event as the Python side has it.
    fileprivate var plain: JournalValue {
        [
            "name": name.map { .string($0) } ?? .null, "data": data, "context": .object(context),
        ]
    }
}

/// The same routers and events through event-tracking and through ours.
@Suite(.timeLimit(.minutes(1))) struct RoutingOracleTests {
    private static let names = ["frame.done", "frame.failed", "worker.gone", "run", "a"]
    private static let keys = ["k0", "k1", "k2", "k3"]

    private func pick<Value>(_ values: [Value], _ numbers: inout SeededNumbers) -> Value {
        values[Int(numbers.next() % UInt64(values.count))]
    }

    private func step(_ numbers: inout SeededNumbers) -> (kind: String, option: JournalValue) {
        let kind = pick(
            [
                "allow", "allowlist", "blocklist", "rename", "add", "add", "remove", "half", "fail",
                "leave", "replace", "enrich",
            ], &numbers)
        switch kind {
        case "allow":
            return (kind, .array((0..<4).map { _ in .string(pick(Self.names, &numbers)) }))
        case "allowlist", "blocklist":
            let expressions = [
                "frame", "ame", "[a-r]", "", "worker\\.g", "run$", "(a|frame\\.f)", "\\w+\\.done",
                "^.*e", "f(?=rame)",
            ]
            let count = numbers.next() % 3
            return (kind, .array((0..<count).map { _ in .string(pick(expressions, &numbers)) }))
        case "rename", "replace": return (kind, .string(pick(Self.names, &numbers)))
        default: return (kind, .string(pick(Self.keys, &numbers)))
        }
    }

    private func tree(_ depth: Int, _ numbers: inout SeededNumbers) -> Tree {
        let names = ["10", "2", "B", "a", "_", "\u{E9}", "z9"]
        var members: [(String, Tree)] = []
        for name in names where numbers.next() % 2 == 0 {
            let kinds = ["keeps", "keeps", "fails", "exits", "disabled", "transformer", "changes"]
            let isRouter = depth < 3 && numbers.next() % 3 == 0
            members.append(
                (name, isRouter ? tree(depth + 1, &numbers) : .backend(pick(kinds, &numbers))))
        }
        // In no order, as a map of Python may be.
        members.shuffle(using: &numbers)
        let count = numbers.next() % 4
        return .router(
            processors: (0..<count).map { _ in step(&numbers) }, members: members)
    }

    private func events(_ numbers: inout SeededNumbers) -> [TelemetryEvent] {
        (0..<6).map { _ in
            var fields: [JournalField] = []
            for key in Self.keys where numbers.next() % 2 == 0 {
                fields.append(JournalField(key, ["n": .init(numbers.next() % 9), "l": [1, nil]]))
            }
            return TelemetryEvent(
                name: pick(Self.names, &numbers), timestamp: 0, data: .object(fields),
                context: [.init("run", "r")])
        }
    }

    private func processor(
        _ kind: String, _ option: JournalValue
    ) throws -> any EventProcessor {
        var texts: [String] = []
        if case .array(let values) = option {
            texts = values.compactMap { if case .string(let text) = $0 { text } else { nil } }
        }
        guard case .string(let key) = option else {
            if kind == "allow" { return NameWhitelistProcessor(whitelist: texts) }
            return try RegexFilter(
                kind == "allowlist" ? .allowlist : .blocklist, expressions: texts)
        }
        return ClosureProcessor(
            kind,
            process: { event in
                switch kind {
                case "rename": event.name = key
                case "add":
                    guard case .object(let fields) = event.data else { throw Trouble() }
                    try event.data.set(key, .init(fields.count))
                case "remove":
                    guard event.data[key] != nil else { throw Trouble() }
                    try event.data.set(key, nil)
                case "half":
                    try event.data.set(key, "half")
                    throw Trouble()
                case "fail": throw Trouble()
                case "leave": if event.data[key] != nil { throw EventEmissionExit() }
                case "replace":
                    return .replace(TelemetryEvent(name: key, timestamp: 0))
                default: event.context[key: key] = "enriched"
                }
                return .keep
            })
    }

    private func router(
        _ tree: Tree, _ path: String, _ deliveries: Kept<JournalValue>
    ) throws -> any EventBackend {
        switch tree {
        case .backend(let kind): return Recording(name: path, kind: kind, deliveries: deliveries)
        case .router(let processors, let members):
            var backends: [String: any EventBackend] = [:]
            for (name, member) in members {
                backends[name] = try router(member, "\(path)/\(name)", deliveries)
            }
            return try RoutingBackend(
                backends: backends, processors: processors.map(processor),
                logger: LogRecorder().logger())
        }
    }

    @Test(
        .enabled(if: EventTracking.isThere, EventTracking.hint), arguments: [1, 2, 3] as [UInt64])
    func `Random routers deliver what those of event-tracking deliver`(seed: UInt64) throws {
        var numbers = SeededNumbers(seed: seed)
        var scenarios: [JournalValue] = []
        var ours: [JournalValue] = []
        for _ in 0..<300 {
            let tree = tree(0, &numbers)
            let events = events(&numbers)
            scenarios.append(["router": tree.value, "events": .array(events.map(\.plain))])
            let deliveries = Kept<JournalValue>()
            let root = try router(tree, "", deliveries)
            for event in events { try root.send(event) }
            ours.append(.array(deliveries.values))
        }
        let folder = try TemporaryFolder()
        let file = try folder.write(try JournalValue.array(scenarios).json(), to: "scenarios.json")
        let script = String(
            decoding: try Checkout.fixture("event_tracking.py"), as: UTF8.self)
        let theirs = try Python.lines(script, [file])
        try #require(theirs.count == ours.count)
        for (index, line) in theirs.enumerated() where JournalValue(json: line) != ours[index] {
            Issue.record(
                """
                seed \(seed), scenario \(index): \(try scenarios[index].json())
                event-tracking: \(line)
                ours: \(try ours[index].json())
                """)
            return
        }
        let total = ours.reduce(0) { count, deliveries in
            if case .array(let elements) = deliveries { count + elements.count } else { count }
        }
        // The chains drop most events, yet not all.
        #expect(total > 300)
    }
}
