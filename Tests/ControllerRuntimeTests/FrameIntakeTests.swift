import Glibc
import NDArrays
import Pipes
import Synchronization
import TestSupport
import Testing
import WorkerProtocol

@testable import ControllerRuntime

/// A source whose frames are what a function says.
private final class ScriptedSource: FrameSource {
    let information = SourceInformation(name: "script", frameCount: nil, slotByteCount: 64)
    private let announce: @Sendable (Int) throws -> FrameAnnouncement?
    private let write: @Sendable (Int, UnsafeMutableRawBufferPointer) throws -> Void
    private let number = Mutex(0)

    init(
        write: @escaping @Sendable (Int, UnsafeMutableRawBufferPointer) throws -> Void = { _, _ in
        },
        announce: @escaping @Sendable (Int) throws -> FrameAnnouncement?
    ) {
        self.write = write
        self.announce = announce
    }

    func next() throws -> FrameAnnouncement? {
        try announce(
            number.withLock { number in
                number += 1
                return number
            })
    }

    func fill(_ destination: UnsafeMutableRawBufferPointer) throws {
        try write(number.withLock { $0 }, destination)
    }
}

private struct SourceTrouble: Error, CustomStringConvertible {
    var description: String { "the camera is gone" }
}

/// The engine's side of an intake, driven by the test, with the source on a thread of its own.
private final class Bench {
    static let timeoutMilliseconds: Int32 = 30_000

    let intake: FrameIntake
    let flag: EventFlag
    let pool: SlotPool
    private var thread: NamedThread?
    private var freed: [UInt32] = []
    private(set) var closed: UInt64 = 0
    private(set) var held: [IntakeFrame] = []
    private(set) var end: (hasEnded: Bool, failure: String?) = (false, nil)
    private(set) var all: [IntakeFrame] = []

    init(slots: Int = 4, openLimit: Int = 4) throws {
        let flag = try EventFlag()
        self.flag = flag
        pool = try SlotPool(poolId: 0, slotByteCount: 64, slotCount: slots, isShared: false)
        var free: [UInt32] = []
        while let slot = pool.take() { free.append(slot) }
        intake = try FrameIntake(
            freeSlots: free, maximumOpenCount: openLimit, wakeEngine: { flag.signal() })
    }

    func start(_ source: ScriptedSource, hasPool: Bool = true, rate: Double? = nil) throws {
        let driver = SourceDriver(
            source: source, intake: intake, pool: hasPool ? SourceSlots(pool) : nil,
            slotByteCount: 64, rateLimit: rate)
        thread = try NamedThread(name: "source") { driver.run() }
    }

    /// One look at the intake; true when frames came. With a negative backlog the source wakes who
    /// sleeps afterwards.
    func look(backlog: Int = -1) -> Bool {
        var frames: [IntakeFrame] = []
        let delivery = intake.exchange(
            &frames, freedSlots: &freed, closed: closed, backlog: backlog)
        end = (delivery.hasEnded, delivery.failure)
        held += frames
        all += frames
        return !frames.isEmpty
    }

    /// Closes the entry at a place of `held`; its slot goes back with the next look.
    func close(_ place: Int) {
        let frame = held.remove(at: place)
        if let slot = frame.slot { freed.append(slot) }
        closed += 1
    }

    func closeAll() { while !held.isEmpty { close(0) } }

    /// Waits until the source's side says something.
    func waitForSource() throws {
        guard try flag.wait(timeoutMilliseconds: Self.timeoutMilliseconds) else {
            throw Failure.nothingCame
        }
    }

    /// Looks and waits until the source has ended; with `closing` every frame is closed at once.
    func runToTheEnd(closing: Bool = true) throws {
        while true {
            let came = look()
            if closing { closeAll() }
            if end.hasEnded && !came { break }
            if !came && freed.isEmpty { try waitForSource() }
        }
        thread?.join()
    }

    enum Failure: Error { case nothingCame }
}

private func bytes(_ count: Int) -> FrameAnnouncement {
    FrameAnnouncement(.bytes(byteCount: count, typeName: "test"))
}

@Suite("Where frames come in", .timeLimit(.minutes(2)))
struct FrameIntakeTests {
    @Test("every frame comes once, in order, with its bytes", arguments: [1, 2, 3, 4] as [UInt64])
    func interleavings(seed: UInt64) throws {
        var random = SeededNumbers(seed: seed)
        let slots = Int.random(in: 1...5, using: &random)
        let openLimit = Int.random(in: 1...7, using: &random)
        let bench = try Bench(slots: slots, openLimit: openLimit)
        let count = 5000
        try bench.start(
            ScriptedSource(
                write: { number, place in place.storeBytes(of: UInt64(number), as: UInt64.self) },
                announce: { $0 <= count ? bytes(8) : nil }))
        var lastId: UInt64 = 0
        while true {
            let came = bench.look(backlog: .random(in: -3...3, using: &random))
            for frame in bench.all[Int(lastId)...] {
                lastId += 1
                let slot = try #require(frame.slot)
                let written = bench.pool.bytes(of: slot).load(as: UInt64.self)
                guard frame.frameId == lastId, written == lastId, frame.failure == nil else {
                    Issue.record("frame \(frame.frameId) with \(written) instead of \(lastId)")
                    return
                }
            }
            #expect(bench.held.count <= min(slots, openLimit))
            #expect(Set(bench.held.map(\.slot)).count == bench.held.count)
            if bench.end.hasEnded && !came { break }
            if came && Bool.random(using: &random) { continue }
            if bench.held.isEmpty {
                // Only who said that it sleeps is woken.
                if !bench.look() && !bench.end.hasEnded { try bench.waitForSource() }
            } else {
                for _ in 0...Int.random(in: 0..<bench.held.count, using: &random) {
                    bench.close(Int.random(in: 0..<bench.held.count, using: &random))
                }
            }
        }
        #expect(lastId == UInt64(count))
        #expect(bench.intake.accepted == UInt64(count))
        #expect(bench.end.failure == nil)
    }

    @Test("no more frames are open than allowed, and no more are accepted")
    func openLimit() throws {
        let bench = try Bench(slots: 4, openLimit: 3)
        try bench.start(ScriptedSource { _ in bytes(0) })
        while bench.held.count < 3 { if !bench.look() { try bench.waitForSource() } }
        #expect(bench.intake.accepted == 3)
        bench.intake.close(isImmediate: false)
        try bench.runToTheEnd(closing: false)
        #expect(bench.all.map(\.frameId) == [1, 2, 3])
        #expect(bench.intake.accepted == 3)
    }

    @Test("a frame that waits for a slot gets it when the run drains")
    func drained() throws {
        let bench = try Bench(slots: 1, openLimit: 4)
        try bench.start(ScriptedSource { _ in bytes(8) })
        while bench.held.isEmpty { if !bench.look() { try bench.waitForSource() } }
        while bench.intake.accepted < 2 { sched_yield() }
        bench.intake.close(isImmediate: false)
        try bench.runToTheEnd()
        #expect(bench.all.map(\.failure) == [nil, nil])
        #expect(bench.all.count == 2)
        #expect(bench.intake.accepted == 2)
    }

    @Test("a frame that waits for a slot gets none when the run stops at once")
    func stopped() throws {
        let bench = try Bench(slots: 1, openLimit: 4)
        try bench.start(ScriptedSource { _ in bytes(8) })
        while bench.held.isEmpty { if !bench.look() { try bench.waitForSource() } }
        while bench.intake.accepted < 2 { sched_yield() }
        bench.intake.close(isImmediate: false)
        bench.intake.close(isImmediate: true)
        try bench.runToTheEnd(closing: false)
        #expect(bench.all.count == 2)
        #expect(bench.all[0].failure == nil)
        #expect(bench.all[1].failure?.contains("stopped") == true)
        #expect(bench.all[1].slot == nil)
    }

    @Test("a source that can't go on says why, after the frames it had")
    func nextThrows() throws {
        let bench = try Bench()
        try bench.start(ScriptedSource { if $0 > 3 { throw SourceTrouble() } else { bytes(8) } })
        try bench.runToTheEnd()
        #expect(bench.all.map(\.frameId) == [1, 2, 3])
        #expect(bench.end.failure == "the camera is gone")
    }

    @Test("a frame that can't be read fails alone")
    func fillThrows() throws {
        let bench = try Bench()
        try bench.start(
            ScriptedSource(
                write: { number, _ in if number == 2 { throw SourceTrouble() } },
                announce: { $0 <= 3 ? bytes(8) : nil }))
        try bench.runToTheEnd()
        #expect(bench.all.map(\.failure) == [nil, "the camera is gone", nil])
        #expect(bench.end.failure == nil)
    }

    @Test("a frame larger than a slot fails with both sizes and takes no slot")
    func tooLarge() throws {
        let bench = try Bench()
        try bench.start(ScriptedSource { $0 <= 3 ? bytes($0 == 2 ? 65 : 64) : nil })
        try bench.runToTheEnd(closing: false)
        #expect(bench.all.map { $0.slot == nil } == [false, true, false])
        let failure = try #require(bench.all[1].failure)
        #expect(failure.contains("65 bytes") && failure.contains("64"))
    }

    @Test("a frame of a negative size fails like one that is too large")
    func negative() throws {
        let bench = try Bench()
        try bench.start(ScriptedSource { $0 == 1 ? bytes(-1) : nil })
        try bench.runToTheEnd()
        #expect(bench.all.count == 1)
        #expect(bench.all[0].failure != nil)
    }

    @Test("references, structures and unreadable frames need no slot")
    func withoutSlot() throws {
        let bench = try Bench()
        try bench.start(
            ScriptedSource { number in
                switch number {
                case 1:
                    FrameAnnouncement(.reference(format: "tiff", path: "a.tif", index: 2))
                case 2:
                    FrameAnnouncement(.structure(Structure(), typeName: "s"), uniqueId: 77)
                case 3: FrameAnnouncement(.unreadable(reason: "no TIFF"), sourceName: "b.tif")
                default: nil
                }
            }, hasPool: false)
        try bench.runToTheEnd()
        #expect(bench.all.allSatisfy { $0.slot == nil })
        #expect(bench.all.map(\.frame.uniqueId) == [1, 77, 3])
        #expect(bench.all[0].frame.location == .reference(format: "tiff", path: "a.tif", index: 2))
        #expect(bench.all[2].failure == "no TIFF")
        #expect(bench.all[2].frame.sourceName == "b.tif")
    }

    @Test("frames come no faster than the rate")
    func rate() throws {
        let bench = try Bench(slots: 8, openLimit: 8)
        let start = MonotonicClock.now()
        try bench.start(ScriptedSource { $0 <= 5 ? bytes(8) : nil }, rate: 200)
        try bench.runToTheEnd()
        #expect(bench.all.count == 5)
        for (index, frame) in bench.all.enumerated() {
            #expect(frame.acceptedAt - start >= UInt64(index) * 5_000_000)
        }
    }

    @Test(
        "waiting for the next frame's turn ends with the run, also where it would last for ever",
        arguments: [1e-3, 1e-300, .leastNonzeroMagnitude])
    func rateInterrupted(rate: Double) throws {
        let bench = try Bench()
        try bench.start(ScriptedSource { _ in bytes(8) }, rate: rate)
        while bench.held.isEmpty { if !bench.look() { try bench.waitForSource() } }
        bench.intake.close(isImmediate: false)
        try bench.runToTheEnd()
        #expect(bench.all.count == 1)
        #expect(bench.end.failure == nil)
    }

    @Test("a run that was closed before its source began accepts nothing")
    func closedBefore() throws {
        let bench = try Bench()
        bench.intake.close(isImmediate: false)
        try bench.start(ScriptedSource { _ in bytes(8) })
        try bench.runToTheEnd()
        #expect(bench.all.isEmpty)
        #expect(bench.intake.accepted == 0)
    }
}
