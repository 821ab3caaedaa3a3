import ControllerRuntime
import Glibc
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
    /// Monotonic nanoseconds of the second `fill`: with one slot, when the first frame was closed.
    private(set) var secondFillAt: UInt64?

    private let announcement: FrameAnnouncement
    private let maximumCount: UInt64
    private let waitsAtEnd: Bool
    private let isCancelled = Atomic<Bool>(false)
    private var known: [UnsafeMutableRawPointer] = []
    /// Number of the frame for which a slot was written last.
    let lastNew = Atomic<UInt64>(0)
    /// A pipe that ends a `next` which has nothing to give.
    private let alarm: (read: Int32, write: Int32)

    /// A source of `maximumCount` frames at most; with `waitsAtEnd` it then blocks like an idle camera.
    init(
        layout: ArrayLayout, maximumCount: Int, waitsAtEnd: Bool = false
    ) {
        information = SourceInformation(
            name: "benchmark", frameCount: nil, slotByteCount: layout.byteCount)
        announcement = FrameAnnouncement(.image(layout, byteCount: layout.byteCount))
        self.maximumCount = UInt64(maximumCount)
        self.waitsAtEnd = waitsAtEnd
        var ends: [Int32] = [-1, -1]
        _ = pipe(&ends)
        alarm = (ends[0], ends[1])
    }

    deinit {
        close(alarm.read)
        close(alarm.write)
    }

    func next() throws -> FrameAnnouncement? {
        let announced = count.load(ordering: .relaxed)
        if announced >= maximumCount || isCancelled.load(ordering: .relaxed) {
            if endedAt.load(ordering: .relaxed) == 0 {
                endedAt.store(monotonicNanoseconds(), ordering: .releasing)
            }
            var byte: UInt8 = 0
            if waitsAtEnd { _ = read(alarm.read, &byte, 1) }
            return nil
        }
        count.store(announced + 1, ordering: .releasing)
        return announcement
    }

    func fill(_ destination: UnsafeMutableRawBufferPointer) throws {
        if secondFillAt == nil, !known.isEmpty { secondFillAt = monotonicNanoseconds() }
        guard let base = destination.baseAddress, !known.contains(base) else { return }
        known.append(base)
        lastNew.store(count.load(ordering: .relaxed), ordering: .releasing)
        if known.count > 1 {
            destination.copyMemory(
                from: UnsafeRawBufferPointer(start: known[0], count: destination.count))
            return
        }
        var random: UInt32 = 1
        for offset in stride(from: 0, to: destination.count, by: 2) {
            random = random &* 1_664_525 &+ 1_013_904_223
            destination.storeBytes(
                of: UInt16(truncatingIfNeeded: random >> 16), toByteOffset: offset, as: UInt16.self)
        }
    }

    func cancel() {
        isCancelled.store(true, ordering: .releasing)
        var byte: UInt8 = 0
        _ = write(alarm.write, &byte, 1)
    }
}
