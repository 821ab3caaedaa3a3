import Glibc
import Testing

@testable import ControllerRuntime

@Suite("The watch over a worker")
struct WorkerWatchTests {
    private static let second: UInt64 = 1_000_000_000
    private static let limits = WorkerWatch.Limits(
        frameTime: 60 * second, responseTime: 10 * second)

    /// A look at a worker that started at 100 s; times in seconds.
    private func look(
        at now: UInt64, frameSince: UInt64? = nil, inFlight: Int = 0, answers: UInt64 = 0,
        heardAt: UInt64 = 100, debt: UInt64? = nil, change: UInt64? = nil
    ) -> WorkerWatch.Look {
        func time(_ seconds: UInt64?) -> UInt64? { seconds.map { $0 * Self.second } }
        return WorkerWatch.Look(
            now: now * Self.second,
            frame: time(frameSince).map { .init(requestId: 7, startedAt: $0) },
            inFlight: inFlight, answerCount: answers, heardAt: heardAt * Self.second,
            oldestDebt: time(debt), oldestChange: time(change))
    }

    private func judge(
        _ looks: WorkerWatch.Look..., limits: WorkerWatch.Limits = limits
    ) -> [WorkerWatch.Judgement] {
        var watch = WorkerWatch(startedAt: 100 * Self.second)
        return looks.map { watch.judge($0, by: limits) }
    }

    @Test("finds a frame that takes too long, at the moment of its limit")
    func longFrame() {
        #expect(
            judge(
                look(at: 130, frameSince: 105, inFlight: 3),
                look(at: 164, frameSince: 105, inFlight: 3),
                look(at: 165, frameSince: 105, inFlight: 3))
                == [.well, .well, .frameTooLong(requestId: 7, since: 165 * Self.second)])
    }

    @Test("lets a frame take its time where there is no limit, whatever else is owed")
    func noLimit() {
        let limits = WorkerWatch.Limits(frameTime: nil, responseTime: 10 * Self.second)
        #expect(
            judge(
                look(at: 90_000, frameSince: 105, inFlight: 3, debt: 110, change: 120),
                limits: limits) == [.well])
        #expect(judge(look(at: 90_000, inFlight: 3), limits: limits) == [.well])
    }

    @Test("finds a worker that has frames and does nothing with them")
    func stuck() {
        // The time of before, in which it had nothing, does not count.
        #expect(
            judge(
                look(at: 300, heardAt: 300), look(at: 301, inFlight: 2, heardAt: 300),
                look(at: 360, inFlight: 2, heardAt: 359), look(at: 361, inFlight: 2, heardAt: 361))
                == [.well, .well, .well, .stuck(since: 361 * Self.second)])
    }

    @Test("does not take one for stuck that gives frames back, or is seen with one")
    func getsOn() {
        #expect(
            judge(
                look(at: 101, inFlight: 2), look(at: 160, inFlight: 2, answers: 1),
                look(at: 219, frameSince: 218, inFlight: 2, answers: 1),
                look(at: 278, inFlight: 2, answers: 1),
                look(at: 279, inFlight: 2, answers: 1))
                == [.well, .well, .well, .well, .stuck(since: 279 * Self.second)])
    }

    @Test("asks and expects nothing of an idle one where there is no limit of time to answer")
    func noResponseLimit() {
        let limits = WorkerWatch.Limits(frameTime: nil, responseTime: nil)
        #expect(judge(look(at: 90_000), limits: limits) == [.well])
        #expect(judge(look(at: 90_000, debt: 110, change: 120), limits: limits) == [.well])
    }

    @Test("pings one that is idle and silent for a second, and no other")
    func pings() {
        #expect(judge(look(at: 101)) == [.ping])
        #expect(judge(look(at: 101, heardAt: 101)) == [.well])
        #expect(judge(look(at: 105, debt: 104)) == [.well])
        #expect(judge(look(at: 105, inFlight: 1)) == [.well])
        #expect(judge(look(at: 105, frameSince: 104, inFlight: 1)) == [.well])
    }

    @Test("finds an idle worker that answers nothing")
    func silent() {
        #expect(
            judge(look(at: 111, debt: 102), look(at: 112, debt: 102))
                == [.well, .silent(since: 112 * Self.second)])
    }

    @Test("waits for the answer to a change from the last frame on")
    func change() {
        #expect(
            judge(
                look(at: 109, frameSince: 108, inFlight: 2, debt: 101, change: 101),
                look(at: 118, inFlight: 2, debt: 101, change: 101),
                look(at: 119, inFlight: 2, debt: 101, change: 101))
                == [.well, .well, .silent(since: 119 * Self.second)])
        // Statistics may come after all frames from a worker with one thread.
        #expect(
            judge(look(at: 101, inFlight: 2), look(at: 150, inFlight: 2, debt: 101))
                == [.well, .well])
    }

    @Test(
        "looks four times a second at most while limits are long, and often enough for short ones")
    func period() {
        #expect(Self.limits.period == 250_000_000)
        #expect(WorkerWatch.Limits(frameTime: nil, responseTime: .max).period == 250_000_000)
        #expect(
            WorkerWatch.Limits(frameTime: 400_000_000, responseTime: .max).period == 100_000_000)
        #expect(WorkerWatch.Limits(frameTime: 1, responseTime: .max).period == 20_000_000)
    }
}

@Suite("The memory of a process")
struct ProcessMemoryTests {
    @Test("is what is its own, resident or swapped out")
    func parsed() {
        let text = """
            Name:\tRssAnon: 99 kB
            VmRSS:\t   26000 kB
            RssAnon:\t    5124 kB
            RssFile:\t   20876 kB
            VmSwap:\t      16 kB
            """
        #expect(ProcessMemory.ownByteCount(inStatus: Array(text.utf8)) == (5124 + 16) * 1024)
        #expect(ProcessMemory.ownByteCount(inStatus: Array("RssAnon: 3 kB".utf8)) == 3072)
    }

    @Test(
        "is not known where the system does not say", arguments: ["", "RssAnon:", "RssAnon: x kB"])
    func unknown(text: String) {
        #expect(ProcessMemory.ownByteCount(inStatus: Array(text.utf8)) == nil)
    }

    @Test("can be asked of this process, and of none that is not there")
    func own() throws {
        let byteCount = try #require(ProcessMemory.ownByteCount(ofProcess: getpid()))
        #expect(byteCount > 1 << 20)
        // Above the largest number that a process can have (man 5 proc, pid_max).
        #expect(ProcessMemory.ownByteCount(ofProcess: .max) == nil)
    }
}
