import TestSupport
import Testing

@testable import ControllerRuntime

private typealias Machine = WorkerStateMachine

/// What one event must lead to.
private struct Step {
    var actions: [Machine.Action]
    var state: Machine.State

    init(_ actions: [Machine.Action], _ state: Machine.State) {
        self.actions = actions
        self.state = state
    }
}

@Suite("The life of a worker")
struct WorkerStateMachineTests {
    /// The events that lead from the beginning to each state.
    private static let ways: [(state: Machine.State, events: [Machine.Event])] = [
        (.spawned, []),
        (.ready, [.welcomed(version: 7)]),
        (.started, [.welcomed(version: 7), .described, .startAnswered(failure: nil)]),
        (
            .stopping,
            [.welcomed(version: 7), .described, .startAnswered(failure: nil), .stopRequested]
        ),
        (.gone, [.exited("exited with code 0")]),
    ]

    private static let events: [Machine.Event] = [
        .welcomed(version: 7), .welcomed(version: 8), .welcomed(version: 0), .described,
        .startAnswered(failure: nil), .startAnswered(failure: "no"), .stopRequested, .stopAnswered,
        .timeLimitPassed, .misbehaved("it sent garbage"), .exited("exited with code 3"),
    ]

    /// The whole table, in the order of `ways` and `events`.
    private static let table: [[Step]] = {
        let killed = Step([.kill], .stopping)
        let gone = Step([.finish(cause: "it exited with code 3")], .gone)
        func still(_ state: Machine.State) -> Step { Step([], state) }
        return [
            [
                Step([.sendDescribe], .ready), killed, killed, killed, killed, killed,
                Step([.closeInput], .stopping), killed, killed, killed, gone,
            ],
            [
                killed, killed, killed, Step([.sendStart], .ready), Step([.open], .started), killed,
                Step([.closeInput], .stopping), killed, killed, killed, gone,
            ],
            [
                killed, killed, killed, killed, killed, killed, Step([.sendStop], .stopping),
                killed, still(.started), killed, gone,
            ],
            // Answers to what was asked before the stop still come, and mean nothing any more.
            [
                still(.stopping), still(.stopping), still(.stopping), still(.stopping),
                still(.stopping), still(.stopping), still(.stopping),
                Step([.closeInput], .stopping), killed, killed, Step([.finish(cause: nil)], .gone),
            ],
            Array(repeating: still(.gone), count: 11),
        ]
    }()

    private static func machine(after events: [Machine.Event]) -> Machine {
        var machine = Machine(versions: 7...7)
        for event in events { _ = machine.handle(event) }
        return machine
    }

    @Test("answers every event in every state as the table says")
    func wholeTable() {
        for (way, row) in zip(Self.ways, Self.table) {
            #expect(Self.machine(after: way.events).state == way.state)
            #expect(row.count == Self.events.count)
            for (event, expected) in zip(Self.events, row) {
                var machine = Self.machine(after: way.events)
                #expect(machine.handle(event) == expected.actions, "\(event) while \(way.state)")
                #expect(machine.state == expected.state, "after \(event) while \(way.state)")
            }
        }
    }

    @Test("goes from greeting to an orderly end, and then says nothing more")
    func orderly() {
        var machine = Machine(versions: 1...1)
        #expect(machine.handle(.welcomed(version: 1)) == [.sendDescribe])
        #expect(machine.handle(.described) == [.sendStart])
        #expect(machine.handle(.startAnswered(failure: nil)) == [.open])
        #expect(machine.handle(.timeLimitPassed) == [])
        #expect(machine.handle(.stopRequested) == [.sendStop])
        #expect(machine.handle(.stopRequested) == [])
        #expect(machine.handle(.stopAnswered) == [.closeInput])
        #expect(machine.handle(.exited("exited with code 0")) == [.finish(cause: nil)])
        #expect(machine.handle(.exited("exited with code 0")) == [])
    }

    @Test(
        "that is stopped while it starts ends in order, though its answers still come",
        arguments: [0, 1, 2])
    func stoppedEarly(steps: Int) {
        let answers: [Machine.Event] = [
            .welcomed(version: 7), .described, .startAnswered(failure: nil),
        ]
        var machine = Self.machine(after: Array(answers[..<steps]))
        #expect(machine.handle(.stopRequested) == [.closeInput])
        for answer in answers[steps...] { #expect(machine.handle(answer) == []) }
        #expect(machine.handle(.exited("exited with code 0")) == [.finish(cause: nil)])
    }

    @Test("keeps the first reason for which it has to go")
    func firstCause() {
        var machine = Self.machine(after: Self.ways[2].events)
        #expect(machine.handle(.misbehaved("it sent garbage")) == [.kill])
        #expect(machine.handle(.misbehaved("it closed its output")) == [])
        #expect(machine.handle(.stopRequested) == [])
        #expect(machine.handle(.timeLimitPassed) == [])
        let end = machine.handle(.exited("was ended by signal 9"))
        #expect(end == [.finish(cause: "it sent garbage")])
    }

    @Test("tells what a worker of another version needs")
    func otherVersion() {
        var machine = Machine(versions: 7...7)
        #expect(machine.handle(.welcomed(version: 0)) == [.kill])
        guard case .finish(let cause?) = machine.handle(.exited("exited")).first else {
            Issue.record("no end")
            return
        }
        #expect(cause.contains("another version of the worker protocol than 7"))
    }

    @Test("has a cause for an end that nobody asked for, even with code 0")
    func unexpectedEnd() {
        for way in Self.ways[..<3] {
            var machine = Self.machine(after: way.events)
            let end = machine.handle(.exited("exited with code 0"))
            #expect(end == [.finish(cause: "it exited with code 0")])
        }
    }

    @Test("that was abandoned says nothing")
    func abandoned() {
        var machine = Machine(versions: 7...7)
        machine.abandon()
        #expect(machine.state == .gone)
        for event in Self.events { #expect(machine.handle(event) == []) }
    }

    @Test("keeps its promises in a million random events", arguments: [1, 2, 3] as [UInt64])
    func randomWalk(seed: UInt64) {
        var random = SeededNumbers(seed: seed)
        var machine = Machine(versions: 7...7)
        var life = Life()
        for _ in 0..<333_334 {
            let event = Self.events[Int.random(in: 0..<Self.events.count, using: &random)]
            if life.isOver && Bool.random(using: &random) {
                machine = Machine(versions: 7...7)
                life = Life()
            }
            let before = machine.state
            let actions = machine.handle(event)
            for action in actions {
                if let broken = life.take(action) {
                    Issue.record("\(broken): \(event) while \(before) gives \(actions)")
                    return
                }
            }
            let mayStay = before == machine.state
            guard mayStay || Self.order(before) < Self.order(machine.state) else {
                Issue.record("\(event) leads back from \(before) to \(machine.state)")
                return
            }
        }
    }

    private static func order(_ state: Machine.State) -> Int {
        switch state {
        case .spawned: 0
        case .ready: 1
        case .started: 2
        case .stopping: 3
        case .gone: 4
        }
    }
}

/// What was ordered in one life.
private struct Life {
    var isOver = false
    private var isOpen = false
    private var wasKilled = false
    private var hasStop = false

    /// Takes an action and says which promise it breaks, if any.
    mutating func take(_ action: Machine.Action) -> String? {
        if isOver { return "an order after the end" }
        switch action {
        case .open:
            if isOpen { return "opened twice" }
            if wasKilled || hasStop { return "opened on its way out" }
            isOpen = true
        case .kill:
            if wasKilled { return "killed twice" }
            wasKilled = true
        case .sendStop:
            if !isOpen { return "stopped before it started" }
            if hasStop || wasKilled { return "stopped on its way out" }
            hasStop = true
        case .sendDescribe, .sendStart:
            if wasKilled || hasStop || isOpen { return "prepared too late" }
        case .closeInput: break
        case .finish: isOver = true
        }
        return nil
    }
}
