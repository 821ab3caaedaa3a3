internal import NDArrays
internal import WorkerProtocol

/// The source's slots, for the source's thread.
///
/// Unchecked: the thread only asks for the bytes of slots that the intake gave it, and the base
/// address of a pool never changes.
struct SourceSlots: @unchecked Sendable {
    private let pool: SlotPool

    /// The slots of `pool`.
    init(_ pool: SlotPool) { self.pool = pool }

    /// The bytes of a slot.
    func bytes(of slot: UInt32) -> UnsafeMutableRawBufferPointer { pool.bytes(of: slot) }
}

/// Runs a source on its own thread: announce, accept, take a slot, fill, submit.
struct SourceDriver: Sendable {
    let source: any FrameSource
    let intake: FrameIntake
    /// The source's pool and its slots; nil when the source sends references only.
    let pool: SourceSlots?
    let slotByteCount: Int
    /// Most frames per second; nil: no limit.
    let rateLimit: Double?
    /// Frames that earlier lives of the run have closed: they are passed over.
    var closed = FrameIdRanges()

    /// Takes frames until the source ends, fails or is told to end.
    func run() {
        let start = MonotonicClock.now()
        var (count, position): (UInt64, UInt64) = (0, 0)
        do {
            while true {
                if let rateLimit {
                    let wait = UInt64(exactly: (Double(count) / rateLimit * 1e9).rounded()) ?? .max
                    guard intake.sleep(until: MonotonicClock.time(start, plus: wait)) else {
                        break
                    }
                }
                guard let announcement = try source.next() else { break }
                position += 1
                if closed.contains(position) {
                    if intake.pass() { continue }
                    break
                }
                guard
                    let admission = intake.admit(
                        uniqueId: announcement.uniqueId, needsSlot: needsSlot(announcement))
                else { break }
                count += 1
                if admission.taken.isEmpty { continue }
                intake.submit(prepare(announcement, admission))
            }
            intake.end(failure: nil)
        } catch {
            intake.end(failure: "\(error)")
        }
    }

    /// Whether a frame has bytes that a slot can hold.
    private func needsSlot(_ announcement: FrameAnnouncement) -> Bool {
        switch announcement.content {
        case .image(_, let byteCount), .bytes(let byteCount, _): fits(byteCount)
        case .reference, .structure, .unreadable: false
        }
    }

    private func fits(_ byteCount: Int) -> Bool {
        pool != nil && (0...slotByteCount).contains(byteCount)
    }

    private func prepare(_ announcement: FrameAnnouncement, _ admission: Admission) -> IntakeFrame {
        var result = IntakeFrame(
            frameId: admission.frameId, acceptedAt: MonotonicClock.now(),
            frame: FrameDescriptor(
                uniqueId: announcement.uniqueId ?? admission.frameId,
                timeStamp: announcement.timeStamp, payload: .image(nil),
                location: .inline(byteOffset: 0, byteCount: 0),
                attributes: announcement.attributes, sourceName: announcement.sourceName),
            slot: admission.slot, taken: admission.taken, overloaded: admission.overloaded)
        switch announcement.content {
        case .reference(let format, let path, let index):
            result.frame.location = .reference(format: format, path: path, index: UInt64(index))
        case .structure(let structure, let typeName):
            result.frame.payload = .structure(structure, typeName: typeName)
        case .unreadable(let reason):
            result.failure = reason
        case .image(let layout, let byteCount):
            result.frame.payload = .image(layout)
            fill(&result, byteCount: byteCount)
        case .bytes(let byteCount, let typeName):
            result.frame.payload = .bytes(typeName: typeName)
            fill(&result, byteCount: byteCount)
        }
        return result
    }

    private func fill(_ frame: inout IntakeFrame, byteCount: Int) {
        guard let pool, fits(byteCount) else {
            frame.failure =
                "the frame has \(byteCount) bytes, a slot \(slotByteCount); set a larger slot size"
            return
        }
        guard let slot = frame.slot ?? intake.takeSlot() else {
            frame.failure = "the run was stopped before the frame had a place"
            return
        }
        frame.slot = slot
        do {
            try source.fill(
                UnsafeMutableRawBufferPointer(rebasing: pool.bytes(of: slot)[..<byteCount]))
            frame.frame.location = .slot(pool: 0, slot: slot, byteCount: UInt64(byteCount))
        } catch {
            frame.failure = "\(error)"
        }
    }
}
