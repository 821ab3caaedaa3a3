import Glibc
import Journal
import Synchronization
import TestSupport
import Testing

@testable import Telemetry

/// Members that are called on the thread of a sender that waits, because they keep their time limits.
@Suite(.timeLimit(.minutes(1))) struct SenderThreadTests {
    @Test
    func
        `A member that keeps its time limit is called on the thread of the sender, others are not`()
        throws
    {
        let own = ThreadNoting("own", keepsTimeLimit: true)
        let other = ThreadNoting("other", keepsTimeLimit: false)
        let pool = try ExporterPool([own, other])
        for _ in 0..<3 { #expect(try pool.send("x").allSuccessful) }
        #expect(own.threads == [pthread_self()])
        #expect(other.threads.count == 1 && other.threads != own.threads)
        try pool.stop()
        #expect(own.isClosed && other.isClosed)
    }

    @Test func `With several threads, or without waiting, members have threads of their own`()
        throws
    {
        let own = ThreadNoting("own", keepsTimeLimit: true)
        let parallel = try ExporterPool([own], numThreads: 2)
        #expect(try parallel.send("x").allSuccessful)
        try parallel.stop()
        #expect(own.threads.count == 1 && own.threads != [pthread_self()])
        let background = ThreadNoting("background", keepsTimeLimit: true)
        let pool = try ExporterPool([background], waitForResult: false)
        try pool.send("x")
        try pool.stop(within: .seconds(20))
        #expect(background.threads.count == 1 && background.threads != [pthread_self()])
    }

    @Test func `A sender that comes while another one is at it waits for its turn`() throws {
        let gate = GatedExporter("gate", keepsTimeLimit: true)
        let pool = try ExporterPool([gate], timeout: .seconds(50))
        let done = Doorbell()
        #expect(startDetachedThread("first") { send("first", to: pool, done) } == 0)
        gate.entered.wait(until: nil)
        #expect(startDetachedThread("second") { send("second", to: pool, done) } == 0)
        // The second one has handed its record over to the thread, which must not begin.
        while pool.hub.destination(pool.leaves[0]).state.withLock({ $0.jobs.isEmpty }) {
            sched_yield()
        }
        #expect(gate.highest == 1)
        gate.open()
        while gate.count < 2 { done.wait(until: nil) }
        #expect(gate.highest == 1 && !pool.hasUnsentData)
    }

    @Test func `Stopping interrupts a sender and closes only after it`() throws {
        let gate = GatedExporter("gate", keepsTimeLimit: true)
        let pool = try ExporterPool([gate])
        let done = Doorbell()
        #expect(startDetachedThread("sender") { send("x", to: pool, done) } == 0)
        gate.entered.wait(until: nil)
        let statuses = try pool.stop(within: .zero)
        #expect(statuses.map(\.state) == [.stopped] && statuses[0].retried == 1)
        done.wait(until: nil)
        #expect(gate.isClosedAfterUse && gate.count == 0)
    }

    @Test func `A pool that nobody holds any more closes its members`() throws {
        let own = ThreadNoting("own", keepsTimeLimit: true)
        try ExporterPool([own]).send("x")
        #expect(own.isClosed)
    }

    @Test(arguments: [false, true])
    func `Many senders, a member that fails now and then: all is there once, one call at a time`(
        _ isManual: Bool
    ) throws {
        let shaky = ShakyExporter("shaky")
        let pool = try ExporterPool([shaky], manualReexport: isManual)
        let done = Doorbell()
        let left = Mutex(4)
        for thread in 0..<4 {
            let code = startDetachedThread("sender") {
                for number in 0..<250 {
                    do { try pool.send(.int(Int64(thread * 250 + number))) } catch {
                        Issue.record(error)
                    }
                }
                left.withLock { $0 -= 1 }
                done.ring()
            }
            #expect(code == 0)
        }
        while left.withLock({ $0 }) > 0 { done.wait(until: nil) }
        shaky.recover()
        try pool.sendUnsentData()
        #expect(shaky.values.sorted() == (0..<1000).map(Int64.init))
        #expect(shaky.overlaps == 0 && !pool.hasUnsentData)
        try pool.stop()
    }

    @Test func `R29: through a pool, too, the line is in the file when send returns`() throws {
        let folder = try TemporaryFolder()
        let pool = try ExporterPool([try FileExporter(folder.file("out"))])
        for count in 1...3 {
            #expect(try pool.send("line").allSuccessful)
            #expect(try folder.text(of: "out") == String(repeating: "line\n", count: count))
        }
    }
}

private func send(_ value: JournalValue, to pool: ExporterPool, _ done: Doorbell) {
    do { try pool.send(value) } catch { Issue.record(error) }
    done.ring()
}

/// Notes on which threads it is called.
private final class ThreadNoting: Exporter {
    let name: String
    let keepsTimeLimit: Bool
    private let state = Mutex((threads: Set<pthread_t>(), isClosed: false))

    init(_ name: String, keepsTimeLimit: Bool) {
        self.name = name
        self.keepsTimeLimit = keepsTimeLimit
    }

    var threads: Set<pthread_t> { state.withLock { $0.threads } }
    var isClosed: Bool { state.withLock { $0.isClosed } }

    func deliver(_ records: [ExportRecord], within limit: Duration) -> [ExportOutcome] {
        _ = state.withLock { $0.threads.insert(pthread_self()) }
        return records.map { _ in .delivered(.null) }
    }

    func close() { state.withLock { $0.isClosed = true } }
}

/// Fails every third call until it recovers, and counts calls that overlap.
private final class ShakyExporter: Exporter {
    let name: String
    let keepsTimeLimit = true
    private let state = Mutex(
        (calls: 0, inside: 0, overlaps: 0, isWell: false, values: [Int64]()))

    init(_ name: String) { self.name = name }

    var values: [Int64] { state.withLock { $0.values } }
    var overlaps: Int { state.withLock { $0.overlaps } }

    func recover() { state.withLock { $0.isWell = true } }

    func deliver(_ records: [ExportRecord], within limit: Duration) -> [ExportOutcome] {
        let fails = state.withLock { state in
            state.calls += 1
            if state.inside > 0 { state.overlaps += 1 }
            state.inside += 1
            return !state.isWell && state.calls % 3 == 0
        }
        sched_yield()
        return state.withLock { state in
            state.inside -= 1
            return records.map { record in
                guard !fails, case .value(.int(let value)) = record.data else {
                    return .retryable(reason: "shaky", after: nil)
                }
                state.values.append(value)
                return .delivered(.null)
            }
        }
    }
}
