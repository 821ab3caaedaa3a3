import Glibc
import Journal
import TestSupport
import Testing

@testable import Telemetry

/// Pools that do not wait: a thread for each destination takes from the spool.
@Suite(.timeLimit(.minutes(1))) struct BackgroundDeliveryTests {
    private let exact = RetryPolicy(jitter: 0)

    @Test func `Every destination gets all records in order, in its own pace`() throws {
        let fast = FaultyExporter("fast", batch: 7)
        let slow = FaultyExporter("slow", batch: 1)
        let pool = try ExporterPool([fast, slow], waitForResult: false)
        for number in 1...300 { try pool.send(["n": .int(Int64(number))]) }
        fast.awaitTaken(300)
        slow.awaitTaken(300)
        #expect(fast.attempts == Array(1...300) && slow.attempts == Array(1...300))
        try pool.stop()
    }

    @Test func `A destination that is down is tried at the times of the policy and no oftener`()
        throws
    {
        let clock = ManualExportClock()
        let start = clock.now
        let target = FaultyExporter("a", .isDown)
        let pool = try ExporterPool([target], waitForResult: false, retry: exact, clock: clock)
        try pool.send("x")
        var waits: [Duration] = []
        for tries in 1...5 {
            target.awaitCalls(tries)
            let deadline = clock.awaitDeadline()
            waits.append(deadline - clock.now)
            // What is new does not bring the next try forward.
            try pool.send("y")
            #expect(target.callCount == tries)
            clock.advance(by: deadline - clock.now)
            while target.callCount == tries { target.awaitCalls(tries + 1) }
        }
        #expect(
            waits == [500, 750, 1125, 1687.5, 2531.25].map { .milliseconds($0) })
        #expect(clock.now - start == waits.reduce(.zero, +))
    }

    @Test func `A delay that the server asked for is honoured`() throws {
        let clock = ManualExportClock()
        let target = FaultyExporter("a", .asksFor(.seconds(60)))
        let pool = try ExporterPool([target], waitForResult: false, retry: exact, clock: clock)
        try pool.send("x")
        target.awaitCalls(1)
        #expect(clock.awaitDeadline() - clock.now == .seconds(60))
        #expect(pool.statuses[0].nextAttempt == .seconds(60))
        target.mode = .works
        clock.advance(by: .seconds(60))
        target.awaitTaken(1)
    }

    @Test func `A step of the wall clock moves no back-off`() throws {
        let clock = ManualExportClock()
        let target = FaultyExporter("a", .isDown)
        let pool = try ExporterPool([target], waitForResult: false, retry: exact, clock: clock)
        try pool.send("x")
        target.awaitCalls(1)
        let before = clock.awaitDeadline()
        clock.stepWall(by: -3_600_000_000_000)
        try pool.send("y")
        #expect(clock.awaitDeadline() == before)
        target.mode = .works
        clock.advance(by: before - clock.now)
        target.awaitTaken(2)
        #expect(target.taken[1].timestampNanoseconds < target.taken[0].timestampNanoseconds)
        #expect(target.taken.map(\.seq) == [1, 2])
    }

    @Test func `What fails for longer than the policy allows is dropped and counted`() throws {
        let clock = ManualExportClock()
        let target = FaultyExporter("a", .isDown)
        let policy = RetryPolicy(jitter: 0, maximumElapsedTime: .seconds(1))
        let pool = try ExporterPool([target], waitForResult: false, retry: policy, clock: clock)
        try pool.send("x")
        for tries in 1...3 {
            target.awaitCalls(tries)
            if tries < 3 { clock.advance(by: clock.awaitDeadline() - clock.now) }
        }
        while pool.hasUnsentData { sched_yield() }
        #expect(try pool.stop()[0].dropped == [.retryTimeOver: 1])
    }

    @Test func `A batch that is taken in part goes on where it failed`() throws {
        let clock = ManualExportClock()
        let target = FaultyExporter("a", .isDown, batch: 10)
        let pool = try ExporterPool([target], waitForResult: false, retry: exact, clock: clock)
        try pool.send("0")
        target.awaitCalls(1)
        let first = clock.awaitDeadline()
        for number in 1...9 { try pool.send(.string("\(number)")) }
        target.mode = .worksFor(4)
        clock.advance(by: first - clock.now)
        target.awaitCalls(2)
        let second = clock.awaitDeadline()
        #expect(pool.spool.queued("a").records == 6)
        target.mode = .works
        clock.advance(by: second - clock.now)
        target.awaitTaken(10)
        #expect(target.taken.map(\.seq) == Array(1...10))
        #expect(try pool.stop()[0].delivered == 10)
    }

    @Test func `Asking by hand does not wait for the back-off`() throws {
        let target = FaultyExporter("a", .isDown)
        let pool = try ExporterPool(
            [target], waitForResult: false, retry: exact, clock: ManualExportClock())
        try pool.send("x")
        target.awaitCalls(1)
        target.mode = .works
        #expect(try pool.sendUnsentData().allSuccessful)
        #expect(!pool.hasUnsentData)
    }

    @Test func `With manual resending each record is tried once, and then waits to be asked for`()
        throws
    {
        let target = FaultyExporter("a", .isDown)
        let pool = try ExporterPool([target], waitForResult: false, manualReexport: true)
        try pool.send("1")
        target.awaitCalls(1)
        target.mode = .works
        try pool.send("2")
        target.awaitTaken(1)
        #expect(target.attempts == [1, 2])
        try pool.sendUnsentData()
        #expect(target.attempts == [1, 2, 1])
        #expect(!pool.hasUnsentData)
        try pool.stop()
    }

    @Test func `Stopping delivers what is in flight`() throws {
        let target = FaultyExporter("a", batch: 3)
        let pool = try ExporterPool([target], waitForResult: false)
        for number in 1...100 { try pool.send(["n": .int(Int64(number))]) }
        let statuses = try pool.stop(within: .seconds(20))
        #expect(target.taken.count == 100 && target.isClosed)
        #expect(statuses[0].queued.records == 0 && statuses[0].state == .stopped)
    }

    @Test func `Stopping while the destination is down keeps the queue on disk for the next life`()
        throws
    {
        let folder = try TemporaryFolder()
        let down = FaultyExporter("a", .isDown)
        let first = try ExporterPool(
            [down], waitForResult: false, useMemory: false, spoolDirectory: folder.path)
        for number in 1...10 { try first.send(["n": .int(Int64(number))]) }
        down.awaitCalls(1)
        // There is nothing to wait for, so the long limit does not matter.
        #expect(try first.stop(within: .seconds(600))[0].queued.records == 10)
        let target = FaultyExporter("a")
        let second = try ExporterPool(
            [target], waitForResult: false, useMemory: false, spoolDirectory: folder.path)
        target.awaitTaken(10)
        #expect(target.attempts == Array(1...10))
        try second.stop()
    }

    @Test func `Stopping while the destination is down in memory counts what is lost`() throws {
        let target = FaultyExporter("a", .isDown)
        let pool = try ExporterPool([target], waitForResult: false)
        for _ in 1...4 { try pool.send("x") }
        target.awaitCalls(1)
        #expect(try pool.stop()[0].dropped == [.stopped: 4])
    }

    @Test func `A destination that hangs is interrupted by stopping, and its record stays`() throws
    {
        let folder = try TemporaryFolder()
        let target = GatedExporter("hangs")
        let pool = try ExporterPool(
            [target], waitForResult: false, useMemory: false, spoolDirectory: folder.path)
        try pool.send("x")
        target.entered.wait(until: nil)
        let statuses = try pool.stop(within: .milliseconds(1))
        #expect(statuses[0].queued.records == 1)
        #expect(statuses[0].lastError == "interrupted")
        #expect(try SpoolTools.list(directory: folder.path).owed["hangs"]?.records == 1)
    }

    @Test func `A dead destination holds up no other`() throws {
        let dead = GatedExporter("dead")
        let good = FaultyExporter("good")
        let pool = try ExporterPool([dead, good], waitForResult: false)
        for number in 1...50 { try pool.send(["n": .int(Int64(number))]) }
        good.awaitTaken(50)
        #expect(dead.count == 0)
        dead.open()
        try pool.stop(within: .seconds(20))
    }

    @Test func `More was left over by an earlier life than fits now, and it starts all the same`()
        throws
    {
        let folder = try TemporaryFolder()
        let first = try Spool(directory: folder.path)
        for seq in 1...100 { _ = first.append(numbered(UInt64(seq)), owed: ["a"]) }
        try first.close()
        let target = FaultyExporter("a", batch: 10)
        let pool = try ExporterPool(
            [target], waitForResult: false, useMemory: false, spoolDirectory: folder.path,
            spoolLimits: SpoolLimits(maximumRecords: 10, whenFull: .block))
        try pool.send(numbered(101))
        target.awaitTaken(101)
        #expect(target.attempts == Array(1...101))
        try pool.stop()
    }

    @Test func `A record is taken up again when room comes`() throws {
        let target = FaultyExporter("a", .isDown)
        let clock = ManualExportClock()
        let pool = try ExporterPool(
            [target], waitForResult: false,
            spoolLimits: SpoolLimits(maximumRecords: 1, whenFull: .block),
            retry: exact, clock: clock)
        try pool.send("1")
        target.awaitCalls(1)
        let done = Doorbell()
        #expect(
            startDetachedThread("sender") {
                _ = try? pool.send("2")
                done.ring()
            } == 0)
        while !pool.spool.isBlocking { sched_yield() }
        #expect(pool.statuses[0].state == .blocked)
        target.mode = .works
        clock.advance(by: .seconds(1))
        done.wait(until: nil)
        target.awaitTaken(2)
        #expect(pool.statuses[0].dropped.isEmpty)
    }

    @Test func `The standing of an exporter tells what happened`() throws {
        let clock = ManualExportClock()
        let target = FaultyExporter("a", .isDown)
        let pool = try ExporterPool([target], waitForResult: false, retry: exact, clock: clock)
        #expect(pool.statuses[0].state == .idle)
        try pool.send("x")
        target.awaitCalls(1)
        let deadline = clock.awaitDeadline()
        var status = pool.statuses[0]
        #expect(status.state == .retrying && status.lastError == "a is down")
        #expect(status.queued.records == 1 && status.queued.bytes > 0 && status.retried == 1)
        target.mode = .works
        clock.advance(by: deadline - clock.now)
        target.awaitTaken(1)
        while pool.hasUnsentData { sched_yield() }
        status = pool.statuses[0]
        #expect(status.state == .connected && status.delivered == 1 && status.nextAttempt == nil)
    }
}

@Suite struct RetryPolicyTests {
    @Test func `The same seed draws the same waits, within the jitter`() {
        func waits(_ seed: UInt64) -> [Duration] {
            var timer = RetryTimer(RetryPolicy(jitter: 0.5, seed: seed))
            return (0..<12).map { _ in
                timer.failed(at: .zero, askedFor: nil)
                return timer.nextAttempt ?? .zero
            }
        }
        #expect(waits(7) == waits(7) && waits(7) != waits(8))
        let exact = RetryPolicy()
        var interval = exact.initialInterval
        for wait in waits(7) {
            #expect(wait >= interval * 0.5 && wait <= interval * 1.5)
            interval = min(interval * exact.multiplier, exact.maximumInterval)
        }
    }

    @Test func `Success begins anew`() {
        var timer = RetryTimer(RetryPolicy(jitter: 0))
        for _ in 0..<5 { timer.failed(at: .zero, askedFor: nil) }
        timer.succeeded()
        #expect(timer.nextAttempt == nil)
        timer.failed(at: .zero, askedFor: nil)
        #expect(timer.nextAttempt == .milliseconds(500))
    }

    @Test func `A server gets at most an hour, and never less than the back-off`() {
        var timer = RetryTimer(RetryPolicy(jitter: 0))
        timer.failed(at: .zero, askedFor: .seconds(1_000_000))
        #expect(timer.nextAttempt == .seconds(3600))
        timer.failed(at: .zero, askedFor: .seconds(-5))
        #expect(timer.nextAttempt == .milliseconds(750))
    }

    @Test(arguments: [
        RetryPolicy(initialInterval: .zero), RetryPolicy(multiplier: 0.5), RetryPolicy(jitter: 2),
        RetryPolicy(maximumInterval: .milliseconds(1)), RetryPolicy(multiplier: .infinity),
    ])
    func `Settings that can't work are refused`(_ policy: RetryPolicy) {
        #expect(throws: ExportError.self) { try ExporterPool([], retry: policy) }
    }
}
