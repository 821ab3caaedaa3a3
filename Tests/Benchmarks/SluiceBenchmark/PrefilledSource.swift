import ControllerRuntime
import NDArrays
import Synchronization

/// Frames whose pixels are in their slots already: a slot is written when it is first seen and left as
/// it is afterwards, as in the floor. What is measured is then the way of the frames, not their making.
///
/// Unchecked: everything without its own lock belongs to the source's thread until the run is over.
final class PrefilledSource: FrameSource, @unchecked Sendable {
    let information: SourceInformation
    /// Frames announced so far.
    let count = Atomic<UInt64>(0)
    /// Monotonic nanoseconds when the last frame had been announced and one more was asked for; 0 before.
    let endedAt = Atomic<UInt64>(0)
    /// Monotonic nanoseconds of every `fill`, where they are kept.
    private(set) var fillTimes: [UInt64] = []

    private let announcement: FrameAnnouncement
    private let maximumCount: UInt64
    private let keepsTimes: Bool
    private let waitsAtEnd: Bool
    private let isCancelled = Atomic<Bool>(false)
    private var known: [UnsafeMutableRawPointer] = []
    private var random: UInt32 = 1

    /// A source of `maximumCount` frames at most; with `waitsAtEnd` it then blocks like an idle camera.
    init(
        layout: ArrayLayout, maximumCount: Int, keepsTimes: Bool = false, waitsAtEnd: Bool = false
    ) {
        information = SourceInformation(
            name: "benchmark", frameCount: nil, slotByteCount: layout.byteCount)
        announcement = FrameAnnouncement(.image(layout, byteCount: layout.byteCount))
        self.maximumCount = UInt64(maximumCount)
        self.keepsTimes = keepsTimes
        self.waitsAtEnd = waitsAtEnd
        if keepsTimes { fillTimes.reserveCapacity(1 << 20) }
    }

    func next() throws -> FrameAnnouncement? {
        let announced = count.load(ordering: .relaxed)
        if announced >= maximumCount || isCancelled.load(ordering: .relaxed) {
            if endedAt.load(ordering: .relaxed) == 0 {
                endedAt.store(monotonicNanoseconds(), ordering: .releasing)
            }
            while waitsAtEnd, !isCancelled.load(ordering: .acquiring) { pause(milliseconds: 1) }
            return nil
        }
        count.store(announced + 1, ordering: .releasing)
        return announcement
    }

    func fill(_ destination: UnsafeMutableRawBufferPointer) throws {
        if keepsTimes, fillTimes.count < 1 << 20 { fillTimes.append(monotonicNanoseconds()) }
        guard let base = destination.baseAddress, !known.contains(base) else { return }
        known.append(base)
        for pixel in destination.assumingMemoryBound(to: UInt16.self).indices {
            random = random &* 1_664_525 &+ 1_013_904_223
            destination.storeBytes(
                of: UInt16(truncatingIfNeeded: random >> 16), toByteOffset: pixel * 2,
                as: UInt16.self)
        }
    }

    func cancel() { isCancelled.store(true, ordering: .releasing) }
}
