import Testing

@testable import ControllerRuntime

// `@testable`: the state machine is internal, and only whole runs show it otherwise.

private typealias Transaction = ConfigureTransaction
private typealias Event = ConfigureTransaction.Event
private typealias Action = ConfigureTransaction.Action

@Suite("The transaction of a change of configuration")
struct ConfigureTransactionTests {
    /// A transaction with these workers that are there at the beginning.
    private func begun(_ workers: Int...) -> Transaction {
        var transaction = Transaction()
        for worker in workers {
            #expect(transaction.handle(.joined(worker)) == [.sendPrepare(worker)])
        }
        return transaction
    }

    /// One that two workers have validated.
    private func applying() -> Transaction {
        var transaction = begun(0, 1)
        #expect(transaction.handle(.validated(0)) == [])
        #expect(
            transaction.handle(.validated(1)) == [.publish, .sendApply(0), .sendApply(1)])
        return transaction
    }

    @Test("is complete when all have applied it, and not before")
    func succeeds() {
        var transaction = applying()
        #expect(transaction.handle(.applied(1)) == [])
        #expect(transaction.handle(.applied(1)) == [])
        #expect(transaction.handle(.applied(0)) == [.complete(failure: nil)])
        #expect(transaction.phase == .over)
    }

    @Test("is refused by the first refusal; all are told to forget it")
    func refused() {
        var transaction = begun(0, 1, 2)
        _ = transaction.handle(.validated(2))
        #expect(
            transaction.handle(.refused(0, "no")) == [
                .sendAbandon(0), .sendAbandon(1), .sendAbandon(2), .complete(failure: "no"),
            ])
        #expect(transaction.handle(.validated(1)) == [])
    }

    @Test("is refused by a worker that ends while it validates, not by one that ends of a frame")
    func goneWhileValidating() {
        var refused = begun(0, 1)
        #expect(
            refused.handle(.gone(0, wasAtIt: true, "dead"))
                == [.sendAbandon(1), .complete(failure: "dead")])
        var other = begun(0, 1)
        _ = other.handle(.validated(1))
        #expect(
            other.handle(.gone(0, wasAtIt: false, "dead")) == [.publish, .sendApply(1)])
        // The one in its place has the change as an accepted one, and is to apply it.
        #expect(other.handle(.joined(0)) == [.sendApply(0)])
        #expect(other.handle(.applied(1)) == [])
        #expect(other.handle(.applied(0)) == [.complete(failure: nil)])
    }

    @Test("does not blame a worker that had validated and ends before the others have")
    func goneAfterValidating() {
        var transaction = begun(0, 1)
        _ = transaction.handle(.validated(0))
        #expect(transaction.handle(.gone(0, wasAtIt: true, "dead")) == [])
        #expect(transaction.handle(.joined(0)) == [.sendPrepare(0)])
        #expect(transaction.handle(.validated(1)) == [])
        #expect(
            transaction.handle(.validated(0)) == [.publish, .sendApply(0), .sendApply(1)])
    }

    @Test("waits for a worker when none is there")
    func waits() {
        var transaction = Transaction()
        #expect(transaction.handle(.gone(0, wasAtIt: false, "dead")) == [])
        #expect(transaction.handle(.joined(1)) == [.sendPrepare(1)])
        #expect(transaction.handle(.gone(1, wasAtIt: false, "dead")) == [])
        #expect(transaction.phase == .validating)
        #expect(transaction.handle(.joined(1)) == [.sendPrepare(1)])
        #expect(transaction.handle(.validated(1)) == [.publish, .sendApply(1)])
    }

    @Test("is taken back by a worker that can't apply it; those that can go back")
    func applyFails() {
        var transaction = applying()
        _ = transaction.handle(.applied(0))
        #expect(
            transaction.handle(.applyFailed(1, "full")) == [
                .takeBack("full"), .sendBack(0), .sendBack(1), .complete(failure: "full"),
            ])
        #expect(transaction.handle(.applied(1)) == [])
    }

    @Test("is taken back by a worker that ends while it applies")
    func goneWhileApplying() {
        var transaction = applying()
        #expect(
            transaction.handle(.gone(1, wasAtIt: true, "dead"))
                == [.takeBack("dead"), .sendBack(0), .complete(failure: "dead")])
    }

    @Test("waits for the one in the place of a worker that ended of a frame, and for its answer")
    func replaced() {
        var transaction = applying()
        #expect(transaction.handle(.gone(1, wasAtIt: false, "dead")) == [])
        #expect(transaction.handle(.applied(0)) == [])
        // It does not get up: that is no answer to the change.
        #expect(transaction.handle(.gone(1, wasAtIt: true, "did not start")) == [])
        #expect(transaction.handle(.joined(1)) == [.sendApply(1)])
        var failing = transaction
        #expect(transaction.handle(.applied(1)) == [.complete(failure: nil)])
        #expect(
            failing.handle(.applyFailed(1, "no disk")) == [
                .takeBack("no disk"), .sendBack(0), .sendBack(1), .complete(failure: "no disk"),
            ])
    }

    @Test("asks those too that join in the middle")
    func joins() {
        var transaction = begun(0)
        #expect(transaction.handle(.joined(1)) == [.sendPrepare(1)])
        #expect(transaction.handle(.validated(0)) == [])
        #expect(
            transaction.handle(.validated(1)) == [.publish, .sendApply(0), .sendApply(1)])
        #expect(transaction.handle(.joined(2)) == [.sendApply(2)])
        _ = transaction.handle(.applied(0))
        _ = transaction.handle(.applied(1))
        #expect(transaction.handle(.applied(2)) == [.complete(failure: nil)])
    }

    @Test("ends with the run, and says so once")
    func runEnds() {
        var early = begun(0)
        #expect(early.handle(.runEnding("over")) == [.complete(failure: "over")])
        #expect(early.handle(.runEnding("over")) == [])
        var late = applying()
        #expect(
            late.handle(.runEnding("over")) == [.takeBack("over"), .complete(failure: "over")])
        #expect(late.handle(.gone(0, wasAtIt: true, "dead")) == [])
    }

    /// Everything that can happen with three workers.
    private static var allEvents: [Event] {
        [.runEnding("end")]
            + (0..<3).flatMap { worker -> [Event] in
                [
                    .joined(worker), .validated(worker), .refused(worker, "refused"),
                    .applied(worker), .applyFailed(worker, "failed"),
                    .gone(worker, wasAtIt: true, "at it"), .gone(worker, wasAtIt: false, "else"),
                ]
            }
    }

    /// All states that any order of events leads to.
    private func reachable() -> Set<Transaction> {
        var seen: Set<Transaction> = [Transaction()]
        var front = [Transaction()]
        while let state = front.popLast() {
            for event in Self.allEvents {
                var next = state
                _ = next.handle(event)
                if seen.insert(next).inserted { front.append(next) }
            }
        }
        return seen
    }

    private func isComplete(_ action: Action) -> Bool {
        if case .complete = action { true } else { false }
    }

    @Test("keeps its rules whatever comes in whatever order")
    func everyOrder() {
        let states = reachable()
        #expect(states.count > 100)
        for state in states {
            for event in Self.allEvents {
                var next = state
                let actions = next.handle(event)
                let ends = next.phase == .over && state.phase != .over
                #expect(actions.filter(isComplete).count == (ends ? 1 : 0))
                #expect(!ends || isComplete(actions[actions.count - 1]))
                #expect(
                    actions.contains(.publish)
                        == (state.phase == .validating && next.phase == .applying))
                let isTakenBack = actions.contains {
                    if case .takeBack = $0 { true } else { false }
                }
                #expect(
                    isTakenBack
                        == (state.phase == .applying && ends
                            && !actions.contains(.complete(failure: nil))))
                if state.phase == .over {
                    #expect(actions.isEmpty)
                    #expect(next == state)
                }
                if actions.contains(where: { if case .sendApply = $0 { true } else { false } }) {
                    #expect(next.phase == .applying)
                }
            }
        }
    }

    @Test("can be carried out from every state that it is not over in")
    func isNeverStuck() {
        for state in reachable() where state.phase != .over {
            var next = state
            // Every worker is replaced by a good one.
            for worker in 0..<3 {
                _ = next.handle(.gone(worker, wasAtIt: false, "else"))
                _ = next.handle(.joined(worker))
            }
            for worker in 0..<3 { _ = next.handle(.validated(worker)) }
            var last: [Action] = []
            for worker in 0..<3 {
                let actions = next.handle(.applied(worker))
                if !actions.isEmpty { last = actions }
            }
            #expect(next.phase == .over)
            #expect(last == [.complete(failure: nil)])
        }
    }
}
