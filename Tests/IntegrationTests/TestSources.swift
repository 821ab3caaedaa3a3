import ControllerRuntime
import Dispatch
import NDArrays
import Synchronization

/// Gives images whose pixels follow from their number.
final class CountingSource: FrameSource {
    let information: SourceInformation
    private let count: Int
    private let side: Int
    private let announced = Mutex(0)

    /// `isLive`: it comes as fast as it can and says that waiting loses frames.
    init(count: Int, side: Int = 16, isLive: Bool = false) {
        self.count = count
        self.side = side
        var information = SourceInformation(
            name: "counting", frameCount: count, slotByteCount: side * side * 2,
            isLive: isLive)
        information.fingerprint = "counting to \(count), \(side)"
        self.information = information
    }

    func next() throws -> FrameAnnouncement? {
        let number = announced.withLock { number in
            number += 1
            return number
        }
        guard number <= count else { return nil }
        let layout = try ArrayLayout(.uint16, width: side, height: side)
        return FrameAnnouncement(
            .image(layout, byteCount: layout.byteCount),
            timeStamp: TimeStamp(secondsPastEpoch: Int64(number)))
    }

    func fill(_ destination: UnsafeMutableRawBufferPointer) throws {
        let number = announced.withLock { $0 }
        destination.bindMemory(to: UInt16.self).update(repeating: UInt16(number & 0xFFFF))
    }
}

/// Gives no frame until it is cancelled.
final class IdleSource: FrameSource {
    let information = SourceInformation(name: "idle", frameCount: nil, slotByteCount: 512)
    private let gate = DispatchSemaphore(value: 0)

    func next() throws -> FrameAnnouncement? {
        gate.wait()
        return nil
    }

    func fill(_ destination: UnsafeMutableRawBufferPointer) throws {}

    func cancel() { gate.signal() }
}

/// Values that other threads give.
final class Collected<Value: Sendable>: Sendable {
    private let list = Mutex<[Value]>([])

    /// What has been given so far.
    var values: [Value] { list.withLock { $0 } }

    /// Takes a value.
    func add(_ value: Value) { list.withLock { $0.append(value) } }
}
