internal import NDArrays
internal import Synchronization
internal import WorkerProtocol

/// The worker's side of its status page: which frame is in user code, and since when.
struct StatusWords: ~Copyable {
    private let region: MappedRegion
    private var begun: UInt64 = 0
    private var finished: UInt64 = 0

    /// The page behind an inherited descriptor.
    init(descriptor: Int32) throws(NDArrayError) {
        region = try MappedRegion(
            descriptor: descriptor, byteCount: StatusPage.byteCount, isWritable: true)
    }

    /// A frame goes into user code: `nanoseconds` of the monotonic clock.
    mutating func begin(requestId: UInt64, nanoseconds: UInt64) {
        begun &+= 1
        store(nanoseconds, at: StatusPage.startedOffset)
        store(begun, at: StatusPage.begunOffset)
        store(requestId, at: StatusPage.requestIdOffset)
    }

    /// The frame came out of user code.
    mutating func end() {
        finished &+= 1
        store(0, at: StatusPage.requestIdOffset)
        store(finished, at: StatusPage.finishedOffset)
    }

    /// An aligned word of the mapping, which lives as long as this value; only this process writes it.
    private func store(_ value: UInt64, at byteOffset: Int) {
        let word = (region.base + byteOffset).assumingMemoryBound(to: Atomic<UInt64>.self)
        word.pointee.store(value, ordering: .releasing)
    }
}
