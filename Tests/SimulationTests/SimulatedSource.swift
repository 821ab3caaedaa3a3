import NDArrays
import Pipes
import TestSupport
import WorkerProtocol

@testable import ControllerRuntime

/// A source that is played step by step: it meets the engine in the real intake.
final class SimulatedSource {
    private enum State {
        case idle
        /// A frame is announced and waits to be accepted.
        case announced(number: UInt64)
        /// An accepted frame waits for its slot.
        case accepted(IntakeFrame, byteCount: Int)
        case ended
    }

    private unowned let world: SimulatedWorld
    private let driver: SourceDriver
    private var state = State.idle
    private var announced: UInt64 = 0
    /// It looks again only when the intake has said so.
    private var waits = false

    init(world: SimulatedWorld, driver: SourceDriver) {
        self.world = world
        self.driver = driver
    }

    private var intake: FrameIntake { driver.intake }
    private var isCancelled: Bool { (driver.source as? InMemorySource)?.isCancelled ?? false }

    var hasEnded: Bool { if case .ended = state { true } else { false } }

    func act() {
        if waits {
            guard intake.sourceFlag.drain() else { return }
            waits = false
        }
        switch state {
        case .idle: announce()
        case .announced(let number): accept(number)
        case .accepted(let frame, let byteCount): fill(frame, byteCount)
        case .ended: break
        }
    }

    private func announce() {
        if announced == UInt64(world.plan.frameCount) || isCancelled {
            end(failure: world.plan.sourceFails && !isCancelled ? "the camera is gone" : nil)
        } else {
            announced += 1
            state = .announced(number: announced)
        }
    }

    private func accept(_ number: UInt64) {
        let arrival = world.plan.arrival(number)
        var needsSlot = false
        if case .bytes = arrival { needsSlot = true }
        if case .broken = arrival { needsSlot = true }
        let admitted = intake.admitAtOnce(
            uniqueId: world.plan.tag(0, FrameKey(frameId: number)), needsSlot: needsSlot)
        guard let answer = admitted else {
            waits = true
            return
        }
        guard let admission = answer else { return end(failure: nil) }
        let frameId = admission.frameId
        world.expect(frameId == number, "frame \(number) got the id \(frameId)")
        world.log.add("accept", Int(frameId))
        let key = FrameKey(frameId: frameId)
        var attributes = NDAttributes()
        attributes.set("group", .uint64(world.plan.draw(5, 0, key) % 7))
        var frame = IntakeFrame(
            frameId: frameId, acceptedAt: world.now(),
            frame: FrameDescriptor(
                uniqueId: world.plan.tag(0, key), payload: .bytes(typeName: "simulated"),
                location: .inline(byteOffset: 0, byteCount: 0), attributes: attributes,
                sourceName: "frame \(frameId)"), slot: admission.slot, taken: admission.taken,
            overloaded: admission.overloaded)
        switch arrival {
        case .bytes(let count), .broken(let count):
            state = .accepted(frame, byteCount: count)
            return
        case .reference:
            frame.frame.payload = .image(nil)
            frame.frame.location = .reference(format: "simulated", path: "f", index: frameId)
        case .structure: frame.frame.payload = .structure(Structure(), typeName: "simulated")
        case .unreadable: frame.failure = "it is unreadable"
        }
        submit(frame)
    }

    private func fill(_ accepted: IntakeFrame, _ byteCount: Int) {
        guard let answer = intake.takeSlotAtOnce() else {
            waits = true
            return
        }
        var frame = accepted
        if let slot = answer, let pool = driver.pool {
            frame.slot = slot
            if case .broken = world.plan.arrival(frame.frameId) {
                frame.failure = "its end is missing"
            } else {
                let bytes = UnsafeMutableRawBufferPointer(
                    rebasing: pool.bytes(of: slot)[..<byteCount])
                FrameBytes.write(frame.frame.uniqueId, bytes)
                frame.frame.location = .slot(pool: 0, slot: slot, byteCount: UInt64(byteCount))
            }
        } else {
            frame.failure = "the run was stopped before the frame had a place"
        }
        submit(frame)
    }

    private func submit(_ frame: IntakeFrame) {
        if frame.failure != nil { world.noteUnreadable(frame.frameId) }
        state = .idle
        world.log.add("submit", Int(frame.frameId))
        intake.submit(frame)
    }

    private func end(failure: String?) {
        state = .ended
        world.log.add("source-end")
        intake.end(failure: failure)
    }
}

/// The source as the engine knows it; its frames come from `SimulatedSource`.
///
/// Unchecked: everything happens in the thread of the engine.
final class InMemorySource: FrameSource, @unchecked Sendable {
    let information: SourceInformation
    private(set) var isCancelled = false

    init(_ plan: SimulationPlan) {
        information = SourceInformation(
            name: "simulated", frameCount: plan.frameCount, slotByteCount: plan.slotByteCount)
    }

    func next() -> FrameAnnouncement? { nil }

    func fill(_ destination: UnsafeMutableRawBufferPointer) {}

    func cancel() { isCancelled = true }
}

/// What bytes of a frame look like: its tag at both ends.
enum FrameBytes {
    /// The fewest bytes of a frame.
    static let minimumCount = 16

    static func write(_ tag: UInt64, _ bytes: UnsafeMutableRawBufferPointer) {
        bytes.storeBytes(of: tag, as: UInt64.self)
        bytes.storeBytes(of: tag, toByteOffset: (bytes.count - 8) & ~7, as: UInt64.self)
    }

    static func hold(_ tag: UInt64, _ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.loadUnaligned(as: UInt64.self) == tag
            && bytes.loadUnaligned(fromByteOffset: (bytes.count - 8) & ~7, as: UInt64.self) == tag
    }
}
