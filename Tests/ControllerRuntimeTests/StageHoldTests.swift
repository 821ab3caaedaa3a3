import TestSupport
import Testing

@testable import ControllerRuntime

@Suite("A stage that is held")
struct StageHoldTests {
    private static let second: UInt64 = 1_000_000_000
    private static let full = "out: No space left on device (errno 28)"

    @Test("flows until a frame comes back, and tells why it does not")
    func begins() {
        var hold = StageHold()
        #expect(!hold.isHeld)
        #expect(hold.mayTry(at: 0))
        #expect(hold.nextLook(limit: 1) == nil)
        #expect(hold.lasted(at: 7) == nil)
        #expect(
            hold.frameHeld(3, reason: Self.full, at: Self.second)
                == [.tellHeld(reason: Self.full)])
        #expect(hold.isHeld)
        #expect(hold.lasted(at: 3 * Self.second) == 2 * Self.second)
    }

    @Test("waits 0.2 s before the first probe, then twice as long each time, at most 5 s")
    func backOff() {
        var hold = StageHold()
        var now = Self.second
        _ = hold.frameHeld(3, reason: Self.full, at: now)
        var pauses: [UInt64] = []
        for _ in 0..<8 {
            guard let next = hold.stall?.nextTryAt else { break }
            #expect(!hold.mayTry(at: next - 1))
            #expect(hold.mayTry(at: next))
            pauses.append((next - now) / 1_000_000)
            hold.tried(3)
            #expect(!hold.mayTry(at: .max), "one probe at a time")
            now = next + 5
            #expect(hold.frameHeld(3, reason: Self.full, at: now).isEmpty)
        }
        #expect(pauses == [200, 400, 800, 1600, 3200, 5000, 5000, 5000])
    }

    @Test("frames that were on their way join without a longer pause")
    func others() {
        var hold = StageHold()
        _ = hold.frameHeld(3, reason: Self.full, at: 0)
        let before = hold
        for place in 4..<12 { #expect(hold.frameHeld(place, reason: "other", at: 9).isEmpty) }
        #expect(hold == before)
        #expect(hold.frameEnded(12, isProof: true, at: 10).isEmpty, "it was no probe")
        #expect(hold == before)
    }

    @Test("flows with the first probe that asked the place and was taken")
    func resumes() {
        var hold = StageHold()
        _ = hold.frameHeld(3, reason: Self.full, at: Self.second)
        hold.tried(3)
        #expect(
            hold.frameEnded(3, isProof: true, at: 4 * Self.second)
                == [.tellResumed(reason: Self.full, nanoseconds: 3 * Self.second)])
        #expect(hold == StageHold())
    }

    @Test("a frame without files proves nothing, a lost worker tells nothing: the next may go")
    func proof() {
        var hold = StageHold()
        _ = hold.frameHeld(3, reason: Self.full, at: 0)
        let due = StageHold.firstBackOff
        hold.tried(5)
        #expect(hold.frameEnded(5, isProof: false, at: due).isEmpty)
        #expect(hold.isHeld)
        #expect(hold.mayTry(at: due))
        hold.tried(6)
        hold.frameReturned(9)
        #expect(!hold.mayTry(at: due))
        hold.frameReturned(6)
        #expect(hold.mayTry(at: due))
        #expect(hold.isHeld)
    }

    @Test("another reason is told, the same is not")
    func news() {
        var hold = StageHold()
        _ = hold.frameHeld(3, reason: Self.full, at: 0)
        hold.tried(3)
        #expect(
            hold.frameHeld(3, reason: "out: gone", at: 1) == [.tellHeld(reason: "out: gone")])
        #expect(hold.stall?.since == 0)
    }

    @Test("is looked at for the next probe or the end of its limit, whichever comes first")
    func looks() {
        var hold = StageHold()
        _ = hold.frameHeld(3, reason: Self.full, at: Self.second)
        let due = Self.second + StageHold.firstBackOff
        #expect(hold.nextLook(limit: nil) == due)
        #expect(hold.nextLook(limit: 5) == Self.second + 5)
        #expect(hold.nextLook(limit: .max) == due)
        hold.tried(3)
        #expect(hold.nextLook(limit: nil) == .max)
        #expect(hold.nextLook(limit: Self.second) == 2 * Self.second)
    }

    @Test(
        "keeps its promises whatever happens in whatever order",
        arguments: 1...20 as ClosedRange<UInt64>)
    func anything(seed: UInt64) {
        var random = SeededNumbers(seed: seed)
        var hold = StageHold()
        var now: UInt64 = 0
        var probe: Int?
        for _ in 0..<5_000 {
            now += UInt64.random(in: 0..<600_000_000, using: &random)
            let place = Int.random(in: 0..<4, using: &random)
            let before = hold
            switch Int.random(in: 0..<4, using: &random) {
            case 0 where hold.mayTry(at: now):
                hold.tried(place)
                probe = hold.isHeld ? place : nil
            case 1:
                let told = hold.frameHeld(place, reason: "r\(place % 2)", at: now)
                #expect(hold.isHeld)
                if place == probe { probe = nil }
                if !before.isHeld { #expect(told == [.tellHeld(reason: "r\(place % 2)")]) }
            case 2:
                let isProof = Bool.random(using: &random)
                let told = hold.frameEnded(place, isProof: isProof, at: now)
                #expect(told.isEmpty == (probe != place || !isProof))
                if place == probe { probe = nil }
            default:
                hold.frameReturned(place)
                if place == probe { probe = nil }
            }
            #expect(hold.stall?.probe == probe)
            if let stall = hold.stall {
                #expect(stall.backOff >= StageHold.firstBackOff)
                #expect(stall.backOff <= StageHold.maximumBackOff)
                #expect(stall.since <= now)
            }
        }
    }
}
