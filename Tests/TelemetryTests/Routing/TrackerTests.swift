import Foundation
import Journal
import Synchronization
import Telemetry
import Testing

@Suite(.timeLimit(.minutes(1))) struct TrackerTests {
    private let backend = InMemoryBackend()
    private let tracker: Tracker

    init() throws { tracker = try Tracker(backends: ["mock0": backend], now: { 12.5 }) }

    private func expected(
        _ name: String, _ data: JournalValue = .object([]), _ context: [JournalField] = []
    ) -> TelemetryEvent {
        TelemetryEvent(name: name, timestamp: 12.5, data: data, context: context)
    }

    @Test func `Name and data may be left out`() {
        tracker.emit("name")
        tracker.emit(data: ["key": "value"])
        tracker.emit()
        tracker.emit("name", data: ["key": "value"])
        tracker.emit("", data: false)
        for nothing in [.null, 0, .uint(0), 0.0, "", [], [:]] as [JournalValue] {
            tracker.emit("nothing", data: nothing)
        }
        tracker.emit("something", data: [1])
        #expect(
            backend.events == [
                expected("name"), expected("unknown", ["key": "value"]), expected("unknown"),
                expected("name", ["key": "value"]), expected("unknown"),
            ] + Array(repeating: expected("nothing"), count: 7) + [expected("something", [1])])
    }

    @Test func `Trackers are found by name, and there is a default one`() throws {
        #expect(throws: RoutingError.unknownTracker("foobar")) { try Tracker.named("foobar") }
        try Tracker.register(tracker)
        try Tracker.register(tracker, named: "other")
        try Tracker.emit("name")
        try Tracker.named("other").emit("name")
        #expect(backend.events == [expected("name"), expected("name")])
        #expect(throws: RoutingError.emptyName("tracker")) {
            try Tracker.register(tracker, named: "")
        }
    }

    @Test func `A context holds from entering to leaving`() throws {
        let context = [JournalField("key", "value")]
        tracker.emit("before")
        try tracker.enterContext("single", context)
        tracker.emit("name", data: ["a": 1])
        try tracker.exitContext("single")
        tracker.emit("after")
        #expect(
            backend.events == [
                expected("before"), expected("name", ["a": 1], context), expected("after"),
            ])
        #expect(throws: RoutingError.unknownContext("single")) {
            try tracker.exitContext("single")
        }
    }

    @Test func `The context entered later wins, and a name entered again keeps its place`() throws {
        try tracker.enterContext("outer", [.init("key", 1), .init("another", 2)])
        try tracker.enterContext("inner", [.init("key", 3)])
        #expect(tracker.context == [.init("key", 3), .init("another", 2)])
        try tracker.enterContext("outer", [.init("key", 4)])
        #expect(tracker.context == [.init("key", 3)])
        try tracker.exitContext("inner")
        #expect(tracker.context == [.init("key", 4)])
    }

    @Test func `A scoped context is left when the closure ends, also by an error`() throws {
        try tracker.withContext("outer", [.init("key", 1), .init("another", 2)]) {
            try tracker.withContext("inner", [.init("key", 3)]) { tracker.emit("name") }
        }
        #expect(throws: Trouble.self) {
            try tracker.withContext("foo", [.init("key", 1)]) { throw Trouble() }
        }
        tracker.emit("name")
        let both: [JournalField] = [.init("key", 3), .init("another", 2)]
        #expect(backend.events == [expected("name", [:], both), expected("name")])
        // Who leaves a context that is not his own is told.
        #expect(throws: RoutingError.unknownContext("mine")) {
            try tracker.withContext("mine", []) { try tracker.exitContext("mine") }
        }
    }

    @Test func `A scoped context of an async closure is left, also by an error`() async throws {
        try await tracker.withContext("a", [.init("key", 1)]) {
            await Task.yield()
            tracker.emit("name")
        }
        await #expect(throws: Trouble.self) {
            try await tracker.withContext("a", [.init("key", 1)]) {
                await Task.yield()
                throw Trouble()
            }
        }
        tracker.emit("name")
        #expect(backend.events == [expected("name", [:], [.init("key", 1)]), expected("name")])
    }

    @Test func `More contexts than anybody needs are refused`() throws {
        for number in 0..<256 { try tracker.enterContext("\(number)", []) }
        try tracker.enterContext("0", [])
        #expect(throws: RoutingError.tooMany("contexts entered at once", limit: 256)) {
            try tracker.enterContext("more", [])
        }
    }

    /// Runs a closure on a thread of its own and waits for its end.
    private func onThread(_ body: @escaping @Sendable () -> Void) async {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                body()
                continuation.resume()
            }
        }
    }

    @Test func `Threads never see the contexts of each other where each has its own`() async throws
    {
        let locator = ThreadContextLocator()
        let other = ThreadContextLocator()
        let seen = Kept<[NamedContext]>()
        let parent = Gate()
        let child = Gate()
        let parentThread = Task {
            await onThread {
                seen.add(locator.entered)
                do {
                    try locator.enter(NamedContext("parent", [.init("key", 1)]))
                } catch {
                    Issue.record(error)
                }
                parent.pass()
                seen.add(locator.entered)
                seen.add(other.entered)
            }
        }
        await parent.isReached()
        let childThread = Task {
            await onThread {
                do {
                    try locator.enter(NamedContext("child", [.init("thread", 2)]))
                    child.pass()
                    seen.add(locator.entered)
                    try locator.exit("child")
                    seen.add(locator.entered)
                } catch {
                    Issue.record(error)
                }
            }
        }
        await child.isReached()
        parent.open()
        await parentThread.value
        child.open()
        await childThread.value
        #expect(
            seen.values == [
                [], [NamedContext("parent", [.init("key", 1)])], [],
                [NamedContext("child", [.init("thread", 2)])], [],
            ])
    }

    @Test func `What one thread enters holds for all where the place is shared`() async throws {
        try tracker.enterContext("shared", [.init("key", 1)])
        await onThread { [tracker] in tracker.emit("name") }
        #expect(backend.events == [expected("name", [:], [.init("key", 1)])])
    }

    @Test func `Tasks inherit contexts and never see those of their siblings`() async throws {
        let tracker = try Tracker(
            backends: ["0": backend], contextLocator: TaskContextLocator(), now: { 12.5 })
        try await tracker.withContext("outer", [.init("run", 1)]) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<20 {
                    group.addTask {
                        try await tracker.withContext("task", [.init("task", .init(number))]) {
                            await Task.yield()
                            tracker.emit("\(number)")
                        }
                    }
                }
                try await group.waitForAll()
            }
            tracker.emit("end")
        }
        tracker.emit("outside")
        let events = backend.events
        #expect(events.count == 22)
        for event in events.prefix(20) {
            let number = event.name.flatMap(Int.init) ?? -1
            #expect(event.context == [.init("run", 1), .init("task", .init(number))])
        }
        #expect(events.suffix(2).map(\.context) == [[.init("run", 1)], []])
        // In code without tasks, too.
        try tracker.withContext("sync", [.init("a", 1)]) { tracker.emit("sync") }
        #expect(backend.events.last?.context == [.init("a", 1)])
        #expect(throws: RoutingError.contextNeedsScope("a")) { try tracker.enterContext("a", []) }
        #expect(throws: RoutingError.contextNeedsScope("a")) { try tracker.exitContext("a") }
    }

    @Test func `Events have the time of the system where nothing else is said`() throws {
        let tracker = try Tracker(backends: ["0": backend])
        let before = Tracker.wallTime()
        tracker.emit()
        let after = Tracker.wallTime()
        // A year after this was written, which a clock that was set has passed.
        #expect(before > 1.7e9)
        let time = try #require(backend.events.first?.timestamp)
        #expect((min(before, after)...max(before, after)).contains(time))
    }
}
